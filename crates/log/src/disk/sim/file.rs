//! Files of a simulated disk.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use hozo_traits::Result;

use super::super::{DiskFile, Mapping, error};
use super::{Content, Machine};

/// An open file.
pub(super) struct SimFile {
    pub(super) machine: Arc<Machine>,
    pub(super) content: Arc<Content>,
    pub(super) name: String,
}

impl SimFile {
    fn write(&self, at: u64, bytes: &[u8], doing: &'static str) -> Result<()> {
        self.machine.operation();
        let end = at + bytes.len() as u64;
        let grows_by = end.saturating_sub(self.content.len());
        // As a real disk does, which writes as far as it gets.
        let missing = grows_by - self.machine.space(grows_by);
        let fits = bytes.len() - (missing as usize).min(bytes.len());
        let written = self.content.file.write_all_at(&bytes[..fits], at);
        match missing {
            0 => written,
            _ => Err(io::ErrorKind::StorageFull.into()),
        }
        .map_err(|e| error::map(e, doing, &self.name))
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> Result<u64> {
        Ok(self.content.len())
    }

    fn allocate(&self, from: u64, to: u64) -> Result<()> {
        self.write(from, &vec![0; (to - from) as usize], "allocating space")
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<()> {
        self.write(at, bytes, "writing")
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> Result<()> {
        let read = self.content.file.read_exact_at(bytes, at);
        read.map_err(|e| error::map(e, "reading", &self.name))
    }

    fn map(&self, at: u64, len: usize) -> Result<Mapping> {
        let mapping = Mapping::new(&self.content.file, at, len);
        mapping.map_err(|e| error::map(e, "mapping", &self.name))
    }

    fn sync(&self) -> Result<()> {
        self.machine.operation();
        self.machine.sync().map_err(|e| error::map(e, "syncing", &self.name))?;
        let bytes = self.content.bytes();
        *self.content.synced.lock() = bytes;
        Ok(())
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.machine.operation();
        let done = self.content.file.set_len(len);
        done.map_err(|e| error::map(e, "changing the length", &self.name))
    }
}
