//! What happened, as clients are told: in answers, and as failures of calls.

use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::StatusProto;
use hozo_traits::{Error, ErrorKind, Outcome};
use tonic::Status;

use super::dbm::is_of_the_store;

/// What an answer says when all went well.
pub(super) fn success() -> Option<StatusProto> {
    Some(StatusProto::default())
}

pub(super) fn outcome(outcome: Outcome) -> Option<StatusProto> {
    match outcome {
        Outcome::Done => success(),
        Outcome::Missing => plain(StatusCode::NotFoundError),
        Outcome::Exists => plain(StatusCode::DuplicationError),
    }
}

/// A code that needs no words.
pub(super) fn plain(code: StatusCode) -> Option<StatusProto> {
    Some(StatusProto { code: code.as_i32(), message: String::new() })
}

pub(super) fn failure(error: &Error) -> Option<StatusProto> {
    Some(code(error.kind()).with(words(error)))
}

/// An answer that would be larger than messages may be.
pub(super) fn answer_too_large(bytes_max: usize) -> Status {
    Status::resource_exhausted(format!(
        "the answer is too large (message_bytes_max {bytes_max}); ask for less at once"
    ))
}

/// The code of each kind of failure.
///
/// | kind | code |
/// |---|---|
/// | not found | `NOT_FOUND_ERROR` |
/// | exists | `DUPLICATION_ERROR` |
/// | conflict | `INFEASIBLE_ERROR` |
/// | read-only, denied, unauthenticated | `PERMISSION_ERROR` |
/// | invalid, too large | `INVALID_ARGUMENT_ERROR` |
/// | unsupported | `NOT_IMPLEMENTED_ERROR` |
/// | corrupt | `BROKEN_DATA_ERROR` |
/// | version gone, busy | `PRECONDITION_ERROR` |
/// | unavailable | `SYSTEM_ERROR` |
/// | timed out | `CANCELED_ERROR` |
/// | internal | `UNKNOWN_ERROR` |
pub(super) fn code(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NotFoundError,
        ErrorKind::Exists => StatusCode::DuplicationError,
        ErrorKind::Conflict => StatusCode::InfeasibleError,
        ErrorKind::ReadOnly | ErrorKind::Denied | ErrorKind::Unauthenticated => {
            StatusCode::PermissionError
        }
        ErrorKind::Invalid | ErrorKind::TooLarge => StatusCode::InvalidArgumentError,
        ErrorKind::Unsupported => StatusCode::NotImplementedError,
        ErrorKind::Corrupt => StatusCode::BrokenDataError,
        ErrorKind::VersionGone | ErrorKind::Busy => StatusCode::PreconditionError,
        ErrorKind::Unavailable => StatusCode::SystemError,
        ErrorKind::TimedOut => StatusCode::CanceledError,
        ErrorKind::Internal => StatusCode::UnknownError,
    }
}

/// The sentence, with what it was about. Of a failure of the store only the
/// sentence: the rest is about its files, and is in the server's log.
fn words(error: &Error) -> String {
    let mut words = String::new();
    if error.kind() == ErrorKind::TooLarge {
        words.push_str("too large: ");
    }
    words.push_str(error.message());
    if is_of_the_store(error.kind()) {
        return words;
    }
    for (i, (key, value)) in error.context().iter().enumerate() {
        words.push_str(if i == 0 { " (" } else { ", " });
        words.push_str(key);
        words.push(' ');
        words.push_str(value);
    }
    if !error.context().is_empty() {
        words.push(')');
    }
    words
}
