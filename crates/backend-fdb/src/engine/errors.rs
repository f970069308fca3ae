//! FoundationDB's errors as ours: a total map, and never "not found".

use foundationdb::FdbError;
use hozo_traits::{Error, ErrorKind, Retry};

/// What an error says of the transaction that it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It was not made, and may be tried again.
    NotMade,
    /// It was not made, and never will be as it is.
    Refused,
    /// It may have been made.
    InDoubt,
}

/// What an error of a commit says of it, by FoundationDB's own predicates. What those
/// do not speak of is in doubt, unless it is the client that refuses: a transaction
/// that ran out of time may be on its way.
pub(super) fn fate(error: FdbError) -> Fate {
    if error.is_retryable_not_committed() {
        return Fate::NotMade;
    }
    match error.code() {
        // What a client says of a call before it asks anybody.
        2000..=2299 if !error.is_maybe_committed() => Fate::Refused,
        _ => Fate::InDoubt,
    }
}

/// An error that ended an operation.
pub(super) fn ended(error: FdbError) -> Error {
    let (kind, sentence) = kind_of(error);
    let told = Error::new(kind, sentence).with("code", error.code());
    // The kind says whether it can help; so do the predicates, which know better.
    let told = if error.is_retryable() { told.retrying(Retry::Later) } else { told };
    told.caused_by(error)
}

/// An error of what comes before the first operation.
pub(super) fn opening(error: FdbError) -> Error {
    ended(error)
}

/// An error after which a write may have been made.
pub(super) fn in_doubt(error: Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::TimedOut => ErrorKind::TimedOut,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "the cluster did not say whether the write was made; it may have been")
        .caused_by(error)
}

fn kind_of(error: FdbError) -> (ErrorKind, &'static str) {
    match error.code() {
        1004 | 1031 => (ErrorKind::TimedOut, "the cluster did not answer within timeout_ms"),
        1038 => (ErrorKind::Busy, "the database is locked, by a restore or by DR"),
        1020 => (ErrorKind::Busy, "other writers came first each time"),
        1007 => (ErrorKind::Unavailable, "the cluster was too slow for the transaction"),
        1515 => (
            ErrorKind::Invalid,
            "no cluster file was found; say where it is with cluster_file, or what is in it with cluster",
        ),
        1511 | 1513 => (ErrorKind::Invalid, "the cluster file cannot be read"),
        2104 => {
            (ErrorKind::Invalid, "what describes the cluster is not description:id@host:port,...")
        }
        2101 => {
            (ErrorKind::TooLarge, "the write is larger than a transaction of FoundationDB may be")
        }
        2102 => (ErrorKind::TooLarge, "a key is longer than FoundationDB's may be"),
        2103 => (ErrorKind::TooLarge, "a value is longer than FoundationDB's may be"),
        2107 => (ErrorKind::Unavailable, "TLS does not work with these certificates"),
        2006 | 2007 => (ErrorKind::Invalid, "the client library does not take a setting"),
        2100 | 2123..=2125 => (
            ErrorKind::Unsupported,
            "no client library here speaks the cluster's version; see external_clients",
        ),
        2201 => (
            ErrorKind::Unsupported,
            "another part of this process uses FoundationDB with another API version",
        ),
        2202 | 2203 => (ErrorKind::Unsupported, "the client library lacks the API version"),
        2204 => (ErrorKind::Unsupported, "the client library lacks a function"),
        6000..=6001 => (ErrorKind::Denied, "the cluster does not permit it"),
        1000..=1999 => (ErrorKind::Unavailable, "the cluster cannot be used just now"),
        _ if error.is_retryable() => {
            (ErrorKind::Unavailable, "the cluster cannot be used just now")
        }
        2000..=2299 => (ErrorKind::Internal, "FoundationDB refuses how it was called"),
        _ => (ErrorKind::Unavailable, "FoundationDB failed"),
    }
}

#[cfg(test)]
mod tests;
