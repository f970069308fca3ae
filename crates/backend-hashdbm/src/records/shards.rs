//! The records' index: hash tables in shards, each with its lock.
//!
//! A record's hash says its shard, and within it its slot. Whoever needs
//! several shards locks them in ascending order.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hozo_log::Record;
use hozo_traits::{Error, ErrorKind, Result};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::shard::Shard;
use crate::index::PageSet;
use crate::index::table::{SHARDS, shard_of};
use crate::volume::roots::{Reader, not_ours};
use crate::volume::{Core, Index};

/// Kinds of log records that a records volume writes.
pub(super) mod kind {
    /// The key has this value now.
    pub(crate) const SET: u8 = 2;
    /// The key has no record now.
    pub(crate) const REMOVE: u8 = 3;
    /// No key has a record now.
    pub(crate) const CLEAR: u8 = 4;
}

/// As sets of shards are written: all of them.
pub(super) const ALL_SHARDS: u64 = u64::MAX;
/// What one shard may owe the volume is this part of a segment, so that all
/// together owe a quarter of one...
const OWED_PART: u64 = 256;
/// ...or this, whatever is more: telling has its cost.
const OWED_BYTES: u64 = 16 << 10;

/// A shard with its lock, on cache lines of its own.
#[repr(align(128))]
struct Slot {
    shard: RwLock<Shard>,
    /// The same as in the shard, to be read without its lock.
    live: AtomicU64,
}

/// The index of a volume of records.
pub(super) struct Shards {
    slots: Box<[Slot]>,
    seed: u64,
    owed_max: u64,
}

impl Shards {
    fn new(core: &Core, shard: impl FnMut(usize) -> Result<Shard>) -> Result<Shards> {
        let slot = |shard: Shard| {
            let live = AtomicU64::new(shard.live());
            Slot { shard: RwLock::new(shard), live }
        };
        let shards: Result<Vec<Shard>> = (0..SHARDS).map(shard).collect();
        Ok(Shards {
            slots: shards?.into_iter().map(slot).collect(),
            seed: core.volume_id,
            owed_max: (core.log.piece_bytes() / OWED_PART).max(OWED_BYTES),
        })
    }

    /// The hash of a key.
    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.seed)
    }

    /// The shard of a hash.
    #[inline]
    pub(super) fn shard_of(&self, hash: u64) -> usize {
        shard_of(hash)
    }

    /// A shard, to read.
    #[inline]
    pub(super) fn read(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.slots[shard].shard.read()
    }

    /// A shard, to change.
    #[inline]
    pub(super) fn write(&self, shard: usize) -> ShardMut<'_> {
        let slot = &self.slots[shard];
        ShardMut { shard: slot.shard.write(), live: &slot.live, owed_max: self.owed_max }
    }

    /// How many records there are.
    pub(super) fn count(&self) -> u64 {
        // All at once: an update that moves a record is seen whole.
        let shards: Vec<_> = (0..SHARDS).map(|shard| self.read(shard)).collect();
        shards.iter().map(|shard| shard.count()).sum()
    }
}

/// A shard, locked to be changed.
pub(super) struct ShardMut<'a> {
    shard: RwLockWriteGuard<'a, Shard>,
    live: &'a AtomicU64,
    owed_max: u64,
}

impl ShardMut<'_> {
    #[inline]
    pub(super) fn get(&self) -> &Shard {
        &self.shard
    }

    #[inline]
    pub(super) fn get_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }

    /// Lets go. Answers what the volume is to be told of, if it is time.
    #[inline]
    pub(super) fn done(mut self) -> u64 {
        self.live.store(self.shard.live(), Relaxed);
        self.shard.take_owed(self.owed_max)
    }
}

/// Several shards, locked to be changed.
pub(super) struct ShardSet<'a> {
    shards: &'a Shards,
    set: u64,
    locked: Vec<ShardMut<'a>>,
}

impl<'a> ShardSet<'a> {
    /// Locks the shards of a set.
    pub(super) fn lock(shards: &'a Shards, set: u64) -> Self {
        let mut locked = Vec::with_capacity(set.count_ones() as usize);
        locked.extend((0..SHARDS).filter(|shard| set & 1 << shard != 0).map(|s| shards.write(s)));
        ShardSet { shards, set, locked }
    }

    /// Which shards are locked.
    pub(super) fn set(&self) -> u64 {
        self.set
    }

    fn place(&self, shard: usize) -> usize {
        debug_assert!(self.set & 1 << shard != 0, "shard {shard} is not locked");
        (self.set & ((1 << shard) - 1)).count_ones() as usize
    }

    /// The shard of a hash, which is locked.
    pub(super) fn of(&self, hash: u64) -> &Shard {
        self.locked[self.place(self.shards.shard_of(hash))].get()
    }

    /// The shard of a hash, which is locked, to change.
    pub(super) fn of_mut(&mut self, hash: u64) -> &mut Shard {
        let place = self.place(self.shards.shard_of(hash));
        self.locked[place].get_mut()
    }

    /// Each of them.
    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.locked.iter_mut().map(ShardMut::get_mut)
    }

    /// The hash of a key.
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        self.shards.hash(key)
    }

    /// Where the first record of all is. Its shard and all before it are locked
    /// then, so that it stays the first; if there is none, all are.
    pub(super) fn first(&mut self, core: &Core) -> Result<Option<u64>> {
        for shard in 0..SHARDS {
            if self.set & 1 << shard == 0 {
                // Ascending, since all before it are locked.
                debug_assert!(self.set < 1 << shard);
                self.locked.push(self.shards.write(shard));
                self.set |= 1 << shard;
            }
            let place = self.place(shard);
            if let Some(position) = self.locked[place].get_mut().first(core)? {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    /// Lets all go. Answers what the volume is to be told of.
    pub(super) fn done(self) -> u64 {
        self.locked.into_iter().map(ShardMut::done).sum()
    }
}

impl Index for Shards {
    const KIND: u32 = 1;

    fn empty(core: &Core) -> Result<Self> {
        Shards::new(core, |shard| Ok(Shard::empty(shard)))
    }

    fn load(core: &Core, roots: &[u8]) -> Result<Self> {
        let mut rest = Reader(roots);
        let shards = Shards::new(core, |shard| Shard::load(shard, &mut rest))?;
        if !rest.0.is_empty() {
            return Err(not_ours("end"));
        }
        Ok(shards)
    }

    fn pages(&self, core: &Core, used: &mut PageSet) -> Result<()> {
        (0..SHARDS).try_for_each(|shard| self.read(shard).pages(core, used))
    }

    fn replay(&self, core: &Core, record: &Record<'_>) -> Result<()> {
        let hash = self.hash(record.key);
        match record.kind {
            kind::SET => {
                let mut shard = self.write(self.shard_of(hash));
                shard.get_mut().replay_set(core, hash, record)?;
                shard.done();
            }
            kind::REMOVE => {
                let mut shard = self.write(self.shard_of(hash));
                shard.get_mut().replay_remove(core, hash, record.key)?;
                shard.done();
            }
            kind::CLEAR => {
                let mut all = ShardSet::lock(self, ALL_SHARDS);
                all.each().try_for_each(|shard| shard.clear(core))?;
                all.done();
            }
            other => {
                return Err(Error::new(
                    ErrorKind::Corrupt,
                    "the log has a record that a volume of records has not",
                )
                .with("kind", other)
                .with("position", record.position));
            }
        }
        Ok(())
    }

    fn freeze(&self, roots: &mut Vec<u8>, at_rest: &mut dyn FnMut()) {
        let mut all = ShardSet::lock(self, ALL_SHARDS);
        at_rest();
        all.each().for_each(|shard| shard.save(roots));
    }

    fn relocate(&self, core: &Core, records: &[Record<'_>]) -> Result<()> {
        for record in records.iter().filter(|record| record.kind == kind::SET) {
            let hash = self.hash(record.key);
            let mut shard = self.write(self.shard_of(hash));
            shard.get_mut().relocate(core, hash, record)?;
        }
        Ok(())
    }

    fn live_bytes(&self) -> u64 {
        self.slots.iter().map(|slot| slot.live.load(Relaxed)).sum()
    }
}
