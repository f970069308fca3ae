//! What the two kinds of refusals on the wire are as [`Error`]s.
//!
//! A database's refusal travels in a response, as a [`StatusProto`]; what is
//! wrong with the call itself, or with the way to the server, is a gRPC status.
//! Both maps are total. The message is kept, and the code is in the error's
//! context: `status` has the name of a database's, `grpc` that of gRPC's.

use std::error::Error as _;

use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::StatusProto;
use hozo_traits::{Error, ErrorKind, Outcome, Result, Retry};
use tonic::Code;

#[cfg(test)]
mod tests;

/// What a database's code is; `None` for success.
fn kind_of_status(code: StatusCode) -> Option<(ErrorKind, Retry)> {
    Some(match code {
        StatusCode::Success => return None,
        StatusCode::UnknownError | StatusCode::ApplicationError => {
            (ErrorKind::Internal, Retry::Never)
        }
        StatusCode::SystemError => (ErrorKind::Unavailable, Retry::Later),
        StatusCode::NotImplementedError => (ErrorKind::Unsupported, Retry::Never),
        // Somebody else has it, or, in Tkrzw, it is not open.
        StatusCode::PreconditionError => (ErrorKind::Unavailable, Retry::Later),
        StatusCode::InvalidArgumentError => (ErrorKind::Invalid, Retry::Never),
        StatusCode::CanceledError => (ErrorKind::TimedOut, Retry::Later),
        StatusCode::NotFoundError => (ErrorKind::NotFound, Retry::Never),
        StatusCode::PermissionError => (ErrorKind::Denied, Retry::Never),
        StatusCode::InfeasibleError => (ErrorKind::Conflict, Retry::Transaction),
        StatusCode::DuplicationError => (ErrorKind::Exists, Retry::Never),
        StatusCode::BrokenDataError => (ErrorKind::Corrupt, Retry::Never),
        StatusCode::NetworkError => (ErrorKind::Unavailable, Retry::Later),
    })
}

/// What a gRPC code is, when a server sent it.
fn kind_of_code(code: Code) -> (ErrorKind, Retry) {
    match code {
        Code::Ok | Code::Unknown | Code::Internal => (ErrorKind::Internal, Retry::Never),
        Code::Cancelled | Code::Unavailable => (ErrorKind::Unavailable, Retry::Later),
        Code::InvalidArgument => (ErrorKind::Invalid, Retry::Never),
        Code::DeadlineExceeded => (ErrorKind::TimedOut, Retry::Later),
        Code::NotFound => (ErrorKind::NotFound, Retry::Never),
        Code::AlreadyExists => (ErrorKind::Exists, Retry::Never),
        Code::PermissionDenied => (ErrorKind::Denied, Retry::Never),
        Code::ResourceExhausted => (ErrorKind::Busy, Retry::Later),
        Code::FailedPrecondition | Code::Unimplemented => (ErrorKind::Unsupported, Retry::Never),
        Code::Aborted => (ErrorKind::Conflict, Retry::Transaction),
        Code::OutOfRange => (ErrorKind::TooLarge, Retry::Never),
        Code::DataLoss => (ErrorKind::Corrupt, Retry::Never),
        Code::Unauthenticated => (ErrorKind::Unauthenticated, Retry::Never),
    }
}

/// The name of a gRPC code, as other clients print it.
fn name_of_code(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The error that a database's status is; none is success, since the reference
/// server leaves it out of some answers.
pub(crate) fn check(status: Option<StatusProto>) -> Result<()> {
    let Some(status) = status else { return Ok(()) };
    let code = status.status_code();
    let Some((kind, retry)) = kind_of_status(code) else { return Ok(()) };
    // The protocol has no code of its own for it.
    let too_large =
        code == StatusCode::InvalidArgumentError && status.message.starts_with("too large");
    let kind = if too_large { ErrorKind::TooLarge } else { kind };
    let known = StatusCode::from_i32(status.code).is_some();
    let error = match status.message {
        message if !message.is_empty() => Error::new(kind, message),
        _ if !known => Error::new(kind, "the server answered a status that there is not"),
        _ => Error::new(kind, code.name()),
    };
    let error = error.retrying(retry);
    Err(if known { error.with("status", code) } else { error.with("status", status.code) })
}

/// [`check`], with missing and existing records as outcomes.
pub(crate) fn outcome(status: Option<StatusProto>) -> Result<Outcome> {
    match status.as_ref().map(StatusProto::status_code) {
        Some(StatusCode::NotFoundError) => Ok(Outcome::Missing),
        Some(StatusCode::DuplicationError) => Ok(Outcome::Exists),
        _ => check(status).map(|()| Outcome::Done),
    }
}

/// How far a call came that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reached {
    /// The server cannot have seen it.
    Nothing,
    /// The server may have done it; it, or the way to it, was unavailable.
    Unavailable,
    /// The server answered, or time was up.
    Answered,
}

/// The error that a gRPC status is, which a server sent, and how far its call
/// came.
pub(crate) fn from_grpc(code: Code, message: &str) -> (Error, Reached) {
    let (kind, retry) = match code {
        // One code for too much at once and for a message that is too large; the
        // words of tonic, of gRPC in C++ and of Hozo tell them apart.
        Code::ResourceExhausted
            if ["too large", "larger than"].iter().any(|words| message.contains(words)) =>
        {
            (ErrorKind::TooLarge, Retry::Never)
        }
        code => kind_of_code(code),
    };
    let message = if message.is_empty() { name_of_code(code) } else { message };
    let error = Error::new(kind, message.to_owned()).retrying(retry);
    let reached = match code {
        Code::Unavailable => Reached::Unavailable,
        _ => Reached::Answered,
    };
    (error.with("grpc", name_of_code(code)), reached)
}

/// The error of a call whose time is up.
pub(crate) fn late() -> Error {
    Error::new(
        ErrorKind::TimedOut,
        "the server did not answer in time; whether it does what was asked is not known",
    )
    .with("grpc", "DEADLINE_EXCEEDED")
}

/// The same error once more, for another who waits for it.
pub(crate) fn again(error: &Error) -> Error {
    of_kind(error, error.kind()).retrying(error.retry())
}

/// The same error, but of this kind.
pub(crate) fn of_kind(error: &Error, kind: ErrorKind) -> Error {
    let mut copy = Error::new(kind, error.message().to_owned());
    for (key, value) in error.context() {
        copy = copy.with(key, value);
    }
    match error.source() {
        None => copy,
        Some(cause) => copy.caused_by(cause.to_string()),
    }
}

/// The error of a call of replication, in whose codes three say what they say
/// nowhere else.
pub(crate) fn of_replication(error: Error) -> Error {
    match grpc_code(&error) {
        Some("OUT_OF_RANGE") => of_kind(&error, ErrorKind::VersionGone),
        Some("ABORTED") => of_kind(&error, ErrorKind::Conflict).retrying(Retry::Never),
        Some("FAILED_PRECONDITION") => of_kind(&error, ErrorKind::ReadOnly),
        _ => error,
    }
}

/// Whether the server does not have what was called.
pub(crate) fn is_unimplemented(error: &Error) -> bool {
    grpc_code(error) == Some("UNIMPLEMENTED")
}

fn grpc_code(error: &Error) -> Option<&str> {
    let code = error.context().iter().find(|(key, _)| *key == "grpc");
    code.map(|(_, code)| code.as_str())
}
