//! What a write transaction wrote and did not commit yet.

use std::collections::BTreeMap;

use bytes::Bytes;
use hozo_traits::PageSize;

/// The uncommitted difference between a snapshot and the file as SQLite sees it.
///
/// Blocks have the size with which SQLite wrote first in the transaction. That
/// is the page size, except in a transaction that changes it: `VACUUM` copies
/// with the old size what has the new one (`sqlite3_backup_step` with
/// `pgszSrc != pgszDest`).
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) active: bool,
    /// Bytes in a block.
    pub(crate) unit: u32,
    /// Blocks by number, from 1.
    pub(crate) blocks: BTreeMap<u32, Block>,
    /// Bytes of blocks in memory.
    pub(crate) memory_bytes: usize,
    /// The file's size now.
    pub(crate) size: u64,
    /// What the snapshot has from here on was truncated away.
    pub(crate) base_limit: u64,
    /// Something was put into the store's stage, if only to be truncated away.
    pub(crate) staged: bool,
}

/// One written block.
pub(crate) enum Block {
    Memory {
        bytes: Bytes,
        /// An older image is in the stage, so this one must be written even if
        /// it equals the snapshot's.
        staged: bool,
    },
    Staged,
}

impl Pending {
    /// Begins over a snapshot of so many bytes.
    pub(crate) fn begin(&mut self, bytes: u64) {
        if !self.active {
            *self = Pending { active: true, size: bytes, base_limit: bytes, ..Pending::default() };
        }
    }

    /// Chooses the block size at the first write.
    pub(crate) fn choose_unit(&mut self, offset: u64, len: usize, page_size: PageSize) {
        if self.unit == 0 {
            let fits = u32::try_from(len).ok().and_then(|len| PageSize::new(len).ok());
            let whole = fits.filter(|size| offset.is_multiple_of(u64::from(size.get())));
            self.unit = whole.unwrap_or(page_size).get();
        }
    }

    /// Where a block begins.
    pub(crate) fn start(&self, block: u32) -> u64 {
        u64::from(block - 1) * u64::from(self.unit)
    }

    /// The block that has this byte.
    pub(crate) fn block_at(&self, offset: u64) -> u32 {
        (offset / u64::from(self.unit)) as u32 + 1
    }

    /// Writes a whole block, which does not change the file's size.
    pub(crate) fn put(&mut self, block: u32, bytes: Bytes) {
        debug_assert_eq!(bytes.len(), self.unit as usize);
        self.memory_bytes += bytes.len();
        let staged = match self.blocks.get(&block) {
            Some(Block::Memory { bytes, staged }) => {
                self.memory_bytes -= bytes.len();
                *staged
            }
            Some(Block::Staged) => true,
            // One that was staged and truncated away lies beyond what the
            // snapshot still has, and there everything is written.
            None => false,
        };
        self.blocks.insert(block, Block::Memory { bytes, staged });
    }

    /// Notes that a block's image is in the stage now.
    pub(crate) fn now_staged(&mut self, block: u32) {
        self.staged = true;
        if let Some(Block::Memory { bytes, .. }) = self.blocks.insert(block, Block::Staged) {
            self.memory_bytes -= bytes.len();
        }
    }

    /// Cuts or extends the file; the last block must be whole.
    pub(crate) fn resize(&mut self, size: u64) {
        self.size = size;
        self.base_limit = self.base_limit.min(size);
        if self.unit == 0 {
            return;
        }
        let keep = size.div_ceil(u64::from(self.unit)) as u32;
        for (_, gone) in self.blocks.split_off(&keep.saturating_add(1)) {
            if let Block::Memory { bytes, .. } = gone {
                self.memory_bytes -= bytes.len();
            }
        }
    }
}
