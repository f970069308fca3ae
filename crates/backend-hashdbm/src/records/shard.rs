//! One shard of the records' index: what its lock guards.

use hozo_log::granule::granule;
use hozo_log::{Position, Record, WINDOW_BYTES};
use hozo_traits::Result;

use super::shards::kind;
use crate::index::PageSet;
use crate::index::table::{Entry, Shard as Table, tag_of};
use crate::volume::Core;
use crate::volume::roots::{Reader, not_ours};

/// What a shard's lock guards.
pub(super) struct Shard {
    table: Table,
    /// Bytes of the log that its records take.
    live: u64,
    /// Bytes written or made garbage that the volume was not yet told of.
    owed: u64,
    /// No record has a lower tag: where the search for the first begins.
    first: u32,
}

/// Where a record is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) position: Position,
    /// What it takes in the log.
    pub(super) bytes: u64,
}

impl Shard {
    fn of(table: Table, live: u64) -> Shard {
        Shard { table, live, owed: 0, first: 0 }
    }

    /// A shard of nothing.
    pub(super) fn empty(no: usize) -> Shard {
        Shard::of(Table::new(no), 0)
    }

    pub(super) fn load(no: usize, roots: &mut Reader<'_>) -> Result<Shard> {
        let live = roots.u64().filter(|live| *live <= WINDOW_BYTES);
        let live = live.ok_or_else(|| not_ours("live"))?;
        Ok(Shard::of(Table::decode(no, &mut roots.0)?, live))
    }

    pub(super) fn save(&self, roots: &mut Vec<u8>) {
        roots.extend_from_slice(&self.live.to_le_bytes());
        self.table.encode(roots);
    }

    pub(super) fn pages(&self, core: &Core, used: &mut PageSet) -> Result<()> {
        self.table.pages(&core.pager, used)
    }

    #[cfg(test)]
    pub(super) fn check(&self, core: &Core) -> Result<()> {
        self.table.check(&core.pager)
    }

    pub(super) fn live(&self) -> u64 {
        self.live
    }

    pub(super) fn count(&self) -> u64 {
        self.table.entries()
    }

    /// What is owed, if it is worth telling.
    #[inline]
    pub(super) fn take_owed(&mut self, owed_max: u64) -> u64 {
        if self.owed <= owed_max { 0 } else { std::mem::take(&mut self.owed) }
    }

    /// Where the record of a key is.
    #[inline]
    pub(super) fn find(&self, core: &Core, hash: u64, key: &[u8]) -> Result<Option<Found>> {
        let mut found = None;
        self.table.find(&core.pager, hash, |granule| {
            found = is_at(core, granule, key)?;
            Ok(found.is_some())
        })?;
        Ok(found)
    }

    /// The record of a key.
    #[inline]
    pub(super) fn read<'a>(
        &self,
        core: &'a Core,
        hash: u64,
        key: &[u8],
    ) -> Result<Option<Record<'a>>> {
        let mut found = None;
        self.table.find(&core.pager, hash, |granule| {
            let record = core.log.read(core.log.position(granule))?;
            found = (record.key == key).then_some(record);
            Ok(found.is_some())
        })?;
        Ok(found)
    }

    /// Sets a record; answers whether there was one.
    #[inline]
    pub(super) fn set(&mut self, core: &Core, hash: u64, key: &[u8], value: &[u8]) -> Result<bool> {
        let mut old = None;
        let entry = self.table.entry(&core.pager, hash, |granule| {
            old = is_at(core, granule, key)?;
            Ok(old.is_some())
        })?;
        // The entry has its place: from here on only the log can fail, and if
        // it does, nothing has changed.
        let at = core.log.append(kind::SET, key, value)?;
        match entry {
            Entry::Occupied(mut entry) => entry.replace(granule(at)),
            Entry::Vacant(entry) => entry.insert(granule(at)),
        }
        let bytes = bytes_of(key, value);
        self.first = self.first.min(tag_of(hash));
        self.changed(core, old, bytes);
        self.owed += bytes;
        Ok(old.is_some())
    }

    /// Removes a record; answers whether there was one.
    #[inline]
    pub(super) fn remove(&mut self, core: &Core, hash: u64, key: &[u8]) -> Result<bool> {
        // What is not there is found out without making a page ready.
        let Some(old) = self.find(core, hash, key)? else { return Ok(false) };
        let at = granule(old.position);
        let entry = self.table.entry(&core.pager, hash, |granule| Ok(granule == at))?;
        let Entry::Occupied(entry) = entry else { return Ok(false) };
        let tombstone = core.log.append(kind::REMOVE, key, &[])?;
        entry.remove();
        let bytes = bytes_of(key, &[]);
        core.log.forget_tombstone(tombstone, bytes);
        self.changed(core, Some(old), 0);
        self.owed += bytes;
        Ok(true)
    }

    /// Counts what a change made live instead of what.
    #[inline]
    fn changed(&mut self, core: &Core, old: Option<Found>, new: u64) {
        if let Some(old) = old {
            core.log.forget(old.position);
            // Not checked: a damaged length must not end the process.
            self.live = self.live.saturating_sub(old.bytes);
            self.owed += old.bytes;
        }
        self.live += new;
    }
}

impl Shard {
    /// Makes a change that the log has.
    pub(super) fn replay_set(&mut self, core: &Core, hash: u64, record: &Record<'_>) -> Result<()> {
        let mut old = None;
        let entry = self.table.entry(&core.pager, hash, |granule| {
            old = is_at(core, granule, record.key)?;
            Ok(old.is_some())
        })?;
        match entry {
            Entry::Occupied(mut entry) => entry.replace(granule(record.position)),
            Entry::Vacant(entry) => entry.insert(granule(record.position)),
        }
        self.first = self.first.min(tag_of(hash));
        self.changed(core, old, record.bytes);
        Ok(())
    }

    /// Makes a change that the log has.
    pub(super) fn replay_remove(&mut self, core: &Core, hash: u64, key: &[u8]) -> Result<()> {
        if let Some(old) = self.find(core, hash, key)? {
            self.table.remove(&core.pager, hash, granule(old.position))?;
            self.changed(core, Some(old), 0);
        }
        Ok(())
    }

    /// Removes everything.
    pub(super) fn clear(&mut self, core: &Core) -> Result<()> {
        self.table.clear(&core.pager)?;
        self.owed += self.live;
        self.live = 0;
        self.first = 0;
        Ok(())
    }

    /// Appends a record anew if it is the newest of its key.
    pub(super) fn relocate(&mut self, core: &Core, hash: u64, record: &Record<'_>) -> Result<()> {
        let old = granule(record.position);
        if self.table.find(&core.pager, hash, |granule| Ok(granule == old))?.is_none() {
            return Ok(());
        }
        let Entry::Occupied(mut entry) =
            self.table.entry(&core.pager, hash, |granule| Ok(granule == old))?
        else {
            return Ok(());
        };
        let position = core.log.append(kind::SET, record.key, record.value)?;
        entry.replace(granule(position));
        core.log.forget(record.position);
        Ok(())
    }

    /// Where the first record is.
    pub(super) fn first(&mut self, core: &Core) -> Result<Option<Position>> {
        if self.table.entries() == 0 {
            return Ok(None);
        }
        let mut run = Run::default();
        let mut from = Some(self.first);
        while let Some(tag) = from {
            from = run.fill(core, self, tag)?;
            if let Some(&(tag, position)) = run.entries().first() {
                self.first = tag;
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    /// Makes room for a record that is to be set, or marks the one that is
    /// there: its entry holds `mark`, a granule beyond the log's head, until
    /// [`settle`](Self::settle) is told the position. Answers what the entry
    /// held.
    ///
    /// `is_marked` says whether the key is that of a granule that is a mark.
    pub(super) fn mark(
        &mut self,
        core: &Core,
        hash: u64,
        key: &[u8],
        mark: u64,
        is_marked: impl Fn(u64) -> Option<bool>,
    ) -> Result<Option<Marked>> {
        let mut old = None;
        let entry = self.table.entry(&core.pager, hash, |granule| {
            old = match is_marked(granule) {
                Some(is) => is.then_some(Marked { granule, bytes: 0 }),
                None => {
                    is_at(core, granule, key)?.map(|found| Marked { granule, bytes: found.bytes })
                }
            };
            Ok(old.is_some())
        })?;
        match entry {
            Entry::Occupied(mut entry) => entry.replace(mark),
            Entry::Vacant(entry) => entry.insert(mark),
        }
        Ok(old)
    }

    /// Lets a marked entry hold `granule`, or nothing. Nothing if the mark is
    /// not there any more. Cannot fail where the mark was made in the same hold
    /// of the lock, but for damage.
    pub(super) fn settle(
        &mut self,
        core: &Core,
        hash: u64,
        mark: u64,
        granule: Option<u64>,
    ) -> Result<bool> {
        match granule {
            Some(granule) => self.table.replace(&core.pager, hash, mark, granule),
            None => self.table.remove(&core.pager, hash, mark),
        }
    }

    /// After a record was set by its mark.
    pub(super) fn was_set(&mut self, hash: u64, bytes: u64) {
        self.first = self.first.min(tag_of(hash));
        self.live += bytes;
    }

    /// After what an entry held before it was marked went.
    pub(super) fn was_replaced(&mut self, core: &Core, held: Marked) {
        if held.bytes > 0 {
            core.log.forget(core.log.position(held.granule));
        }
        self.live = self.live.saturating_sub(held.bytes);
        self.owed += held.bytes;
    }

    /// After bytes were written for this shard.
    pub(super) fn wrote(&mut self, bytes: u64) {
        self.owed += bytes;
    }
}

/// What an entry held before it was marked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marked {
    pub(super) granule: u64,
    /// What its record takes in the log; 0 if it was a mark already.
    pub(super) bytes: u64,
}

/// The record at a granule, if it is this key's.
#[inline]
fn is_at(core: &Core, granule: u64, key: &[u8]) -> Result<Option<Found>> {
    let position = core.log.position(granule);
    let peek = core.log.peek(position)?;
    if peek.key == key {
        return Ok(Some(Found { position, bytes: peek.bytes }));
    }
    // Two keys with one tag are rare. More likely it is damage, and then what
    // is there is not "not there".
    core.log.read(position).map(|_| None)
}

/// What a record takes in the log: a checksum, a kind, two lengths in seven
/// bits to the byte, key and value, up to a multiple of 8.
#[inline]
pub(super) fn bytes_of(key: &[u8], value: &[u8]) -> u64 {
    let length = |bytes: &[u8]| u64::from(38 - (bytes.len() as u32 | 1).leading_zeros()) / 7;
    let content = 5 + length(key) + length(value) + key.len() as u64 + value.len() as u64;
    content.next_multiple_of(8)
}

/// A run of entries of a shard, a page's worth, in the order of scans.
#[derive(Default)]
pub(super) struct Run {
    /// Tags and positions.
    entries: Vec<(u32, Position)>,
}

impl Run {
    /// The entries of the page that `tag` belongs to, from that tag on; answers
    /// where the next begin, if there are more.
    pub(super) fn fill(&mut self, core: &Core, shard: &Shard, tag: u32) -> Result<Option<u32>> {
        self.entries.clear();
        let next = shard.table.entries_from(&core.pager, tag, &mut self.entries)?;
        for entry in &mut self.entries {
            entry.1 = core.log.position(entry.1);
        }
        self.order_ties(core)?;
        Ok(next)
    }

    /// Entries of one tag are in the order of their keys.
    fn order_ties(&mut self, core: &Core) -> Result<()> {
        let mut rest = &mut self.entries[..];
        while let Some(&(tag, _)) = rest.first() {
            let ties = rest.iter().take_while(|entry| entry.0 == tag).count();
            let (tied, after) = rest.split_at_mut(ties);
            if ties > 1 {
                let mut keyed = Vec::with_capacity(ties);
                for entry in tied.iter() {
                    keyed.push((core.log.read(entry.1)?.key, *entry));
                }
                keyed.sort_unstable();
                for (entry, (_, sorted)) in tied.iter_mut().zip(keyed) {
                    *entry = sorted;
                }
            }
            rest = after;
        }
        Ok(())
    }

    pub(super) fn entries(&self) -> &[(u32, Position)] {
        &self.entries
    }
}
