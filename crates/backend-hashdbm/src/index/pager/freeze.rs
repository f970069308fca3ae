//! What a checkpoint does with the pages.

use std::sync::atomic::Ordering;

use hozo_traits::{Error, ErrorKind, Result};

use super::{PageSet, Pager, Space};

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
        let synced = self.file.sync();
        if synced.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        synced
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
