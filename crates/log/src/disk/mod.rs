//! The file layer: real files, and for tests files that crash.
//!
//! What the engine may assume of a disk is what these traits say, and no more:
//! between two [`DiskFile::sync`] any part of what was written may have reached
//! the disk or not, in any order, and the same holds for the names in a
//! directory between two [`Disk::sync_dir`].

mod error;
mod map;
mod real;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hozo_traits::Result;

pub use map::Mapping;
pub use real::RealDisk;

/// A directory of files.
pub trait Disk: Send + Sync {
    /// Opens a file that exists; [`NotFound`](hozo_traits::ErrorKind::NotFound)
    /// when it does not.
    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>>;

    /// Creates an empty file; [`Exists`](hozo_traits::ErrorKind::Exists) when
    /// the name is taken.
    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>>;

    /// The names of the files in the directory, sorted; no directories.
    fn list(&self) -> Result<Vec<String>>;

    /// Gives a file another name, in place of what had that name.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Removes a file; what is open or mapped stays usable.
    fn remove(&self, name: &str) -> Result<()>;

    /// Makes creations, renames and removals so far survive a power loss.
    fn sync_dir(&self) -> Result<()>;

    /// The directory of this name in this one, created durably when missing.
    fn subdir(&self, name: &str) -> Result<Arc<dyn Disk>>;
}

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "nobody asks whether it is empty")]
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> Result<u64>;

    /// Writes zeros from `from` to `to`, so that every byte really has space: a
    /// full disk is an error here, never a SIGBUS in a mapping later. After an
    /// error the file may have grown by a part.
    fn allocate(&self, from: u64, to: u64) -> Result<()>;

    /// Writes all of `bytes`; the file grows if need be.
    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<()>;

    /// Fills all of `bytes`; an error when the file ends before that.
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> Result<()>;

    /// Maps `len` bytes from `at`, a multiple of the page size, shared and
    /// writable. It may reach beyond the file's end: only what lies below the
    /// end may be touched.
    fn map(&self, at: u64, len: usize) -> Result<Mapping>;

    /// Makes the content survive a power loss, with the length, and with what
    /// was written through mappings. After a failure nobody knows what did.
    fn sync(&self) -> Result<()>;

    /// Cuts the file, or lets it grow without space.
    fn truncate(&self, len: u64) -> Result<()>;
}
