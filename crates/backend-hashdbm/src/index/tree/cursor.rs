//! Going through the keys in order.

use hozo_traits::Result;

use super::Tree;
use super::node::Node;
use super::pages::TreePages;

/// Which way a cursor goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// From the smallest key on.
    Up,
    /// From the largest key on.
    Down,
}

/// A place in a range of keys. It holds no page and no lock: between two steps
/// the tree may change, and the cursor goes on behind the key that it gave
/// last, whether that is still there or not.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
    direction: Direction,
    /// The key that was given last.
    key: Vec<u8>,
    begun: bool,
    /// Where that key is, as long as the tree's pages and changes are these.
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    root: u32,
    changes: u64,
    leaf: u32,
    slot: usize,
}

impl Cursor {
    /// A cursor before the first key of the range, as seen in its direction.
    /// The range goes from `start` on to below `end`, or to the last key.
    pub(crate) fn new(start: &[u8], end: Option<&[u8]>, direction: Direction) -> Self {
        Cursor {
            start: start.to_vec(),
            end: end.map(<[u8]>::to_vec),
            direction,
            key: Vec::new(),
            begun: false,
            place: None,
        }
    }

    /// The next key and its value; nothing when the range has no more now.
    #[inline]
    pub(crate) fn next<P: TreePages>(
        &mut self,
        tree: &Tree,
        pages: &P,
    ) -> Result<Option<(&[u8], u64)>> {
        let here = self.place.take().filter(|p| p.root == tree.root && p.changes == tree.changes);
        let slot = here.and_then(|place| match self.direction {
            Direction::Up => Some(place.slot + 1),
            Direction::Down => place.slot.checked_sub(1),
        });
        if let (Some(place), Some(slot)) = (here, slot) {
            let page = pages.page(place.leaf)?;
            let node = Node::open(&page, place.leaf, 0)?;
            if slot < node.count() {
                return Ok(self.give(node, Place { slot, ..place }));
            }
        }
        let Some((leaf, slot)) = self.seek(tree, pages)? else { return Ok(None) };
        let page = pages.page(leaf)?;
        let node = Node::open(&page, leaf, 0)?;
        let place = Place { root: tree.root, changes: tree.changes, leaf, slot };
        Ok(self.give(node, place))
    }

    fn seek<P: TreePages>(&self, tree: &Tree, pages: &P) -> Result<Option<(u32, usize)>> {
        match (self.direction, self.begun) {
            (Direction::Up, false) => tree.seek_above(pages, (&self.start, true)),
            (Direction::Up, true) => tree.seek_above(pages, (&self.key, false)),
            (Direction::Down, false) => {
                tree.seek_below(pages, self.end.as_deref().map(|end| (end, false)))
            }
            (Direction::Down, true) => tree.seek_below(pages, Some((&self.key, false))),
        }
    }

    /// Gives the key there, unless it is beyond the range: then the cursor
    /// stays where it was.
    fn give(&mut self, node: Node<'_>, place: Place) -> Option<(&[u8], u64)> {
        let compare = |bound: &[u8]| node.compare(place.slot, bound);
        let within = match self.direction {
            Direction::Up => self.end.as_deref().is_none_or(|end| compare(end).is_lt()),
            Direction::Down => compare(&self.start).is_ge(),
        };
        if !within {
            return None;
        }
        node.key(place.slot, &mut self.key);
        self.begun = true;
        self.place = Some(place);
        Some((&self.key, node.value(place.slot)))
    }
}
