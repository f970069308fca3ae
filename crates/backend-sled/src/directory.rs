//! A store's directory: what it is, before sled touches it.
//!
//! Beside sled's files there is one of ours, a few lines of text: `HOZO` says
//! that the directory is a store, of which backend and in which format.

use std::fs;
use std::io;
use std::path::Path;

use hozo_directory::{Marker, io_error};
use hozo_traits::{Error, ErrorKind, Result};

/// sled's log, in which everything is but large values.
pub(crate) const LOG_FILE: &str = "db";
/// Where sled keeps values that are too large for its log, a file each.
pub(crate) const BLOBS: &str = "blobs";
/// sled's settings that cannot change.
const SETTINGS_FILE: &str = "conf";
/// What sled's names for its indexes begin with.
const SNAPSHOT_PREFIX: &str = "snap.";
/// What a store's directory is marked with. The format covers what is in sled
/// as well as the file beside it.
const MARKER: Marker = Marker { backend: crate::NAME, format: 1 };

/// Makes the directory if it is not there, refuses one that is something else,
/// and marks it as a store.
pub(crate) fn prepare(path: &Path) -> Result<()> {
    hozo_directory::make(path)?;
    if MARKER.is_on(path)? {
        return check_files(path);
    }
    hozo_directory::refuse_foreign(path, |_| false)?;
    MARKER.put_on(path)
}

/// Refuses a store that has lost its log: sled would answer with a new, empty
/// one. A log in which nothing ever was is made again with its settings, which
/// a process that died may have left half written.
fn check_files(path: &Path) -> Result<()> {
    let log = path.join(LOG_FILE);
    match fs::metadata(&log) {
        Ok(about) if about.len() > 0 => return Ok(()),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(io_error(e, "a file of the store cannot be read", &log)),
    }
    let unreadable = |e| io_error(e, "the store's directory cannot be read", path);
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if name.to_string_lossy().starts_with(SNAPSHOT_PREFIX) {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the store's log is missing or empty; nothing was changed, restore it from a copy",
            )
            .with("file", log.display()));
        }
    }
    let settings = path.join(SETTINGS_FILE);
    match fs::remove_file(&settings) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(io_error(e, "a file of the store cannot be made again", &settings))
        }
        _ => Ok(()),
    }
}
