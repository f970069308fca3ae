//! A store's directory: which one it is, and what was last known of it.
//!
//! Beside RocksDB's files there are two of ours, both a few lines of text.
//! `HOZO` says that the directory is a store, of which backend and in which
//! format. `SEAL` says how far the store had come when it was last opened or
//! closed: whatever is found later must reach at least that far.

use std::fs;
use std::path::Path;

use hozo_directory::{Marker, io_error};
use hozo_traits::{Error, ErrorKind, Result};

pub(crate) use self::seal::Seal;

mod seal;

/// RocksDB's lock file, which is ours too: so it keeps RocksDB's tools out as
/// well.
pub(crate) const LOCK_FILE: &str = "LOCK";
/// What a store's directory is marked with. The format covers what is in
/// RocksDB as well as the files beside it.
const MARKER: Marker = Marker { backend: crate::NAME, format: 1 };
/// RocksDB's pointer to its manifest: without it there is no database.
const CURRENT_FILE: &str = "CURRENT";

/// What kind of directory was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Nothing, or a store whose making was interrupted: nothing was ever
    /// committed to it.
    New,
    /// A store.
    Store,
}

/// Makes the directory if it is not there, and refuses one that is something
/// else, before anything is written into it.
pub(crate) fn prepare(path: &Path) -> Result<()> {
    hozo_directory::make(path)?;
    inspect(path).map(drop)
}

/// What the directory is. Called again once it is locked.
pub(crate) fn inspect(path: &Path) -> Result<Found> {
    let has_database = path.join(CURRENT_FILE).exists();
    if !MARKER.is_on(path)? {
        if has_database {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the directory is a RocksDB database that Hozo did not make; \
                 give the store a directory of its own",
            )
            .with("path", path.display())
            .with("it has", CURRENT_FILE));
        }
        hozo_directory::refuse_foreign(path, |name| name == LOCK_FILE)?;
        return Ok(Found::New);
    }
    if has_database {
        return Ok(Found::Store);
    }
    // RocksDB would answer a missing CURRENT with a new, empty database and
    // then clear away the files of the old one.
    if seal::exists(path) || has_data(path)? {
        return Err(Error::new(
            ErrorKind::Corrupt,
            "the store's file CURRENT is missing; nothing was changed, restore it from a copy",
        )
        .with("path", path.display()));
    }
    Ok(Found::New)
}

/// Marks the directory as a store.
pub(crate) fn mark(path: &Path) -> Result<()> {
    MARKER.put_on(path)
}

/// Whether there is a table or a log with something in it.
fn has_data(path: &Path) -> Result<bool> {
    let unreadable = |e| io_error(e, "the store's directory cannot be read", path);
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".sst") || name.ends_with(".log") {
            return Ok(true);
        }
    }
    Ok(false)
}
