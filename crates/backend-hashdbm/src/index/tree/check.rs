//! Whether a tree is what a tree must be, and which pages are its.

use hozo_traits::{Error, ErrorKind, Result};

use super::super::page::BODY_BYTES;
use super::node::{HEAD, MARK_COUNT, Node, marked};
use super::pages::TreePages;
use super::{KEY_BYTES_MAX, Tree};

/// What a tree that was checked looks like.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    /// Pages, leaves and others.
    pub(crate) pages: u64,
    /// Leaves.
    pub(crate) leaves: u64,
    /// Bytes that are in use in the leaves.
    pub(crate) leaf_bytes: u64,
    /// Keys.
    pub(crate) entries: u64,
}

#[cfg(test)]
impl Shape {
    /// How much of the leaves is used, in percent.
    pub(crate) fn fill(&self) -> u64 {
        (self.leaf_bytes * 100).checked_div(self.leaves * BODY_BYTES as u64).unwrap_or(0)
    }
}

impl Tree {
    /// Shows the number of every page of the tree, before what is below it.
    /// Leaves are not read. An error of `show` ends it: pages that are shown
    /// twice may be shown without end.
    pub(crate) fn page_numbers<P: TreePages>(
        &self,
        pages: &P,
        show: &mut dyn FnMut(u32) -> Result<()>,
    ) -> Result<()> {
        match self.levels.checked_sub(1) {
            Some(level) => numbers_below(pages, self.root, level, show),
            None => Ok(()),
        }
    }

    /// Reads everything and compares it with what must hold: keys ascend and
    /// lie between what separates their node from its neighbours, sizes add up,
    /// every leaf is as far from the root, the number of keys is right.
    pub(crate) fn check<P: TreePages>(&self, pages: &P) -> Result<Shape> {
        let mut check = Check { pages, shape: Shape::default(), key: Vec::new() };
        if let Some(level) = self.levels.checked_sub(1) {
            check.node(self.root, level, &[], None)?;
        }
        if check.shape.entries != self.entries {
            return Err(wrong("the tree has another number of keys than its root says")
                .with("keys", check.shape.entries)
                .with("root says", self.entries));
        }
        Ok(check.shape)
    }
}

fn numbers_below<P: TreePages>(
    pages: &P,
    no: u32,
    level: u8,
    show: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<()> {
    show(no)?;
    let Some(below) = level.checked_sub(1) else { return Ok(()) };
    let page = pages.page(no)?;
    let node = Node::open(&page, no, level)?;
    for i in 0..=node.count() {
        numbers_below(pages, node.child(i), below, show)?;
    }
    Ok(())
}

struct Check<'a, P> {
    pages: &'a P,
    shape: Shape,
    key: Vec<u8>,
}

impl<P: TreePages> Check<'_, P> {
    fn node(&mut self, no: u32, level: u8, low: &[u8], high: Option<&[u8]>) -> Result<()> {
        let page = self.pages.page(no)?;
        let node = Node::open(&page, no, level)?;
        self.shape.pages += 1;
        self.sizes(&node).map_err(|e| e.with("index page", no))?;
        self.order(&node, low, high).map_err(|e| e.with("index page", no))?;
        let Some(below) = level.checked_sub(1) else {
            self.shape.leaves += 1;
            self.shape.leaf_bytes += node.used() as u64;
            self.shape.entries += node.count() as u64;
            return Ok(());
        };
        let mut from = low.to_vec();
        let mut to = Vec::new();
        for i in 0..node.count() {
            node.key(i, &mut to);
            self.node(node.child(i), below, &from, Some(&to))?;
            std::mem::swap(&mut from, &mut to);
        }
        self.node(node.child(node.count()), below, &from, high)
    }

    /// The marks are those of the slots; what the heap holds does not overlap and adds up.
    fn sizes(&self, node: &Node<'_>) -> Result<()> {
        if node.level() == 0 && node.count() == 0 {
            return Err(wrong("a leaf of the tree is empty"));
        }
        let count = node.count();
        if (0..MARK_COUNT).any(|i| count > 0 && node.mark(i) != node.head(marked(i, count))) {
            return Err(wrong("a tree node's marks are not those of its slots"));
        }
        let mut parts = Vec::new();
        for i in 0..node.count() {
            let len = node.suffix_len(i).saturating_sub(HEAD);
            parts.push((node.offset(i), len));
            if node.key_len(i) > KEY_BYTES_MAX || node.key_len(i) == 0 {
                return Err(wrong("a key in the tree has an impossible length")
                    .with("slot", i)
                    .with("bytes", node.key_len(i)));
            }
        }
        parts.sort_unstable();
        let mut free_from = node.slots_end() + node.gap();
        let mut dead = 0;
        for (at, len) in parts {
            if at < free_from || at + len > BODY_BYTES {
                return Err(wrong("the keys of a tree node overlap").with("offset", at));
            }
            dead += at - free_from;
            free_from = at + len;
        }
        dead += BODY_BYTES - free_from;
        if dead != node.dead() {
            return Err(wrong("a tree node's unused bytes do not add up")
                .with("unused", dead)
                .with("node says", node.dead()));
        }
        Ok(())
    }

    fn order(&mut self, node: &Node<'_>, low: &[u8], high: Option<&[u8]>) -> Result<()> {
        let mut before: Option<Vec<u8>> = None;
        for i in 0..node.count() {
            node.key(i, &mut self.key);
            let key = self.key.as_slice();
            if before.as_deref().is_some_and(|before| key <= before) {
                return Err(
                    wrong("a key of the tree is not above the one before it").with("slot", i)
                );
            }
            if key < low || high.is_some_and(|high| key >= high) {
                return Err(
                    wrong("a key of the tree is outside of what its node is for").with("slot", i)
                );
            }
            if node.search(key) != Ok(i) {
                return Err(wrong("a key of the tree is not found where it is").with("slot", i));
            }
            before = Some(key.to_vec());
        }
        Ok(())
    }
}

fn wrong(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}
