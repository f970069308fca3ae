use std::io;

use hozo_traits::{Error, ErrorKind};

use super::{code, code_at_open, code_of};
use crate::ffi;

#[test]
fn every_kind_has_a_code_that_is_an_error() {
    for kind in ErrorKind::ALL {
        for code in [code(kind), code_at_open(kind)] {
            assert_ne!(code, ffi::SQLITE_OK, "{kind:?}");
            assert_ne!(code, ffi::SQLITE_NOTFOUND, "{kind:?}: would mean 'go on' to the pager");
        }
    }
}

#[test]
fn conflicts_and_waits_are_busy_and_nothing_else_is() {
    for kind in ErrorKind::ALL {
        let busy = matches!(kind, ErrorKind::Conflict | ErrorKind::Busy);
        assert_eq!(code(kind) & 0xff == ffi::SQLITE_BUSY, busy, "{kind:?}");
    }
    // Plain BUSY from a commit would keep the transaction open, so that a
    // repeated COMMIT could succeed with nothing stored.
    assert_eq!(code(ErrorKind::Conflict), ffi::SQLITE_BUSY_SNAPSHOT);
}

#[test]
fn what_ends_a_transaction_is_an_io_error() {
    for kind in [ErrorKind::Unavailable, ErrorKind::TimedOut, ErrorKind::Internal] {
        assert_eq!(code(kind) & 0xff, ffi::SQLITE_IOERR);
    }
    assert_eq!(code(ErrorKind::ReadOnly), ffi::SQLITE_READONLY);
    assert_eq!(code(ErrorKind::TooLarge), ffi::SQLITE_FULL);
    assert_eq!(code(ErrorKind::Corrupt), ffi::SQLITE_CORRUPT);
    assert_eq!(code_at_open(ErrorKind::NotFound), ffi::SQLITE_CANTOPEN);
}

#[test]
fn a_full_disk_is_said_to_be_full_however_deep_the_cause() {
    let unavailable = |kind: io::ErrorKind| {
        Error::new(ErrorKind::Unavailable, "cannot be written").caused_by(io::Error::from(kind))
    };
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        assert_eq!(code_of(&unavailable(kind)), ffi::SQLITE_FULL);
        let above = Error::new(ErrorKind::Unavailable, "above").caused_by(unavailable(kind));
        assert_eq!(code_of(&above), ffi::SQLITE_FULL);
    }
    assert_eq!(code_of(&unavailable(io::ErrorKind::NotConnected)), ffi::SQLITE_IOERR);
    assert_eq!(code_of(&Error::new(ErrorKind::Conflict, "first")), ffi::SQLITE_BUSY_SNAPSHOT);
}
