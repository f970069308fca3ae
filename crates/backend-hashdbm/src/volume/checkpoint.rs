//! Checkpoints: the index on stable storage, so that only what came after has
//! to be replayed.

use std::sync::atomic::Ordering::{Acquire, Release, SeqCst};

use hozo_log::Position;
use hozo_traits::{Error, ErrorKind, Result};

use super::roots::{ROOTS, Roots};
use super::{Index, Inner, Volume};

impl<I: Index> Volume<I> {
    /// Makes a checkpoint now. Segments that the cleaner is done with go.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        self.inner.make_checkpoint()
    }
}

impl<I: Index> Inner<I> {
    pub(super) fn make_checkpoint(&self) -> Result<()> {
        self.make_checkpoint_locked(&mut self.checkpoint.lock())
    }

    /// With the lock of checkpoints held.
    pub(super) fn make_checkpoint_locked(&self, last: &mut Option<Position>) -> Result<()> {
        self.end_checkpoints(last);
        let made = self.write_checkpoint(last);
        self.end_checkpoints(last);
        made
    }

    /// If the index is damaged, there are no checkpoints any more, nor is there
    /// one in force. With their lock held.
    pub(super) fn end_checkpoints(&self, last: &mut Option<Position>) {
        if self.damaged.load(SeqCst) && last.take().is_some() {
            // Where that fails, the damage is found again.
            let _ = self.disk.remove(ROOTS);
            let _ = self.disk.sync_dir();
        }
    }

    fn write_checkpoint(&self, last: &mut Option<Position>) -> Result<()> {
        if last.is_none() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the index takes no checkpoints since one failed; reopen the store",
            ));
        }
        self.core.refuse_if_broken()?;
        // Before the locks are taken: what the cleaner does meanwhile is not
        // surely in this checkpoint.
        let cleaned = self.cleaned.load(Acquire);
        let mut index = Vec::new();
        let mut rest = None;
        self.index.freeze(&mut index, &mut || {
            rest = Some((self.core.log.head(), self.core.pager.freeze()));
        });
        let (complete, frozen) = rest.expect("an index calls `at_rest` when it freezes");

        // The index must not know what the log may lose.
        self.core.log.sync()?;
        if let Err(error) = self.core.pager.flush(&frozen) {
            // Nobody knows which of the pages are on the disk, nor would a
            // second try tell. The log has everything, and keeps it.
            *last = None;
            return Err(error);
        }
        let roots = Roots {
            volume_id: self.core.volume_id,
            segment_bytes: self.options.segment_bytes,
            kind: I::KIND,
            complete,
            cleaned,
            epoch: frozen.epoch(),
            index,
        };
        roots.write(&self.disk)?;
        self.core.pager.release(frozen);
        *last = Some(complete);
        self.complete.store(complete, Release);

        // Who reads without locks of the index began before this and is
        // waited for, or found positions that stay.
        self.core.pins.wait();
        // The cleaner goes on from the very end of what it met, which may be
        // that of a segment: that one stays.
        self.core.log.discard_before(cleaned - 1)?;
        self.gave_back.store(self.core.log.head(), Release);
        Ok(())
    }
}
