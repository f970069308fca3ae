//! Records natively: the DBM.
//!
//! [`Records`] is one DBM: a volume whose index is a hash table. What a program
//! calls in its hot paths is here and in `scan`, synchronous and without an
//! allocation; the contract of record storage is over it in `store`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hozo_log::Position;
use hozo_log::disk::Disk;
use hozo_ordered::{GroupSync, GroupSyncConfig};
use hozo_traits::{Ambient, Durability, KvSizes, Result, exec};

use crate::volume::{Volume, VolumeOptions};

mod batch;
mod rebuild;
mod scan;
mod shard;
mod shards;
mod store;
mod sync;
#[cfg(test)]
mod tests;
mod update;

use self::rebuild::Rebuilding;
use self::shards::Shards;
pub use self::sync::SyncMode;
use self::update::check_lengths;

/// The longest key.
pub(crate) const KEY_BYTES_MAX: usize = 512 << 10;
/// The longest value.
pub(crate) const VALUE_BYTES_MAX: usize = 1 << 30;
/// What the effects of one update may come to: what fits into one batch of the
/// log.
pub(crate) const UPDATE_BYTES_MAX: usize = hozo_log::BATCH_BYTES_MAX as usize;

/// How a DBM is made and kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordsOptions {
    /// Size of the log's segments when the DBM is made: a power of two from
    /// 64 KiB to 1 GiB.
    pub segment_bytes: u64,
    /// After how many bytes of log the index is brought to stable storage:
    /// what is replayed at most when the store was not closed.
    pub checkpoint_bytes: u64,
    /// What becomes of updates for which nobody waits.
    pub sync: SyncMode,
}

impl Default for RecordsOptions {
    fn default() -> Self {
        RecordsOptions {
            segment_bytes: 1 << 20,
            checkpoint_bytes: 256 << 20,
            sync: SyncMode::default(),
        }
    }
}

/// One DBM: records by key, in files of its own.
///
/// Any number of threads may use it at once. Everything is visible to all when
/// a call returns; it is on stable storage after [`synchronise`](Self::synchronise),
/// or as [`RecordsOptions::sync`] says. After a crash a prefix of the updates
/// is there.
///
/// It is closed when it is dropped, and its files can be opened again then. In
/// a forked child of the process that opened it every call is
/// [`Unsupported`](hozo_traits::ErrorKind::Unsupported), but for [`count`](Self::count) and
/// [`sizes`](Self::sizes), which are not to be called there.
pub struct Records {
    volume: Arc<Volume<Shards>>,
    sync: GroupSync<Position>,
    /// Held where marks for `sync` are taken, so that they come in order.
    marking: parking_lot::Mutex<()>,
    /// Whether `sync` was told of something written since its last sync.
    told: Arc<AtomicBool>,
    mode: SyncMode,
    messages: Vec<String>,
    rebuilding: Rebuilding,
}

impl Records {
    /// Opens the DBM in a directory; an empty one becomes a new DBM.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: RecordsOptions,
        ambient: &dyn Ambient,
    ) -> Result<Records> {
        let mut id = [0; 8];
        ambient.fill_random(&mut id);
        let volume_options = VolumeOptions {
            segment_bytes: options.segment_bytes,
            checkpoint_bytes: options.checkpoint_bytes,
            volume_id: u64::from_le_bytes(id),
        };
        let (volume, opening) = Volume::<Shards>::open(disk, volume_options)?;
        let volume = Arc::new(volume);
        let config = GroupSyncConfig { persistent: true, lag: options.sync.lag() };
        let told = Arc::new(AtomicBool::new(false));
        let (synced, tell_again) = (Arc::clone(&volume), Arc::clone(&told));
        let sync = GroupSync::new(volume.core().log.durable(), config, move |_| {
            // Before the sync: what is written from here on may miss it.
            tell_again.store(false, Ordering::SeqCst);
            synced.sync()
        });
        let messages = opening.messages;
        Ok(Records {
            volume,
            sync,
            marking: parking_lot::Mutex::default(),
            told,
            mode: options.sync,
            messages,
            rebuilding: Rebuilding::default(),
        })
    }

    /// What happened at opening that somebody who runs the store should know,
    /// a sentence each.
    pub fn messages(&self) -> &[String] {
        &self.messages
    }

    /// Calls `with` with the value of a key, if it has a record, and answers
    /// what that answered. `with` must be quick and must not use the store: who
    /// writes may wait for it.
    #[inline]
    pub fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        let core = self.volume.core();
        let shards = self.volume.index();
        let hash = shards.hash(key);
        core.refuse_if_broken()?;
        let shard = shards.read(shards.shard_of(hash));
        core.refuse_if_broken()?;
        match shard.read(core, hash, key) {
            Ok(record) => Ok(record.map(|record| with(record.value))),
            Err(error) => {
                drop(shard);
                Err(self.volume.failed(error))
            }
        }
    }

    /// Sets a record; answers whether there was one.
    #[inline]
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        check_lengths(key, value)?;
        self.change(key, |shard, core, hash| shard.set(core, hash, key, value))
    }

    /// Removes a record; answers whether there was one.
    #[inline]
    pub fn remove(&self, key: &[u8]) -> Result<bool> {
        self.change(key, |shard, core, hash| shard.remove(core, hash, key))
    }

    /// Takes the first record in the order of scans away, and calls `with` with
    /// its key and value, under the terms of [`get`](Self::get); `None` if
    /// there is no record.
    pub fn pop_first<R>(&self, with: impl FnOnce(&[u8], &[u8]) -> R) -> Result<Option<R>> {
        let core = self.volume.core();
        core.refuse_if_broken()?;
        let mut locked = shards::ShardSet::lock(self.volume.index(), 0);
        let popped = (|| {
            let first = locked.first(core)?;
            core.refuse_if_broken()?;
            let Some(position) = first else { return Ok(None) };
            let record = core.log.read(position)?;
            let hash = locked.hash(record.key);
            locked.of_mut(hash).remove(core, hash, record.key)?;
            Ok(Some(with(record.key, record.value)))
        })();
        let owed = locked.done();
        self.after(popped, owed)
    }

    /// How many records there are.
    pub fn count(&self) -> u64 {
        self.volume.index().count()
    }

    /// How large the DBM is.
    pub fn sizes(&self) -> KvSizes {
        KvSizes {
            file_bytes: self.volume.file_bytes(),
            record_bytes: None,
            should_be_rebuilt: self.volume.should_be_rebuilt(),
        }
    }

    /// Puts everything on stable storage that was updated before.
    pub fn synchronise(&self) -> Result<()> {
        self.volume.core().refuse_in_child()?;
        let head = self.volume.core().log.head();
        self.mark(Durability::Durable);
        exec::block_on(self.sync.wait(head))
    }

    /// Makes the files as small as the records allow.
    pub fn rebuild(&self) -> Result<()> {
        self.volume.rebuild()
    }

    #[inline]
    fn change<R>(
        &self,
        key: &[u8],
        change: impl FnOnce(&mut shard::Shard, &crate::volume::Core, u64) -> Result<R>,
    ) -> Result<R> {
        let core = self.volume.core();
        let shards = self.volume.index();
        let hash = shards.hash(key);
        core.refuse_if_broken()?;
        let mut shard = shards.write(shards.shard_of(hash));
        core.refuse_if_broken()?;
        let answer = change(shard.get_mut(), core, hash);
        let owed = shard.done();
        self.after(answer, owed)
    }

    /// After a change, without locks: keeps the volume and `sync` going.
    #[inline]
    fn after<R>(&self, answer: Result<R>, owed: u64) -> Result<R> {
        if owed > 0 {
            self.volume.tend(owed);
        }
        let answer = answer.map_err(|error| self.volume.failed(error));
        if !self.is_told() {
            self.mark(Durability::Sequenced);
        }
        answer
    }

    /// Whether a sync is to come that has what was appended before this.
    #[inline]
    fn is_told(&self) -> bool {
        // In one order with the append before it, as the sync's store is with
        // its look at the head: one of the two sees the other.
        self.told.load(Ordering::SeqCst)
    }

    /// Tells `sync` how far the log is.
    #[cold]
    fn mark(&self, durability: Durability) {
        let _marking = self.marking.lock();
        // Who waits syncs only if there is something to sync still: nothing that
        // is written from now on can rely on it.
        if durability == Durability::Sequenced {
            self.told.store(true, Ordering::SeqCst);
        }
        self.sync.wrote(self.volume.core().log.head(), durability);
    }
}
