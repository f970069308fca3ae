//! sled's errors as ours: a total map, and never "not found". Its panics too.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hozo_traits::{Error, ErrorKind, Result};

/// What was being done when something went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doing {
    Opening,
    Reading,
    Writing,
}

/// What came of a call into sled.
pub(super) enum Came<T> {
    Back(sled::Result<T>),
    /// It panicked, with these words. What state it left behind, nobody knows.
    Down(String),
}

/// Calls sled, whose panics go no further.
pub(super) fn call<T>(f: impl FnOnce() -> sled::Result<T>) -> Came<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => Came::Back(result),
        Err(payload) => Came::Down(words(&*payload)),
    }
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("no words").to_owned()
}

/// A panic of sled as an error: one of its assertions about what is stored, or
/// about itself, does not hold.
pub(super) fn panicked(words: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "sled met something that it takes for impossible: the store is damaged, or sled has a \
         defect; open it again, and if that fails restore it from a copy",
    )
    // Its words may hold whole pages.
    .with("sled said", words.chars().take(WORDS_MAX).collect::<String>())
}

const WORDS_MAX: usize = 300;

/// sled's words for a store that is open elsewhere, the only place where it
/// says so.
pub(super) fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(e) if e.to_string().contains("could not acquire lock"))
}

pub(super) fn map(error: sled::Error, doing: Doing) -> Error {
    let (kind, full) = kind_of(&error);
    let what = match (kind, doing) {
        _ if full => "the disk is full; make room and reopen",
        (ErrorKind::Corrupt, _) => "the store is damaged; restore it from a copy",
        (_, Doing::Opening) => "the store cannot be opened",
        (_, Doing::Reading) => "the store cannot be read",
        (_, Doing::Writing) => "the store cannot be written",
    };
    Error::new(kind, what).caused_by(error)
}

/// The kind of one of sled's errors, and whether it is a full disk.
fn kind_of(error: &sled::Error) -> (ErrorKind, bool) {
    use sled::Error as E;
    let kind = match error {
        E::Io(e) => return kind_of_io(e),
        E::Corruption { .. } => ErrorKind::Corrupt,
        // The one collection that we use is always there.
        E::CollectionNotFound(_) => ErrorKind::Corrupt,
        // The store was made with other settings, or by another sled.
        E::Unsupported(_) => ErrorKind::Unsupported,
        E::ReportableBug(_) => ErrorKind::Internal,
    };
    (kind, false)
}

fn kind_of_io(error: &io::Error) -> (ErrorKind, bool) {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::Unavailable, true),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Denied, false)
        }
        // A file that sled knows of has gone or is too short, or what is in it
        // is no number or text.
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
            (ErrorKind::Corrupt, false)
        }
        _ => (ErrorKind::Unavailable, false),
    }
}

/// The result of a call; `down` is told if it panicked.
pub(super) fn settle<T>(came: Came<T>, doing: Doing, down: impl FnOnce()) -> Result<T> {
    match came {
        Came::Back(result) => result.map_err(|e| map(e, doing)),
        Came::Down(words) => {
            down();
            Err(panicked(&words))
        }
    }
}

#[cfg(test)]
mod tests;
