//! RocksDB's errors as ours: a total map, and never "not found".

use std::path::Path;

use hozo_traits::{Error, ErrorKind};
use rocksdb::{Error as RocksError, ErrorKind as RocksKind};

pub(super) fn reading(error: RocksError) -> Error {
    what(error, |kind| match kind {
        ErrorKind::Corrupt => "the store is damaged; restore it from a copy",
        _ => "the store cannot be read",
    })
}

pub(super) fn writing(error: RocksError) -> Error {
    what(error, |kind| match kind {
        ErrorKind::Corrupt => "the store is damaged; restore it from a copy",
        _ => "the store cannot be written",
    })
}

pub(super) fn opening(error: RocksError, path: &Path) -> Error {
    what(error, |kind| match kind {
        ErrorKind::Corrupt => "the store is damaged; restore it from a copy",
        ErrorKind::Busy => "another process has the store open",
        _ => "the store cannot be opened",
    })
    .with("path", path.display())
}

fn what(error: RocksError, sentence: fn(ErrorKind) -> &'static str) -> Error {
    let text = error.to_string();
    let kind = kind_of(error.kind(), &text);
    let sentence =
        if is_disk_full(&text) { "the disk is full; make room and reopen" } else { sentence(kind) };
    Error::new(kind, sentence).caused_by(error)
}

fn is_disk_full(text: &str) -> bool {
    text.contains("No space left on device") || text.contains("Disk quota exceeded")
}

/// The kind of one of RocksDB's errors. Its input and output errors are told
/// apart by the operating system's words, the only place where they are.
fn kind_of(kind: RocksKind, text: &str) -> ErrorKind {
    match kind {
        RocksKind::Corruption => ErrorKind::Corrupt,
        RocksKind::IOError if text.contains("lock file") || text.contains("lock hold by") => {
            ErrorKind::Busy
        }
        RocksKind::IOError
            if text.contains("Permission denied") || text.contains("Read-only file system") =>
        {
            ErrorKind::Denied
        }
        // A file that RocksDB knows of has gone.
        RocksKind::IOError if text.contains("No such file or directory") => ErrorKind::Corrupt,
        RocksKind::IOError => ErrorKind::Unavailable,
        RocksKind::TimedOut => ErrorKind::TimedOut,
        RocksKind::Busy => ErrorKind::Busy,
        RocksKind::NotSupported => ErrorKind::Unsupported,
        // On opening, what is stored does not fit what is asked for, such as a
        // column family that is missing.
        RocksKind::InvalidArgument => ErrorKind::Corrupt,
        RocksKind::Incomplete
        | RocksKind::ShutdownInProgress
        | RocksKind::Aborted
        | RocksKind::Expired
        | RocksKind::TryAgain => ErrorKind::Unavailable,
        // Nothing that we ask for answers these.
        RocksKind::NotFound
        | RocksKind::MergeInProgress
        | RocksKind::CompactionTooLarge
        | RocksKind::ColumnFamilyDropped
        | RocksKind::Unknown => ErrorKind::Internal,
    }
}

#[cfg(test)]
mod tests;
