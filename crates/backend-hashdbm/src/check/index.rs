//! A volume's index as its last checkpoint left it, to be compared.

use hozo_log::Position;
use hozo_log::granule::{GRANULE_MASK, position_above};
use hozo_ordered::Space;
use hozo_traits::Result;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Kind;
use crate::index::table::{SHARDS, Shard, shard_of, tag_of};
use crate::index::tree::{Cursor, Direction, Tree};
use crate::index::{PageSet, Pager};
use crate::volume::roots::{Reader, Roots, not_ours};

/// What names a page in a key of the tree: its space, namespace and number.
const PAGE_PREFIX: std::ops::Range<usize> = 1..13;
const PAGE_KEY: usize = 23;

/// An index, which nobody changes.
pub(super) struct View {
    pager: Pager,
    /// Of records, or of the newest versions of pages.
    shards: Vec<Shard>,
    /// Of pages.
    tree: Option<Tree>,
    seed: u64,
    /// The log's tail, which positions are counted from.
    tail: Position,
    /// Bytes of the log that are in use, as the roots say.
    pub(super) live: u64,
}

/// What the index points to.
pub(super) struct Entry {
    /// The key where the index has it: pages.
    pub(super) key: Option<Vec<u8>>,
    /// What it has of the key's hash.
    pub(super) hash: u64,
    pub(super) position: Position,
}

/// What of a hash a table keeps.
fn kept(shard: usize, tag: u32) -> u64 {
    (shard as u64) << 32 | u64::from(tag)
}

impl View {
    pub(super) fn open(kind: Kind, roots: &Roots, pager: Pager, tail: Position) -> Result<View> {
        let mut rest = Reader(&roots.index);
        let mut view =
            View { pager, shards: Vec::new(), tree: None, seed: roots.volume_id, tail, live: 0 };
        if kind == Kind::Pages {
            view.live = rest.u64().ok_or_else(|| not_ours("live bytes"))?;
            let (tree, tables) = rest.0.split_first_chunk().ok_or_else(|| not_ours("tree"))?;
            view.tree = Some(Tree::from_bytes(tree)?);
            rest = Reader(tables);
        }
        for no in 0..SHARDS {
            if kind == Kind::Records {
                view.live += rest.u64().ok_or_else(|| not_ours("live"))?;
            }
            view.shards.push(Shard::decode(no, &mut rest.0)?);
        }
        if !rest.0.is_empty() {
            return Err(not_ours("end"));
        }
        Ok(view)
    }

    /// Reads every page: an error if one is not what it must be.
    pub(super) fn check(&self) -> Result<()> {
        let mut used = PageSet::default();
        used.insert(0);
        if let Some(tree) = &self.tree {
            tree.page_numbers(&self.pager, &mut |no| match used.insert(no) {
                true => Ok(()),
                false => Err(not_ours("index page with two owners").with("page", no)),
            })?;
            tree.check(&self.pager)?;
        }
        self.shards.iter().try_for_each(|shard| {
            shard.pages(&self.pager, &mut used)?;
            shard.check(&self.pager)
        })
    }

    /// How many keys there are.
    pub(super) fn keys(&self) -> u64 {
        match &self.tree {
            Some(tree) => tree.entries(),
            None => self.in_tables(),
        }
    }

    /// How many entries the tables have.
    pub(super) fn in_tables(&self) -> u64 {
        self.shards.iter().map(Shard::entries).sum()
    }

    fn position(&self, granule: u64) -> Position {
        position_above(self.tail, granule)
    }

    /// What a table keeps of a key's hash.
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        let hash = xxh3_64_with_seed(key, self.seed);
        kept(shard_of(hash), tag_of(hash))
    }

    /// Where the index says that the key's newest record is. In a table these
    /// are the records of all keys with the same tag.
    pub(super) fn find(&self, key: &[u8]) -> Result<Vec<Position>> {
        match &self.tree {
            Some(tree) => {
                let place = tree.get(&self.pager, key)?;
                Ok(place.map(|place| self.position(place & GRANULE_MASK)).into_iter().collect())
            }
            None => self.in_table(key),
        }
    }

    fn in_table(&self, key: &[u8]) -> Result<Vec<Position>> {
        let hash = xxh3_64_with_seed(key, self.seed);
        let mut found = Vec::new();
        self.shards[shard_of(hash)].find(&self.pager, hash, |granule| {
            found.push(self.position(granule));
            Ok(false)
        })?;
        Ok(found)
    }

    /// Whether the table of newest versions has this position for the page of a
    /// key, and if, whether it is the newest.
    pub(super) fn newest(&self, key: &[u8], position: Position) -> Result<Option<bool>> {
        let Some(tree) = self.tree.as_ref().filter(|_| is_page(key)) else { return Ok(None) };
        if !self.in_table(&key[PAGE_PREFIX])?.contains(&position) {
            return Ok(None);
        }
        let last = [&key[..PAGE_PREFIX.end], &[0xff; PAGE_KEY - PAGE_PREFIX.end]].concat();
        let mut found = Vec::new();
        tree.last_at_or_below(&self.pager, &last, key, &mut found)?;
        Ok(Some(found == key))
    }

    /// Whether a key in this range has a record before a position.
    pub(super) fn has_older(&self, start: &[u8], end: &[u8], than: Position) -> Result<bool> {
        let Some(tree) = &self.tree else { return Ok(false) };
        let mut cursor = Cursor::new(start, Some(end), Direction::Up);
        while start < end
            && let Some((_, place)) = cursor.next(tree, &self.pager)?
        {
            if self.position(place & GRANULE_MASK) < than {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Shows all that the index points to.
    pub(super) fn each(&self, show: &mut dyn FnMut(Entry)) -> Result<()> {
        if let Some(tree) = &self.tree {
            let mut cursor = Cursor::new(&[], None, Direction::Up);
            while let Some((key, place)) = cursor.next(tree, &self.pager)? {
                let key = key.to_vec();
                let position = self.position(place & GRANULE_MASK);
                show(Entry { hash: 0, key: Some(key), position });
            }
            return Ok(());
        }
        for (no, shard) in self.shards.iter().enumerate() {
            let mut tag = Some(0);
            let mut entries = Vec::new();
            while let Some(from) = tag {
                entries.clear();
                tag = shard.entries_from(&self.pager, from, &mut entries)?;
                for (tag, granule) in &entries {
                    let position = self.position(*granule);
                    show(Entry { key: None, hash: kept(no, *tag), position });
                }
            }
        }
        Ok(())
    }
}

fn is_page(key: &[u8]) -> bool {
    key.len() == PAGE_KEY && key[0] == Space::Pages.number()
}
