//! What every backend with a directory of its own does with it: make it,
//! refuse one that is something else, mark it, lock it.
//!
//! A store's directory has a file `HOZO`, a few lines of text that say that it
//! is a store, of which backend and in which format. It is written last when a
//! store is made, so a directory without it never held anything.
#![forbid(unsafe_code)]

mod lock;
mod marker;

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hozo_traits::{Error, ErrorKind, Result};

pub use lock::{Lock, command_of};
pub use marker::{MARKER_FILE, Marker, refuse_foreign};

/// Larger files of text are not ours.
const TEXT_BYTES_MAX: u64 = 4096;

/// Makes the directory if it is not there, durably, for this user alone.
///
/// Something there that is no directory is [`Invalid`](ErrorKind::Invalid).
pub fn make(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(about) if about.is_dir() => return Ok(()),
        Ok(_) => {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the store's path is not a directory; a store is a directory of its own",
            )
            .with("path", path.display()));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(io_error(e, "the store's directory cannot be reached", path)),
    }
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
    parents.iter().try_for_each(|parent| sync(parent))
}

/// Puts what a directory has been entered in it on stable storage.
pub fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|d| d.sync_all())
        .map_err(|e| io_error(e, "a directory cannot be synced", path))
}

/// The text of a small file; `None` if it is not there. What is too long or no
/// text is answered as text that is not what was written.
pub fn read_text(path: &Path) -> Result<Option<String>> {
    let read = || -> io::Result<Option<String>> {
        match std::fs::metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(about) if about.len() <= TEXT_BYTES_MAX => {}
            Ok(_) => return Ok(Some(String::new())),
            Err(e) => return Err(e),
        }
        Ok(Some(String::from_utf8_lossy(&std::fs::read(path)?).into_owned()))
    };
    read().map_err(|e| io_error(e, "a file of the store cannot be read", path))
}

/// Writes a small file so that it is the old or the new one at any time. Its
/// name is durable after [`sync`].
pub fn replace_text(directory: &Path, name: &str, text: &str) -> Result<()> {
    let path = directory.join(name);
    let new = directory.join(temporary(name));
    let write = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        std::fs::rename(&new, &path)
    };
    write().map_err(|e| io_error(e, "a file of the store cannot be written", &path))
}

/// What [`replace_text`] calls a file until it is whole.
pub fn temporary(name: &str) -> String {
    format!("{name}.new")
}

/// An operating system's error about a file of a store.
pub fn io_error(error: io::Error, what: &'static str, path: &Path) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, what).with("path", path.display()).caused_by(error)
}

#[cfg(test)]
mod tests;
