//! A store's directory: which one it is, and what was last known of it.
//!
//! Beside RocksDB's files there are two of ours, both a few lines of text.
//! `HOZO` says that the directory is a store, of which backend and in which
//! format. `SEAL` says how far the store had come when it was last opened or
//! closed: whatever is found later must reach at least that far.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hozo_traits::{Error, ErrorKind, Result};

pub(crate) use self::seal::Seal;

mod seal;

/// RocksDB's lock file, which is ours too.
pub(crate) const LOCK_FILE: &str = "LOCK";
const MARKER_FILE: &str = "HOZO";
/// What the marker begins with, whatever the backend.
const MARKER_MAGIC: &str = "hozo store";
/// The format that this code writes, and the newest that it reads. It covers
/// what is in RocksDB as well as the files beside it.
const FORMAT: u32 = 1;
/// RocksDB's pointer to its manifest: without it there is no database.
const CURRENT_FILE: &str = "CURRENT";
/// Larger files are not ours.
const OWN_FILE_BYTES_MAX: u64 = 4096;

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
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => {}
        Ok(_) => {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the store's path is not a directory; a store is a directory of its own",
            )
            .with("path", path.display()));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => make(path)?,
        Err(e) => return Err(io_error(e, "the store's directory cannot be reached", path)),
    }
    inspect(path).map(drop)
}

fn make(path: &Path) -> Result<()> {
    // What the missing directories are entered in, to be synced afterwards:
    // a store that is gone after a power cut was never durable.
    let mut parents: Vec<PathBuf> = Vec::new();
    let mut at = path;
    while let Some(parent) = at.parent() {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        parents.push(parent.to_owned());
        if parent.exists() {
            break;
        }
        at = parent;
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| io_error(e, "the store's directory cannot be made", path))?;
    parents.iter().try_for_each(|parent| sync_directory(parent))
}

/// What the directory is. Called again once it is locked.
pub(crate) fn inspect(path: &Path) -> Result<Found> {
    let marker = path.join(MARKER_FILE);
    let Some(text) = read_own(&marker)? else {
        return match foreign_entry(path)? {
            None => Ok(Found::New),
            Some(entry) => Err(Error::new(
                ErrorKind::Invalid,
                if entry == CURRENT_FILE {
                    "the directory is a RocksDB database that Hozo did not make; \
                     give the store a directory of its own"
                } else {
                    "the directory is neither a Hozo store nor empty; \
                     give the store a directory of its own"
                },
            )
            .with("path", path.display())
            .with("it has", entry)),
        };
    };
    check_marker(&text, &marker)?;
    if path.join(CURRENT_FILE).exists() {
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
    if path.join(MARKER_FILE).exists() {
        return Ok(());
    }
    let text = format!("{MARKER_MAGIC}\nbackend {}\nformat {FORMAT}\n", crate::NAME);
    replace(path, MARKER_FILE, &text)?;
    sync_directory(path)
}

fn check_marker(text: &str, marker: &Path) -> Result<()> {
    let damaged = || {
        Error::new(
            ErrorKind::Corrupt,
            "the file that marks a Hozo store is damaged; restore it from a copy",
        )
        .with("file", marker.display())
    };
    let mut lines = text.lines();
    let (magic, backend, format) = (lines.next(), lines.next(), lines.next());
    if magic != Some(MARKER_MAGIC) {
        return Err(damaged());
    }
    let backend = backend.and_then(|l| l.strip_prefix("backend ")).ok_or_else(damaged)?;
    if backend != crate::NAME {
        return Err(Error::new(ErrorKind::Invalid, "the store was made by another backend")
            .with("path", marker.display())
            .with("backend", backend)
            .with("expected", crate::NAME));
    }
    let format = format.and_then(|l| l.strip_prefix("format ")).ok_or_else(damaged)?;
    let format: u32 = format.parse().map_err(|_| damaged())?;
    match format {
        0 => Err(damaged()),
        FORMAT => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Unsupported,
            "the store has a newer format; open it with a newer Hozo",
        )
        .with("path", marker.display())
        .with("format", format)
        .with("newest known", FORMAT)),
    }
}

/// Something in the directory that a store's making does not leave there.
fn foreign_entry(path: &Path) -> Result<Option<String>> {
    let unreadable = |e| io_error(e, "the store's directory cannot be read", path);
    let ours = [LOCK_FILE, &temporary(MARKER_FILE), "lost+found"].map(str::to_owned);
    let mut foreign: Option<String> = None;
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if name == CURRENT_FILE {
            return Ok(Some(name));
        }
        if !ours.contains(&name) {
            foreign = Some(foreign.map_or(name.clone(), |other| other.min(name)));
        }
    }
    Ok(foreign)
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

fn temporary(name: &str) -> String {
    format!("{name}.new")
}

/// The text of one of our own files; `None` if it is not there.
fn read_own(path: &Path) -> Result<Option<String>> {
    let read = || -> io::Result<Option<String>> {
        match fs::metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(about) if about.len() <= OWN_FILE_BYTES_MAX => {}
            Ok(_) => return Ok(Some(String::new())),
            Err(e) => return Err(e),
        }
        // Bytes that are no text are damage, which the caller finds and names.
        Ok(Some(String::from_utf8_lossy(&fs::read(path)?).into_owned()))
    };
    read().map_err(|e| io_error(e, "a file of the store cannot be read", path))
}

/// Writes one of our own files so that it is the old or the new one at any time.
fn replace(directory: &Path, name: &str, text: &str) -> Result<()> {
    let path = directory.join(name);
    let new = directory.join(temporary(name));
    let write = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, &path)
    };
    write().map_err(|e| io_error(e, "a file of the store cannot be written", &path))
}

pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|d| d.sync_all())
        .map_err(|e| io_error(e, "a directory cannot be synced", path))
}

/// An operating system's error about a file.
pub(crate) fn io_error(error: io::Error, what: &'static str, path: &Path) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, what).with("path", path.display()).caused_by(error)
}
