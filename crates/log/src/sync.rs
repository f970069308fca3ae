//! Making what was appended durable.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hozo_traits::Result;

use super::segment::Segment;
use super::{Log, Position};

impl Log {
    /// Makes everything that was appended before the call durable; answers up
    /// to where everything is.
    ///
    /// A failure poisons the log: what the system could not write it may have
    /// forgotten, so that a second attempt would succeed without writing it.
    pub fn sync(&self) -> Result<Position> {
        let wanted = self.head();
        let _syncing = self.syncing.lock();
        self.alive()?;
        if self.durable() >= wanted {
            return Ok(self.durable());
        }
        let (head, dir_dirty) = {
            let mut tail = self.tail.lock();
            (tail.head, std::mem::take(&mut tail.dir_dirty))
        };
        match self.sync_to(head, dir_dirty) {
            Ok(()) => {
                self.durable.store(head, Ordering::Release);
                Ok(head)
            }
            Err(error) => {
                self.poison();
                Err(error)
            }
        }
    }

    fn sync_to(&self, head: Position, dir_dirty: bool) -> Result<()> {
        let durable = self.durable();
        let dirty: Vec<Arc<Segment>> = {
            let segments = self.segments.lock();
            let dirty = segments.values().rev().take_while(|segment| segment.limit() > durable);
            dirty.filter(|segment| segment.start() < head).cloned().collect()
        };
        for segment in dirty.iter().rev() {
            let (from, to) = (durable.max(segment.start()), head.min(segment.limit()));
            let at = from - segment.start();
            segment.memory.before_sync(at as usize, (to - from) as usize);
            segment.file.sync()?;
        }
        // A file without a name is lost however well it was synced.
        if dir_dirty {
            self.disk.sync_dir()?;
        }
        Ok(())
    }

    /// No more appends: nobody knows what is on the disk.
    pub(super) fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
        self.tail.lock().close();
    }
}
