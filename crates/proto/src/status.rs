//! What a database operation came to, as the protocol numbers it.

use std::fmt;

use crate::tkrzw_rpc::StatusProto;

/// What the `code` of a [`StatusProto`] means.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum StatusCode {
    /// It was done.
    Success = 0,
    /// It failed, and no other code says why.
    UnknownError = 1,
    /// The operating system refused: a full disk, a file that cannot be opened.
    SystemError = 2,
    /// This database cannot do that.
    NotImplementedError = 3,
    /// Something that had to be done before was not: a database is not open.
    PreconditionError = 4,
    /// A parameter has a value that makes no sense.
    InvalidArgumentError = 5,
    /// It was called off.
    CanceledError = 6,
    /// There is no such record.
    NotFoundError = 7,
    /// It is not allowed.
    PermissionError = 8,
    /// Things are not as the operation expects them.
    InfeasibleError = 9,
    /// There is such a record already.
    DuplicationError = 10,
    /// What is stored makes no sense.
    BrokenDataError = 11,
    /// The server was not reached. Clients make this of gRPC's errors; a server
    /// never sends it.
    NetworkError = 12,
    /// The program that called made a mistake of its own.
    ApplicationError = 13,
}

impl StatusCode {
    /// All codes, each at the place of its number.
    pub const ALL: [StatusCode; 14] = [
        StatusCode::Success,
        StatusCode::UnknownError,
        StatusCode::SystemError,
        StatusCode::NotImplementedError,
        StatusCode::PreconditionError,
        StatusCode::InvalidArgumentError,
        StatusCode::CanceledError,
        StatusCode::NotFoundError,
        StatusCode::PermissionError,
        StatusCode::InfeasibleError,
        StatusCode::DuplicationError,
        StatusCode::BrokenDataError,
        StatusCode::NetworkError,
        StatusCode::ApplicationError,
    ];

    /// The code that has this number, if one has.
    pub fn from_i32(code: i32) -> Option<StatusCode> {
        usize::try_from(code).ok().and_then(|place| StatusCode::ALL.get(place)).copied()
    }

    /// The number on the wire.
    pub const fn as_i32(self) -> i32 {
        self as i32
    }

    /// The name as the utilities print it.
    pub const fn name(self) -> &'static str {
        match self {
            StatusCode::Success => "SUCCESS",
            StatusCode::UnknownError => "UNKNOWN_ERROR",
            StatusCode::SystemError => "SYSTEM_ERROR",
            StatusCode::NotImplementedError => "NOT_IMPLEMENTED_ERROR",
            StatusCode::PreconditionError => "PRECONDITION_ERROR",
            StatusCode::InvalidArgumentError => "INVALID_ARGUMENT_ERROR",
            StatusCode::CanceledError => "CANCELED_ERROR",
            StatusCode::NotFoundError => "NOT_FOUND_ERROR",
            StatusCode::PermissionError => "PERMISSION_ERROR",
            StatusCode::InfeasibleError => "INFEASIBLE_ERROR",
            StatusCode::DuplicationError => "DUPLICATION_ERROR",
            StatusCode::BrokenDataError => "BROKEN_DATA_ERROR",
            StatusCode::NetworkError => "NETWORK_ERROR",
            StatusCode::ApplicationError => "APPLICATION_ERROR",
        }
    }

    /// The status to send, with a message that may be empty.
    pub fn with(self, message: impl Into<String>) -> StatusProto {
        StatusProto { code: self.as_i32(), message: message.into() }
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl StatusProto {
    /// What its number means; one that there is not is an unknown error.
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_i32(self.code).unwrap_or(StatusCode::UnknownError)
    }

    /// Its text for people.
    pub fn text(&self) -> StatusText<'_> {
        StatusText { code: self.status_code(), message: &self.message }
    }
}

/// Displays as `NAME`, or `NAME: message` if there is a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatusText<'a> {
    /// What the status is.
    pub code: StatusCode,
    /// More about it; may be empty.
    pub message: &'a str,
}

impl fmt::Display for StatusText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message {
            "" => f.write_str(self.code.name()),
            message => write!(f, "{}: {message}", self.code.name()),
        }
    }
}

#[cfg(test)]
mod tests;
