//! The tree: for every key of the pages volume where in the log its newest
//! record is, in the order of the keys.
//!
//! A B+tree of 4 KiB nodes. The prefix that a node's keys share is stored
//! once; of each key the next eight bytes are in its slot, so that a search
//! seldom looks further. A change makes every node on its path writable, from
//! the root down, which between checkpoints copies each node once: whoever has
//! an older [`Tree`] value reads what it was then for as long as the pages are
//! not reused. Every change either fails before anything was changed, or
//! happens, unless its own documentation says otherwise.

mod check;
mod cursor;
mod edit;
mod insert;
mod keeper;
mod node;
mod pages;
mod path;
mod remove;
mod run;
#[cfg(test)]
mod tests;

use hozo_traits::{Error, ErrorKind, Result};

pub(crate) use cursor::{Cursor, Direction};
pub(crate) use pages::{Body, TreePages};

use node::Node;
use path::{LEVELS_MAX, Path};

/// Longest key.
pub(crate) const KEY_BYTES_MAX: usize = 1100;

/// Bytes of [`Tree::to_bytes`].
pub(crate) const ROOT_BYTES: usize = 16;

/// The root of an empty tree.
const NO_PAGE: u32 = u32::MAX;

/// A tree: where its root is. Its pages are passed to every call.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: u32,
    levels: u8,
    entries: u64,
    /// Counts calls that may have moved keys, so that cursors know.
    changes: u64,
}

impl Tree {
    /// An empty tree, which has no page.
    pub(crate) fn new() -> Self {
        Tree { root: NO_PAGE, levels: 0, entries: 0, changes: 0 }
    }

    /// What the roots file keeps: root page u32, number of levels u32, number
    /// of keys u64.
    pub(crate) fn to_bytes(&self) -> [u8; ROOT_BYTES] {
        let mut bytes = [0; ROOT_BYTES];
        bytes[..4].copy_from_slice(&self.root.to_le_bytes());
        bytes[4] = self.levels;
        bytes[8..].copy_from_slice(&self.entries.to_le_bytes());
        bytes
    }

    /// The tree that [`Self::to_bytes`] described.
    pub(crate) fn from_bytes(bytes: &[u8; ROOT_BYTES]) -> Result<Self> {
        let [a, b, c, d, levels, x, y, z, entries @ ..] = *bytes;
        let root = u32::from_le_bytes([a, b, c, d]);
        let entries = u64::from_le_bytes(entries);
        let empty = root == NO_PAGE;
        if [x, y, z] != [0; 3]
            || usize::from(levels) > LEVELS_MAX
            || empty != (levels == 0)
            || empty != (entries == 0)
        {
            return Err(Error::new(ErrorKind::Corrupt, "the root of the index tree is impossible")
                .with("root page", root)
                .with("levels", levels)
                .with("keys", entries));
        }
        Ok(Tree { root, levels, entries, changes: 0 })
    }

    /// No single change takes more new pages than this, so none fails where so
    /// many can be had: a path is copied, every node on it divided, and the
    /// root gets a root above it; of a range, the paths of both ends are copied.
    pub(crate) fn pages_for_change(&self) -> usize {
        2 * usize::from(self.levels) + 1
    }

    /// How many keys there are.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// The value of a key.
    pub(crate) fn get<P: TreePages>(&self, pages: &P, key: &[u8]) -> Result<Option<u64>> {
        let mut no = self.root;
        for level in (0..self.levels).rev() {
            let page = pages.page(no)?;
            let node = Node::open(&page, no, level)?;
            if level == 0 {
                return Ok(node.search(key).ok().map(|i| node.value(i)));
            }
            no = node.child(node.child_for(key));
        }
        Ok(None)
    }

    /// The largest key from `floor` to `key`, both included, with its value.
    /// The key is written over what is in `found`.
    pub(crate) fn last_at_or_below<P: TreePages>(
        &self,
        pages: &P,
        key: &[u8],
        floor: &[u8],
        found: &mut Vec<u8>,
    ) -> Result<Option<u64>> {
        let Some((leaf, slot)) = self.seek_below(pages, Some((key, true)))? else {
            return Ok(None);
        };
        let page = pages.page(leaf)?;
        let node = Node::open(&page, leaf, 0)?;
        node.key(slot, found);
        Ok(node::order(found, floor).is_ge().then(|| node.value(slot)))
    }

    /// Makes `new` the value of a key whose value is `old`, and says whether
    /// it was.
    pub(crate) fn update<P: TreePages>(
        &mut self,
        pages: &P,
        key: &[u8],
        old: u64,
        new: u64,
    ) -> Result<bool> {
        let Some((mut path, Ok(slot))) = self.descend(pages, key)? else { return Ok(false) };
        let leaf = path.leaf();
        if Node::open(&*pages.page(leaf)?, leaf, 0)?.value(slot) != old {
            return Ok(false);
        }
        path.make_writable(self, pages)?;
        edit::set_value(&mut pages.page_mut(path.leaf()), slot, new);
        Ok(true)
    }

    /// The way to where a key is or would be; nothing when the tree is empty.
    fn descend<P: TreePages>(
        &self,
        pages: &P,
        key: &[u8],
    ) -> Result<Option<(Path, Result<usize, usize>)>> {
        let mut path = Path::new();
        let mut no = self.root;
        for level in (0..self.levels).rev() {
            let page = pages.page(no)?;
            let node = Node::open(&page, no, level)?;
            if level == 0 {
                path.push(no, 0);
                return Ok(Some((path, node.search(key))));
            }
            let child = node.child_for(key);
            path.push(no, child);
            no = node.child(child);
        }
        Ok(None)
    }

    /// Leaf and slot of the smallest key above `bound`, or at it when it is
    /// said to be included.
    fn seek_above<P: TreePages>(
        &self,
        pages: &P,
        (key, included): (&[u8], bool),
    ) -> Result<Option<(u32, usize)>> {
        let mut no = self.root;
        let mut right = None;
        for level in (0..self.levels).rev() {
            let page = pages.page(no)?;
            let node = Node::open(&page, no, level)?;
            if level == 0 {
                let slot = match node.search(key) {
                    Ok(i) => i + usize::from(!included),
                    Err(i) => i,
                };
                if slot < node.count() {
                    return Ok(Some((no, slot)));
                }
                break;
            }
            let child = node.child_for(key);
            if child < node.count() {
                right = Some((node.child(child + 1), level));
            }
            no = node.child(child);
        }
        let Some((mut no, above)) = right else { return Ok(None) };
        for level in (1..above).rev() {
            no = Node::open(&*pages.page(no)?, no, level)?.child(0);
        }
        Ok(Some((no, 0)))
    }

    /// Leaf and slot of the largest key below `bound`, or at it when it is
    /// said to be included, or of the largest of all.
    fn seek_below<P: TreePages>(
        &self,
        pages: &P,
        bound: Option<(&[u8], bool)>,
    ) -> Result<Option<(u32, usize)>> {
        let mut no = self.root;
        let mut left = None;
        for level in (0..self.levels).rev() {
            let page = pages.page(no)?;
            let node = Node::open(&page, no, level)?;
            if level == 0 {
                let slots = match bound.map(|(key, included)| (node.search(key), included)) {
                    Some((Ok(i), included)) => i + usize::from(included),
                    Some((Err(i), _)) => i,
                    None => node.count(),
                };
                if slots > 0 {
                    return Ok(Some((no, slots - 1)));
                }
                break;
            }
            let child = bound.map_or(node.count(), |(key, _)| node.child_for(key));
            if child > 0 {
                left = Some((node.child(child - 1), level));
            }
            no = node.child(child);
        }
        let Some((mut no, above)) = left else { return Ok(None) };
        for level in (0..above).rev() {
            let page = pages.page(no)?;
            let node = Node::open(&page, no, level)?;
            if level == 0 {
                return Ok(node.count().checked_sub(1).map(|last| (no, last)));
            }
            no = node.child(node.count());
        }
        Ok(None)
    }
}
