//! The file that says what a directory is.

use std::fs;
use std::path::Path;

use hozo_traits::{Error, ErrorKind, Result};

use crate::{io_error, read_text, replace_text, sync, temporary};

/// The file that marks a store.
pub const MARKER_FILE: &str = "HOZO";
/// What it begins with, whatever the backend.
const MAGIC: &str = "hozo store";

/// What a directory of a backend is marked with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marker {
    /// The backend's name.
    pub backend: &'static str,
    /// The format that this code writes, and the newest that it reads.
    pub format: u32,
}

impl Marker {
    /// Whether the directory is a store of this backend. One of another
    /// backend is [`Invalid`](ErrorKind::Invalid), one of a newer format
    /// [`Unsupported`](ErrorKind::Unsupported), a damaged mark
    /// [`Corrupt`](ErrorKind::Corrupt).
    pub fn is_on(&self, directory: &Path) -> Result<bool> {
        let path = directory.join(MARKER_FILE);
        match read_text(&path)? {
            Some(text) => self.check(&text, &path).map(|()| true),
            None => Ok(false),
        }
    }

    /// Marks the directory, durably.
    pub fn put_on(&self, directory: &Path) -> Result<()> {
        if directory.join(MARKER_FILE).exists() {
            return Ok(());
        }
        let text = format!("{MAGIC}\nbackend {}\nformat {}\n", self.backend, self.format);
        replace_text(directory, MARKER_FILE, &text)?;
        sync(directory)
    }

    fn check(&self, text: &str, marker: &Path) -> Result<()> {
        let damaged = || {
            Error::new(
                ErrorKind::Corrupt,
                "the file that marks a Hozo store is damaged; restore it from a copy",
            )
            .with("file", marker.display())
        };
        let mut lines = text.lines();
        let (magic, backend, format) = (lines.next(), lines.next(), lines.next());
        if magic != Some(MAGIC) {
            return Err(damaged());
        }
        let backend = backend.and_then(|l| l.strip_prefix("backend ")).ok_or_else(damaged)?;
        if backend != self.backend {
            return Err(Error::new(ErrorKind::Invalid, "the store was made by another backend")
                .with("path", marker.display())
                .with("backend", backend)
                .with("expected", self.backend));
        }
        let format = format.and_then(|l| l.strip_prefix("format ")).ok_or_else(damaged)?;
        let format: u32 = format.parse().map_err(|_| damaged())?;
        match format {
            0 => Err(damaged()),
            known if known <= self.format => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                "the store has a newer format; open it with a newer Hozo",
            )
            .with("path", marker.display())
            .with("format", format)
            .with("newest known", self.format)),
        }
    }
}

/// Something in a directory without a mark that the making of a store does not
/// leave there: `ours` says of a name whether it does. The first by name.
fn foreign_entry(directory: &Path, ours: impl Fn(&str) -> bool) -> Result<Option<String>> {
    let unreadable = |e| io_error(e, "the store's directory cannot be read", directory);
    let mut foreign: Option<String> = None;
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if name != "lost+found" && name != temporary(MARKER_FILE) && !ours(&name) {
            foreign = Some(foreign.map_or(name.clone(), |other| other.min(name)));
        }
    }
    Ok(foreign)
}

/// Refuses a directory without a mark that holds something else; `ours` says
/// of a name whether the making of a store leaves it there.
pub fn refuse_foreign(directory: &Path, ours: impl Fn(&str) -> bool) -> Result<()> {
    match foreign_entry(directory, ours)? {
        None => Ok(()),
        Some(entry) => Err(Error::new(
            ErrorKind::Invalid,
            "the directory is neither a Hozo store nor empty; \
             give the store a directory of its own",
        )
        .with("path", directory.display())
        .with("it has", entry)),
    }
}
