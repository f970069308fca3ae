//! Removing what is old while no server runs.

use std::time::Duration;

use hozo_directory::Lock;

use super::*;
use crate::repl::LOCK_FILE;

/// What was removed, or would be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// The files, the oldest first.
    pub removed: Vec<Segment>,
    /// Files that are left.
    pub left: u64,
}

impl Pruned {
    /// Bytes of the files.
    pub fn bytes(&self) -> u64 {
        self.removed.iter().map(|segment| segment.bytes).sum()
    }
}

impl UlogDir {
    /// What [`prune`](Self::prune) would remove now.
    pub fn prunable(&self, before: Timestamp, keep_latest: usize) -> Result<Pruned> {
        // The records have everything below, durably; the rest may be needed.
        let checkpoint = Checkpoint::read(&self.disk)?.map_or(0, |checkpoint| checkpoint.place);
        let mut segments = self.segments()?;
        let most = segments.len().saturating_sub(keep_latest.max(1));
        let old = |segment: &&Segment| {
            !segment.damaged
                && segment.end <= checkpoint
                && segment.newest.is_none_or(|newest| newest < before)
        };
        let count = segments.iter().take(most).take_while(old).count();
        let left = segments.split_off(count).len() as u64;
        Ok(Pruned { removed: segments, left })
    }

    /// Removes whole segments from the oldest on, as long as all in them is older
    /// than `before`, but not the latest so many, at least one, and nothing that
    /// the records may still lack. Followers that need what is removed have to
    /// load all records anew.
    ///
    /// [`Busy`](ErrorKind::Busy) while a server has the log open, which is to be
    /// asked to do it then.
    pub fn prune(&self, before: Timestamp, keep_latest: usize) -> Result<Pruned> {
        let _lock = Lock::acquire(&self.dir, LOCK_FILE, Duration::ZERO)?;
        let pruned = self.prunable(before, keep_latest)?;
        let disk = RealDisk::open(&self.dir)?;
        for segment in &pruned.removed {
            let name = segment.path.file_name().unwrap_or_default().to_string_lossy();
            disk.remove(&name)?;
            // One by one and in order: after a crash the log has no hole.
            disk.sync_dir()?;
        }
        Ok(pruned)
    }
}
