//! How far a store had come when it was last opened or closed.

use std::fmt::Write as _;
use std::path::Path;

use hozo_directory::{io_error, read_text, replace_text};
use hozo_traits::{Error, ErrorKind, Result};

use super::CURRENT_FILE;

const SEAL_FILE: &str = "SEAL";

/// A lower bound of what must be there. It is synced after what it speaks of,
/// and may be old: a crash leaves that of the opening.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seal {
    /// The last of RocksDB's sequence numbers that is on stable storage.
    pub(crate) sequence: u64,
    /// The manifest in force.
    pub(crate) manifest: String,
    /// How long it was; manifests only grow.
    pub(crate) manifest_bytes: u64,
}

pub(super) fn exists(directory: &Path) -> bool {
    directory.join(SEAL_FILE).exists()
}

impl Seal {
    /// What the directory's manifest looks like now, with this sequence number.
    pub(crate) fn observe(directory: &Path, sequence: u64) -> Result<Seal> {
        let current = directory.join(CURRENT_FILE);
        let manifest = std::fs::read_to_string(&current)
            .map_err(|e| io_error(e, "a file of the store cannot be read", &current))?
            .trim_end()
            .to_owned();
        let number = manifest.strip_prefix("MANIFEST-").unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the store's file CURRENT is damaged; nothing was changed, restore it from a copy",
            )
            .with("file", current.display()));
        }
        let path = directory.join(&manifest);
        let about = std::fs::metadata(&path).map_err(|e| {
            Error::new(
                ErrorKind::Corrupt,
                "the manifest that CURRENT names is missing; restore the store from a copy",
            )
            .with("path", path.display())
            .caused_by(e)
        })?;
        Ok(Seal { sequence, manifest, manifest_bytes: about.len() })
    }

    /// The seal that is there; `None` if the store was never opened to the end.
    pub(crate) fn read(directory: &Path) -> Result<Option<Seal>> {
        let path = directory.join(SEAL_FILE);
        let Some(text) = read_text(&path)? else { return Ok(None) };
        match Seal::parse(&text) {
            Some(seal) => Ok(Some(seal)),
            None => Err(Error::new(
                ErrorKind::Corrupt,
                "the store's seal is damaged; if nothing else is, delete it: \
                 it only tells how far the store had come",
            )
            .with("file", path.display())),
        }
    }

    /// Replaces the seal. What it speaks of must have been synced.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        replace_text(directory, SEAL_FILE, &self.text())
    }

    /// Refuses a store that opened, but has lost commits that were durable.
    pub(crate) fn check_sequence(&self, directory: &Path, sequence: u64) -> Result<()> {
        if sequence >= self.sequence {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Corrupt,
            "the store has lost commits that were on stable storage; restore it from a copy",
        )
        .with("path", directory.display())
        .with("sequence", sequence)
        .with("was", self.sequence))
    }

    fn text(&self) -> String {
        let mut text = format!(
            "sequence {}\nmanifest {} {}\n",
            self.sequence, self.manifest, self.manifest_bytes
        );
        let sum = crc32c::crc32c(text.as_bytes());
        let _ = writeln!(text, "check {sum:08x}");
        text
    }

    fn parse(text: &str) -> Option<Seal> {
        let body_end = text.find("check ")?;
        let (body, check) = text.split_at(body_end);
        let sum =
            u32::from_str_radix(check.strip_prefix("check ")?.strip_suffix('\n')?, 16).ok()?;
        if sum != crc32c::crc32c(body.as_bytes()) {
            return None;
        }
        let mut lines = body.lines();
        let sequence = lines.next()?.strip_prefix("sequence ")?.parse().ok()?;
        let (manifest, bytes) = lines.next()?.strip_prefix("manifest ")?.rsplit_once(' ')?;
        let manifest_bytes = bytes.parse().ok()?;
        Some(Seal { sequence, manifest: manifest.to_owned(), manifest_bytes })
    }
}
