//! What can go wrong with a request.

use std::borrow::Cow;

use hozo::traits::{Error, ErrorKind};

/// Why a request has no right answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Trouble {
    /// A few words, the same for all that went wrong alike: errors are counted
    /// by it.
    pub(super) kind: Cow<'static, str>,
    /// What the server, or the machine, said about this one.
    pub(super) message: String,
    /// Whether nothing more can be asked of this connection.
    pub(super) lost: bool,
}

impl Trouble {
    /// One that leaves the connection as it is.
    pub(super) fn of(kind: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Trouble { kind: kind.into(), message: message.into(), lost: false }
    }

    /// The end of the connection.
    pub(super) fn lost(message: impl Into<String>) -> Self {
        Trouble { kind: "connection lost".into(), message: message.into(), lost: true }
    }

    /// What the server sent makes no sense.
    pub(super) fn garbage(message: impl Into<String>) -> Self {
        Trouble::of("broken answer", message)
    }

    /// A status of gRPC's that is not OK.
    pub(super) fn grpc(code: u32, message: impl Into<String>) -> Self {
        const NAMES: [&str; 17] = [
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        ];
        let name = NAMES.get(code as usize).copied().unwrap_or("a status that gRPC has not");
        Trouble::of(name, message)
    }
}

impl From<h2::Error> for Trouble {
    fn from(e: h2::Error) -> Self {
        match e.reason() {
            // A reset is of one request; the others go on.
            Some(reason) if e.is_reset() => Trouble::of("reset", reason.description()),
            _ => Trouble::lost(e.to_string()),
        }
    }
}

impl Trouble {
    /// As the reason why something else failed.
    pub(super) fn into_error(self, what: &'static str) -> Error {
        Error::new(ErrorKind::Unavailable, what).with(
            "it said",
            match &*self.message {
                "" => self.kind.into_owned(),
                message => format!("{}: {message}", self.kind),
            },
        )
    }
}
