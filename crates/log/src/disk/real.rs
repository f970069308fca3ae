//! Files of the operating system.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hozo_traits::{Error, ErrorKind, Result};

use super::{Disk, DiskFile, Mapping, error};

/// How much is zeroed in one call.
const ZEROS_BYTES: usize = 256 << 10;

static ZEROS: [u8; ZEROS_BYTES] = [0; ZEROS_BYTES];

/// A directory of the operating system.
pub struct RealDisk {
    path: PathBuf,
    /// Nothing may be changed.
    read_only: bool,
}

impl RealDisk {
    /// The directory at `path`, created with its parents when missing.
    pub fn open(path: &Path) -> Result<RealDisk> {
        let disk = RealDisk { path: path.to_owned(), read_only: false };
        if !path.is_dir() {
            std::fs::create_dir_all(path).map_err(|e| disk.error(e, "creating a directory", ""))?;
            // Without its name in the parent the whole directory can vanish.
            if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
                let synced = File::open(parent).and_then(|dir| dir.sync_all());
                synced.map_err(|e| disk.error(e, "syncing the parent of a directory", ""))?;
            }
        }
        Ok(disk)
    }

    /// The directory at `path`, which has to be there, to be read only: nothing in
    /// it can be changed through this, and nothing needs to be allowed to.
    pub fn read_only(path: &Path) -> RealDisk {
        RealDisk { path: path.to_owned(), read_only: true }
    }

    fn refuse_read_only(&self) -> Result<()> {
        match self.read_only {
            false => Ok(()),
            true => {
                Err(Error::new(ErrorKind::ReadOnly, "the directory was opened to be read only")
                    .with("path", self.path.display()))
            }
        }
    }

    fn error(&self, cause: io::Error, doing: &'static str, name: &str) -> hozo_traits::Error {
        error::map(cause, doing, &self.path.join(name).to_string_lossy())
    }

    fn file(&self, options: &OpenOptions, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.path.join(name);
        let file = options.open(&path)?;
        Ok(Arc::new(RealFile { file, path }))
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        self.file(OpenOptions::new().read(true).write(!self.read_only), name)
            .map_err(|e| self.error(e, "opening", name))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        self.refuse_read_only()?;
        self.file(OpenOptions::new().read(true).write(true).create_new(true), name)
            .map_err(|e| self.error(e, "creating", name))
    }

    fn list(&self) -> Result<Vec<String>> {
        let read = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(&self.path)? {
                let entry = entry?;
                // A name that is no text is none of ours.
                if let (true, Ok(name)) =
                    (entry.file_type()?.is_file(), entry.file_name().into_string())
                {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        };
        read().map_err(|e| self.error(e, "listing", ""))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.refuse_read_only()?;
        std::fs::rename(self.path.join(from), self.path.join(to))
            .map_err(|e| self.error(e, "renaming", from))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.refuse_read_only()?;
        std::fs::remove_file(self.path.join(name)).map_err(|e| self.error(e, "removing", name))
    }

    fn sync_dir(&self) -> Result<()> {
        self.refuse_read_only()?;
        File::open(&self.path)
            .and_then(|dir| dir.sync_all())
            .map_err(|e| self.error(e, "syncing the directory", ""))
    }

    fn subdir(&self, name: &str) -> Result<Arc<dyn Disk>> {
        self.refuse_read_only()?;
        Ok(Arc::new(RealDisk::open(&self.path.join(name))?))
    }
}

struct RealFile {
    file: File,
    path: PathBuf,
}

impl RealFile {
    fn error(&self, cause: io::Error, doing: &'static str) -> hozo_traits::Error {
        error::map(cause, doing, &self.path.to_string_lossy())
    }
}

impl DiskFile for RealFile {
    fn len(&self) -> Result<u64> {
        let metadata = self.file.metadata().map_err(|e| self.error(e, "asking for the length"))?;
        Ok(metadata.len())
    }

    fn allocate(&self, from: u64, to: u64) -> Result<()> {
        // Blocks that hold written zeros are as good as used ones, also for
        // the journal: a sync of data in them changes no metadata. Blocks from
        // `fallocate` are marked as unwritten, which each sync has to undo.
        let mut at = from;
        while at < to {
            let len = (to - at).min(ZEROS_BYTES as u64);
            self.file
                .write_all_at(&ZEROS[..len as usize], at)
                .map_err(|e| self.error(e, "allocating space"))?;
            at += len;
        }
        Ok(())
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, at).map_err(|e| self.error(e, "writing"))
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(bytes, at).map_err(|e| self.error(e, "reading"))
    }

    fn map(&self, at: u64, len: usize) -> Result<Mapping> {
        Mapping::new(&self.file, at, len).map_err(|e| self.error(e, "mapping"))
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| self.error(e, "syncing"))
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(|e| self.error(e, "changing the length"))
    }
}
