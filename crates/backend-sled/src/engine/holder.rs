//! Who has a store open.
//!
//! sled locks its log with `flock`, which does not tell by whom it is held; the
//! system's table of locks does.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use hozo_directory::command_of;
use hozo_traits::{Error, ErrorKind};

use crate::directory::LOG_FILE;

/// The error for a store that is open elsewhere.
pub(super) fn busy(path: &Path, waited: Duration) -> Error {
    let pid = holder(&path.join(LOG_FILE));
    let what = match pid {
        Some(pid) if pid == std::process::id() => {
            "the store is open already, in this same process; share that one"
        }
        _ => "another process has the store open",
    };
    let mut error = Error::new(ErrorKind::Busy, what).with("path", path.display());
    if let Some(pid) = pid {
        error = error.with("pid", pid);
        if let Some(command) = command_of(pid) {
            error = error.with("command", command);
        }
    }
    error.with("waited ms", waited.as_millis())
}

/// The process that has locked the file, where the system tells.
fn holder(file: &Path) -> Option<u32> {
    let inode = fs::metadata(file).ok()?.ino();
    let table = fs::read_to_string("/proc/locks").ok()?;
    table.lines().find_map(|line| locked_by(line, inode))
}

/// Who holds the lock of a line like
/// `1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF`, if it is on that inode.
fn locked_by(line: &str, inode: u64) -> Option<u32> {
    let mut words = line.split_ascii_whitespace().skip(1);
    if words.next() != Some("FLOCK") {
        return None;
    }
    let pid = words.nth(2)?.parse().ok()?;
    let place: u64 = words.next()?.rsplit(':').next()?.parse().ok()?;
    // One in another container has no number here.
    (place == inode && pid > 0).then_some(pid)
}
