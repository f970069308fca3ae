//! What a checkpoint does with the pages.

use std::sync::atomic::Ordering;

use hozo_traits::{Error, ErrorKind, Result};

use super::{CHUNK_BYTES, CHUNK_PAGES, PageSet, Pager, Space};

/// From so many pages of a chunk on, all of it is let go before a sync.
const PAGES_MANY: u32 = 64;

/// What one checkpoint has to write: made by [`Pager::freeze`].
#[must_use]
pub(crate) struct Frozen {
    epoch: u32,
    dirty: PageSet,
}

impl Frozen {
    /// The epoch that ended: what [`Pager::open`] is to be told, so what the
    /// roots have to keep.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }
}

impl Pager {
    /// Ends the epoch: no page of it changes again. The caller holds every
    /// lock under which pages are written.
    pub(crate) fn freeze(&self) -> Frozen {
        let mut space = self.space.lock();
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel);
        Frozen { epoch, dirty: std::mem::take(&mut space.dirty) }
    }

    /// Brings what was frozen to stable storage. After a failure nobody knows
    /// what the file holds, so every later flush fails too: the store is to be
    /// opened again.
    pub(crate) fn flush(&self, frozen: &Frozen) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the index could not be written before; open the store again",
            ));
        }
        for no in frozen.dirty.iter() {
            // Nobody writes to it: it is frozen, and not released yet.
            self.map.page(no).expect("a dirty page is mapped").seal(no);
        }
        self.before_sync(frozen);
        let synced = self.file.sync();
        if synced.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        synced
    }

    /// Tells the mappings, where more than a few of their pages are to be synced.
    fn before_sync(&self, frozen: &Frozen) {
        let mut dirty = frozen.dirty.iter().map(|no| no / CHUNK_PAGES).peekable();
        while let Some(chunk) = dirty.next() {
            let mut pages = 1;
            while dirty.next_if_eq(&chunk).is_some() {
                pages += 1;
            }
            if pages >= PAGES_MANY {
                let space = self.space.lock();
                space.mappings.chunk(chunk as usize).before_sync(0, CHUNK_BYTES as usize);
            }
        }
    }

    /// The roots of this checkpoint are in place: what it does not refer to
    /// may be used again.
    pub(crate) fn release(&self, frozen: Frozen) {
        let mut space = self.space.lock();
        let Space { superseded, free, .. } = &mut *space;
        superseded.retain(|&(epoch, no)| {
            let needed = epoch > frozen.epoch;
            if !needed {
                free.push(no);
            }
            needed
        });
    }
}
