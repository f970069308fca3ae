//! What the operating system's errors mean here.

use std::io;

use hozo_traits::{Error, ErrorKind};
use rustix::io::Errno;

/// The error for `cause`, which happened when `doing` something with `name`.
pub(super) fn map(cause: io::Error, doing: &'static str, name: &str) -> Error {
    use io::ErrorKind as K;
    let (kind, message) = match cause.kind() {
        K::NotFound => (ErrorKind::NotFound, "there is no such file"),
        K::AlreadyExists => (ErrorKind::Exists, "the file exists already"),
        K::StorageFull | K::QuotaExceeded => (
            ErrorKind::Unavailable,
            "the disk is full; free some space, then writing goes on by itself",
        ),
        K::PermissionDenied => (ErrorKind::Denied, "the file may not be used"),
        K::ReadOnlyFilesystem => (ErrorKind::ReadOnly, "the file system can only be read"),
        K::UnexpectedEof => (ErrorKind::Corrupt, "the file is shorter than it has to be"),
        K::FileTooLarge => (
            ErrorKind::Unavailable,
            "files may not become so large; raise the process's limit, as by `ulimit -f`",
        ),
        K::OutOfMemory => (
            ErrorKind::Unavailable,
            "the system has no more memory, or no more mappings for this process; \
             see `vm.max_map_count`",
        ),
        _ => (ErrorKind::Unavailable, other(&cause)),
    };
    Error::new(kind, message).with("doing", doing).with("file", name).caused_by(cause)
}

/// What has no kind of its own.
fn other(cause: &io::Error) -> &'static str {
    match Errno::from_io_error(cause) {
        Some(Errno::MFILE) => {
            "the process has too many files open; raise its limit, as by `ulimit -n`"
        }
        Some(Errno::NFILE) => "the system has too many files open; see `fs.file-max`",
        _ => "the disk does not answer as it should",
    }
}
