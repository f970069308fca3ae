//! The index of a volume of pages, while its lock is held.
//!
//! The tree has everything. Beside it, a hash table has for each page of a
//! namespace the newest version: that is what is read most, and it is found
//! without a search. The table only ever has what the tree has, and may have
//! less: who does not find something there asks the tree.

use hozo_log::{Log, Record};
use hozo_ordered::Space;
use hozo_traits::Result;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::key::TreeKey;
use super::kind::Said;
use super::place::Place;
use crate::index::Shard;
use crate::index::table::{Entry, SHARDS, shard_of};
use crate::index::tree::Tree;
use crate::volume::Core;

/// What names a page: the namespace and the page number, before the version.
pub(super) const PAGE_PREFIX: usize = 12;
/// A key of [`Space::Pages`].
const PAGE_KEY: usize = 22;

pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) newest: Vec<Shard>,
    /// Bytes in the log of all that the tree points to.
    pub(super) live: u64,
}

impl State {
    pub(super) fn empty() -> State {
        State { tree: Tree::new(), newest: (0..SHARDS).map(Shard::new).collect(), live: 0 }
    }

    /// The record of a key.
    pub(super) fn get<'a>(
        &self,
        core: &'a Core,
        space: Space,
        key: &[u8],
    ) -> Result<Option<Record<'a>>> {
        let key = TreeKey::new(space, key);
        match self.tree.get(&core.pager, key.as_slice())? {
            Some(place) => Ok(Some(core.log.read(Place(place).position(&core.log))?)),
            None => Ok(None),
        }
    }

    /// The record of the last key from `start` to `end`. `found` is room to
    /// work in.
    pub(super) fn last_in<'a>(
        &self,
        core: &'a Core,
        space: Space,
        start: &[u8],
        end: &[u8],
        found: &mut Vec<u8>,
    ) -> Result<Option<Record<'a>>> {
        if start > end {
            return Ok(None);
        }
        if let Some(prefix) = page_of(space, start, end)
            && let Some(newest) = self.newest_of(core, prefix)?
        {
            // Checked, also where the answer is that there is nothing: a commit
            // may rest on that.
            let record = core.log.read(newest)?;
            if record.key < start {
                return Ok(None);
            }
            if record.key <= end {
                return Ok(Some(record));
            }
        }
        let (start, end) = (TreeKey::new(space, start), TreeKey::new(space, end));
        let place =
            self.tree.last_at_or_below(&core.pager, end.as_slice(), start.as_slice(), found)?;
        match place {
            Some(place) => Ok(Some(core.log.read(Place(place).position(&core.log))?)),
            None => Ok(None),
        }
    }

    /// The position of a page's newest version, if the table has it.
    pub(super) fn newest_of(&self, core: &Core, prefix: &[u8]) -> Result<Option<u64>> {
        let hash = hash(core, prefix);
        let shard = &self.newest[shard_of(hash)];
        let found = shard.find(&core.pager, hash, |granule| is_of(&core.log, granule, prefix))?;
        Ok(found.map(|granule| core.log.position(granule)))
    }

    /// Makes the change of one record, which is in the log already.
    pub(super) fn change(&mut self, core: &Core, record: &Record<'_>) -> Result<()> {
        let (said, space) = Said::of(record)?;
        let key = TreeKey::of(space, record.key);
        match said {
            Said::Put => self.put(core, space, key.as_slice(), record),
            Said::Delete => {
                if let Some(old) = self.tree.remove(&core.pager, key.as_slice())? {
                    self.less(Place(old).bytes());
                    self.forget_newest(core, key.as_slice())?;
                }
                Ok(())
            }
            Said::DeleteRange => {
                let end = TreeKey::of(space, record.value);
                self.delete_range(core, key.as_slice(), end.as_slice())
            }
        }
    }

    /// Counts what does not live any more. Not checked: a damaged number must
    /// not end the process.
    fn less(&mut self, bytes: u64) {
        self.live = self.live.saturating_sub(bytes);
    }

    fn put(&mut self, core: &Core, space: u8, key: &[u8], record: &Record<'_>) -> Result<()> {
        let place = Place::of(record);
        let old = self.tree.insert(&core.pager, key, place.0)?;
        self.live += place.bytes();
        if let Some(old) = old {
            self.less(Place(old).bytes());
        }
        if space == Space::Pages.number() && record.key.len() == PAGE_KEY {
            self.remember_newest(core, record, place)?;
        }
        Ok(())
    }

    fn delete_range(&mut self, core: &Core, start: &[u8], end: &[u8]) -> Result<()> {
        if start >= end {
            return Ok(());
        }
        let mut freed = 0;
        let mut pages: Vec<[u8; PAGE_PREFIX]> = Vec::new();
        let done = self.tree.remove_range(&core.pager, start, Some(end), &mut |key, place| {
            freed += Place(place).bytes();
            if let Some(prefix) = page_in(key)
                && pages.last().is_none_or(|last| last != prefix)
            {
                pages.push(*prefix);
            }
        });
        self.less(freed);
        // Also of what went before a failure.
        for prefix in pages {
            self.forget_page(core, &prefix)?;
        }
        done
    }

    /// A version was put: it is its page's newest unless there is a newer one.
    fn remember_newest(&mut self, core: &Core, record: &Record<'_>, place: Place) -> Result<()> {
        let prefix = &record.key[..PAGE_PREFIX];
        let hash = hash(core, prefix);
        let shard = &mut self.newest[shard_of(hash)];
        let mut newer = false;
        let entry = shard.entry(&core.pager, hash, |granule| {
            let other = core.log.peek(core.log.position(granule))?.key;
            let same = is_page(other, prefix);
            newer |= same && other > record.key;
            Ok(same)
        })?;
        match entry {
            Entry::Occupied(_) if newer => {}
            Entry::Occupied(mut entry) => entry.replace(place.granule()),
            Entry::Vacant(vacant) => {
                // Nothing is known of the page. That this is the newest is for
                // the tree to say, where it is already.
                let last = [prefix, &[0xff; PAGE_KEY - PAGE_PREFIX]].concat();
                let last = TreeKey::new(Space::Pages, &last);
                let mut found = Vec::with_capacity(PAGE_KEY + 1);
                let newest =
                    self.tree.last_at_or_below(&core.pager, last.as_slice(), &[], &mut found)?;
                if newest == Some(place.0) {
                    vacant.insert(place.granule());
                }
            }
        }
        Ok(())
    }

    /// A key went: what the table says of its page may not be so any more.
    fn forget_newest(&mut self, core: &Core, key: &[u8]) -> Result<()> {
        match page_in(key) {
            Some(prefix) => self.forget_page(core, &{ *prefix }),
            None => Ok(()),
        }
    }

    fn forget_page(&mut self, core: &Core, prefix: &[u8; PAGE_PREFIX]) -> Result<()> {
        let hash = hash(core, prefix);
        let shard = &mut self.newest[shard_of(hash)];
        let found = shard.find(&core.pager, hash, |granule| is_of(&core.log, granule, prefix))?;
        if let Some(granule) = found {
            shard.remove(&core.pager, hash, granule)?;
        }
        Ok(())
    }

    /// If the index still points to this record, it points to `copy` from now on.
    pub(super) fn move_to(&mut self, core: &Core, record: &Record<'_>, copy: Place) -> Result<()> {
        let (_, space) = Said::of(record)?;
        let key = TreeKey::of(space, record.key);
        let old = Place::of(record);
        if self.tree.update(&core.pager, key.as_slice(), old.0, copy.0)?
            && let Some(prefix) = page_in(key.as_slice())
        {
            let hash = hash(core, prefix);
            self.newest[shard_of(hash)].replace(
                &core.pager,
                hash,
                old.granule(),
                copy.granule(),
            )?;
        }
        Ok(())
    }

    /// Whether the index points to this record.
    pub(super) fn has(&self, core: &Core, record: &Record<'_>) -> Result<bool> {
        let (said, space) = Said::of(record)?;
        if said != Said::Put {
            return Ok(false);
        }
        let key = TreeKey::of(space, record.key);
        let place = self.tree.get(&core.pager, key.as_slice())?;
        Ok(place == Some(Place::of(record).0))
    }
}

fn hash(core: &Core, prefix: &[u8]) -> u64 {
    xxh3_64_with_seed(prefix, core.volume_id)
}

fn is_page(key: &[u8], prefix: &[u8]) -> bool {
    key.len() == PAGE_KEY && key.starts_with(prefix)
}

fn is_of(log: &Log, granule: u64, prefix: &[u8]) -> Result<bool> {
    Ok(is_page(log.peek(log.position(granule))?.key, prefix))
}

/// The page that a range of keys is about, if it is versions of one page.
fn page_of<'a>(space: Space, start: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let same = space == Space::Pages
        && start.len() == PAGE_KEY
        && end.len() == PAGE_KEY
        && start[..PAGE_PREFIX] == end[..PAGE_PREFIX];
    same.then(|| &start[..PAGE_PREFIX])
}

/// The page that a key of the tree is a version of.
fn page_in(key: &[u8]) -> Option<&[u8; PAGE_PREFIX]> {
    let (space, key) = key.split_first()?;
    (*space == Space::Pages.number() && key.len() == PAGE_KEY)
        .then(|| key.first_chunk::<PAGE_PREFIX>())?
}
