//! Taking keys out; merging what becomes too small.

use hozo_traits::Result;

use super::super::page::BODY_BYTES;
use super::node::Node;
use super::pages::TreePages;
use super::path::Path;
use super::run::KeyRun;
use super::{NO_PAGE, Tree, edit};

/// A node with less in it is merged with a neighbour ..
const SMALL_BYTES: usize = BODY_BYTES / 3;
/// .. if both together take no more than this: so that what was just merged is
/// not split again soon.
const MERGED_BYTES_MAX: usize = BODY_BYTES * 4 / 5;

impl Tree {
    /// Takes a key out and gives the value that it had.
    pub(crate) fn remove<P: TreePages>(&mut self, pages: &P, key: &[u8]) -> Result<Option<u64>> {
        let Some((path, Ok(slot))) = self.descend(pages, key)? else { return Ok(None) };
        let leaf = path.leaf();
        let (value, count) = {
            let page = pages.page(leaf)?;
            let node = Node::open(&page, leaf, 0)?;
            (node.value(slot), node.count())
        };
        self.remove_from_leaf(pages, path, slot, slot + 1, count, |_| ())?;
        Ok(Some(value))
    }

    /// Takes out every key from `start` on that is below `end`, or to the last
    /// when there is no `end`, and shows each with its value. After a failure
    /// the tree is whole, and exactly the keys that were shown are gone.
    pub(crate) fn remove_range<P: TreePages>(
        &mut self,
        pages: &P,
        start: &[u8],
        end: Option<&[u8]>,
        removed: &mut dyn FnMut(&[u8], u64),
    ) -> Result<()> {
        let mut first = Vec::new();
        let mut key = Vec::new();
        loop {
            // The leaf of the first key, which may be another than the one
            // where `start` would be.
            let Some((leaf, slot)) = self.seek_above(pages, (start, true))? else { return Ok(()) };
            Node::open(&*pages.page(leaf)?, leaf, 0)?.key(slot, &mut first);
            if end.is_some_and(|end| first.as_slice() >= end) {
                return Ok(());
            }
            let Some((path, Ok(from))) = self.descend(pages, &first)? else { return Ok(()) };
            let (to, count) = {
                let page = pages.page(leaf)?;
                let node = Node::open(&page, leaf, 0)?;
                let to = end.map_or(node.count(), |end| node.search(end).unwrap_or_else(|i| i));
                (to, node.count())
            };
            self.remove_from_leaf(pages, path, from, to, count, |node| {
                for i in from..to {
                    node.key(i, &mut key);
                    removed(&key, node.value(i));
                }
            })?;
            if to < count {
                return Ok(());
            }
        }
    }

    /// Takes some of the `count` keys of the leaf out, after `show` saw them.
    fn remove_from_leaf<P: TreePages>(
        &mut self,
        pages: &P,
        mut path: Path,
        from: usize,
        to: usize,
        count: usize,
        show: impl FnOnce(Node<'_>),
    ) -> Result<()> {
        let all = to - from == count;
        let leaf = path.leaf();
        if all {
            // The leaf goes as a whole: only what is above it changes.
            path.pop();
            path.make_writable(self, pages)?;
            show(Node::open(&*pages.page(leaf)?, leaf, 0)?);
        } else {
            path.make_writable(self, pages)?;
            let mut page = pages.page_mut(path.leaf());
            show(Node::open(&page, leaf, 0)?);
            edit::remove(&mut page, from..to);
        }
        self.changes += 1;
        self.entries = self.entries.saturating_sub((to - from) as u64);
        if all {
            pages.free(leaf);
            self.remove_child(pages, &mut path);
        }
        self.merge_upwards(pages, path);
        Ok(())
    }

    /// Takes the child that the path's end names, and that is free already,
    /// out of the node there; a node that had no other goes too.
    fn remove_child<P: TreePages>(&mut self, pages: &P, path: &mut Path) {
        while let Some(step) = path.steps().last().copied() {
            let mut page = pages.page_mut(step.no);
            if Node::of(&page).is_some_and(|node| node.count() > 0) {
                edit::remove_child(&mut page, usize::from(step.child));
                return;
            }
            drop(page);
            pages.free(step.no);
            path.pop();
        }
        (self.root, self.levels) = (NO_PAGE, 0);
    }

    /// Merges the node at the path's end with a neighbour if it is small, and
    /// so on upwards. A neighbour that cannot be read is left alone: whoever
    /// needs what is in it is told.
    fn merge_upwards<P: TreePages>(&mut self, pages: &P, mut path: Path) {
        while !path.steps().is_empty() {
            let (step, above) = path.ends();
            let Some(above) = above else { return self.drop_root(pages) };
            let small = pages
                .page(step.no)
                .is_ok_and(|page| Node::of(&page).is_some_and(|node| node.used() < SMALL_BYTES));
            if !small {
                // An inner root above may have lost all its keys before.
                return;
            }
            let child = usize::from(above.child);
            let merged = merge(pages, above.no, child, child + 1, step.no)
                || (child > 0 && merge(pages, above.no, child - 1, child, step.no));
            if !merged {
                return;
            }
            path.pop();
        }
    }

    /// An inner root with one child gives way to it.
    fn drop_root<P: TreePages>(&mut self, pages: &P) {
        while self.levels > 1 {
            let child = match pages.page(self.root) {
                Ok(page) => match Node::of(&page) {
                    Some(node) if node.count() == 0 => node.child(0),
                    _ => return,
                },
                Err(_) => return,
            };
            pages.free(self.root);
            self.root = child;
            self.levels -= 1;
        }
    }
}

/// Merges two children that are neighbours into the one of them that is
/// writable, if they are two and small enough, and gives the other back.
fn merge<P: TreePages>(pages: &P, above: u32, left: usize, right: usize, writable: u32) -> bool {
    let Some((draft, other)) = merged(pages, above, left, right, writable) else { return false };
    draft.put(&mut pages.page_mut(writable));
    let mut page = pages.page_mut(above);
    // The right one goes, with the key before it.
    edit::remove_child(&mut page, right);
    edit::set_child(&mut page, left, writable);
    drop(page);
    pages.free(other);
    true
}

fn merged<P: TreePages>(
    pages: &P,
    above: u32,
    left: usize,
    right: usize,
    writable: u32,
) -> Option<(super::run::Draft, u32)> {
    let page = pages.page(above).ok()?;
    let parent = Node::of(&page)?;
    if right > parent.count() {
        return None;
    }
    let level = parent.level().checked_sub(1)?;
    let (left_no, right_no) = (parent.child(left), parent.child(right));
    let (left_page, right_page) = (pages.page(left_no).ok()?, pages.page(right_no).ok()?);
    let left_node = Node::open(&left_page, left_no, level).ok()?;
    let right_node = Node::open(&right_page, right_no, level).ok()?;
    let key = super::run::Key::of(parent.pieces(right - 1));
    let between = (level > 0).then(|| (key.as_slice(), u64::from(right_node.child(0))));
    let run = KeyRun::joined(left_node, between, right_node);
    if run.bytes(0..run.len()) > MERGED_BYTES_MAX {
        return None;
    }
    let first = if level > 0 { left_node.child(0) } else { 0 };
    let other = if left_no == writable { right_no } else { left_no };
    Some((run.build(0..run.len(), first), other))
}
