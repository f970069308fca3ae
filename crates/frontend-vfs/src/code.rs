//! The one map from Hozo's errors to SQLite's codes.

use std::error::Error as _;
use std::ffi::c_int;
use std::{fmt, io};

use hozo_traits::{Error, ErrorKind};

use crate::ffi;

/// Why a call of the VFS fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// `sqlite3_interrupt` was called while it waited.
    Interrupted,
    /// Something of Hozo failed.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

impl Failure {
    pub(crate) fn code(&self) -> c_int {
        match self {
            Failure::Interrupted => ffi::SQLITE_INTERRUPT,
            Failure::Error(error) => code_of(error),
        }
    }

    pub(crate) fn kind(&self) -> Option<ErrorKind> {
        match self {
            Failure::Interrupted => None,
            Failure::Error(error) => Some(error.kind()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Interrupted => f.write_str("interrupted"),
            Failure::Error(error) => error.fmt(f),
        }
    }
}

/// The code for an error in an open database: its kind's, but for a full disk,
/// for which SQLite has a code of its own.
pub(crate) fn code_of(error: &Error) -> c_int {
    if is_full_disk(error) { ffi::SQLITE_FULL } else { code(error.kind()) }
}

/// Whether the system, somewhere below, had no space.
fn is_full_disk(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            );
        }
        cause = error.source();
    }
    false
}

/// The code for a failure in an open database.
///
/// Those after which SQLite must not go on with the transaction are
/// `SQLITE_IOERR`, `SQLITE_FULL` or `SQLITE_INTERRUPT`: it rolls back the whole
/// transaction then (`isSpecialError` in `sqlite3VdbeHalt`).
pub(crate) fn code(kind: ErrorKind) -> c_int {
    match kind {
        ErrorKind::Conflict => ffi::SQLITE_BUSY_SNAPSHOT,
        ErrorKind::Busy => ffi::SQLITE_BUSY,
        ErrorKind::ReadOnly => ffi::SQLITE_READONLY,
        ErrorKind::TooLarge => ffi::SQLITE_FULL,
        ErrorKind::Corrupt => ffi::SQLITE_CORRUPT,
        ErrorKind::VersionGone => ffi::SQLITE_IOERR_READ,
        ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::Internal => ffi::SQLITE_IOERR,
        // The namespace was deleted while it was open.
        ErrorKind::NotFound => ffi::SQLITE_IOERR,
        ErrorKind::Unauthenticated => ffi::SQLITE_AUTH,
        ErrorKind::Denied => ffi::SQLITE_PERM,
        ErrorKind::Exists | ErrorKind::Unsupported | ErrorKind::Invalid => ffi::SQLITE_ERROR,
    }
}

/// The code for a failure to open: "unable to open database file" where the
/// name, and not the store, is what is wrong.
pub(crate) fn code_at_open(kind: ErrorKind) -> c_int {
    match kind {
        ErrorKind::NotFound
        | ErrorKind::Exists
        | ErrorKind::VersionGone
        | ErrorKind::Invalid
        | ErrorKind::Unsupported => ffi::SQLITE_CANTOPEN,
        other => code(other),
    }
}

#[cfg(test)]
mod tests;
