//! Failures of replication as gRPC statuses, from which a client has the kind
//! again.

use hozo_traits::{Error, ErrorKind};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

#[cfg(test)]
mod tests;

/// The trailer in which a status names its [`ErrorKind`], in the words that
/// texts of errors begin with.
pub(crate) const KIND: &str = "hozo-error-kind";

/// The status, with all that is known of the failure: who may follow a server,
/// or change whom it follows, may know where its files are.
pub(crate) fn refusal(error: &Error) -> Status {
    let kind = error.kind();
    let text = error.to_string();
    let words = text.strip_prefix(kind.as_str()).and_then(|rest| rest.strip_prefix(": "));
    let mut status = Status::new(code(kind), words.unwrap_or(&text));
    status.metadata_mut().insert(KIND, MetadataValue::from_static(kind.as_str()));
    status
}

/// The code of each kind of failure. The table is in the documentation of
/// [`service`](crate::service).
fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Conflict => Code::Aborted,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Exists => Code::AlreadyExists,
        ErrorKind::ReadOnly => Code::FailedPrecondition,
        ErrorKind::VersionGone => Code::OutOfRange,
        ErrorKind::Busy | ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::TimedOut => Code::DeadlineExceeded,
        ErrorKind::Corrupt => Code::DataLoss,
        ErrorKind::Unsupported => Code::Unimplemented,
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::TooLarge => Code::ResourceExhausted,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::Denied => Code::PermissionDenied,
        ErrorKind::Internal => Code::Internal,
    }
}
