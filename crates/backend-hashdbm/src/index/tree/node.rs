//! A node as it lies in its page, read only.
//!
//! Whatever the bytes are, nothing here panics or reads beyond the page. A page
//! has a checksum, so what would be nonsense is not met by accident.

use std::cmp::Ordering;

use hozo_traits::{Error, ErrorKind, Result};

use super::super::page::BODY_BYTES;
use super::KEY_BYTES_MAX;
use super::pages::Body;

/// Distance from the leaves.
pub(super) const LEVEL: usize = 0;
pub(super) const RUN: usize = 1;
pub(super) const COUNT: usize = 2;
pub(super) const PREFIX: usize = 4;
pub(super) const HEAP: usize = 6;
pub(super) const DEAD: usize = 8;
pub(super) const NEWEST: usize = 10;
pub(super) const FIRST: usize = 12;
/// Heads of some of the slots: see [`Node::first_at_or_above`].
pub(super) const MARKS: usize = 16;
/// How many those are.
pub(super) const MARK_COUNT: usize = 7;
/// Where the prefix begins.
pub(super) const KEYS: usize = MARKS + MARK_COUNT * HEAD;

/// Bytes of a slot: the head, the value (in an inner node the number of the
/// child), offset in the heap, length after the prefix.
pub(super) const SLOT: usize = 20;
/// How many bytes of a key, after the prefix, are in its slot.
pub(super) const HEAD: usize = 8;

/// Which slot's head mark `i` of a node with so many slots repeats.
pub(super) fn marked(i: usize, count: usize) -> usize {
    (i + 1) * count / (MARK_COUNT + 1)
}

pub(super) fn get_u16(page: &Body, at: usize) -> usize {
    usize::from(u16::from_le_bytes([page[at], page[at + 1]]))
}

/// The first eight bytes after the prefix, as a number that orders like them.
#[inline]
pub(super) fn head_of(suffix: &[u8]) -> u64 {
    match suffix.first_chunk::<HEAD>() {
        Some(head) => u64::from_be_bytes(*head),
        None => {
            let mut head = [0; HEAD];
            head[..suffix.len()].copy_from_slice(suffix);
            u64::from_be_bytes(head)
        }
    }
}

pub(super) fn rest_of(suffix: &[u8]) -> &[u8] {
    suffix.get(HEAD..).unwrap_or(&[])
}

/// Compares as slices do, without asking the C library about slices of no
/// byte: where those point nowhere, its vector loads cost a hundred
/// nanoseconds.
#[inline]
pub(super) fn order(a: &[u8], b: &[u8]) -> Ordering {
    if a.is_empty() || b.is_empty() { a.len().cmp(&b.len()) } else { a.cmp(b) }
}

/// A node that is being read.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    page: &'a Body,
    slots: &'a [[u8; SLOT]],
    prefix: &'a [u8],
    level: u8,
}

impl<'a> Node<'a> {
    /// The node of this page, which must be of this level.
    #[inline]
    pub(super) fn open(page: &'a Body, no: u32, level: u8) -> Result<Self> {
        match Self::of(page) {
            Some(node) if node.level == level => Ok(node),
            _ => Err(not_a_node(no, level)),
        }
    }

    /// The node of this page, unless its sizes are impossible.
    #[inline]
    pub(super) fn of(page: &'a Body) -> Option<Self> {
        let slots_at = KEYS + get_u16(page, PREFIX);
        let slots_end = slots_at + get_u16(page, COUNT) * SLOT;
        let heap = get_u16(page, HEAP);
        if slots_end > heap || heap > BODY_BYTES {
            return None;
        }
        let prefix = page.get(KEYS..slots_at)?;
        let slots = page.get(slots_at..slots_end)?.as_chunks().0;
        Some(Node { page, slots, prefix, level: page[LEVEL] })
    }

    /// Whether everything in the page lies within it, adds up, and is in the
    /// order of the heads: what the rest of the tree relies on without asking.
    /// Costs one pass over the slots.
    pub(super) fn is_sound(&self) -> bool {
        let (count, heap) = (self.count(), get_u16(self.page, HEAP));
        let (mut used, mut last) = (0, 0);
        for i in 0..count {
            let len = self.suffix_len(i).saturating_sub(HEAD);
            let (at, key_len, head) = (self.offset(i), self.key_len(i), self.head(i));
            let lies = len == 0 || (at >= heap && at + len <= BODY_BYTES);
            if !lies || !(1..=KEY_BYTES_MAX).contains(&key_len) || head < last {
                return false;
            }
            (used, last) = (used + len, head);
        }
        let marked = |i| count == 0 || self.mark(i) == self.head(marked(i, count));
        used + self.dead() == BODY_BYTES - heap
            && (0..MARK_COUNT).all(marked)
            && (self.level > 0 || count > 0)
    }

    pub(super) fn level(&self) -> u8 {
        self.level
    }

    pub(super) fn count(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn prefix(&self) -> &'a [u8] {
        self.prefix
    }

    /// Bytes between the slots and the heap.
    pub(super) fn gap(&self) -> usize {
        get_u16(self.page, HEAP) - self.slots_end()
    }

    /// Bytes of the heap that nothing uses.
    pub(super) fn dead(&self) -> usize {
        get_u16(self.page, DEAD)
    }

    /// Bytes of the page that are in use.
    pub(super) fn used(&self) -> usize {
        BODY_BYTES.saturating_sub(self.gap() + self.dead())
    }

    pub(super) fn slots_end(&self) -> usize {
        KEYS + self.prefix.len() + self.slots.len() * SLOT
    }

    /// Where the newest key was put, and how many before it were put each just
    /// after the one before.
    pub(super) fn newest(&self) -> (usize, u8) {
        (get_u16(self.page, NEWEST), self.page[RUN])
    }

    #[inline]
    pub(super) fn head(&self, i: usize) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.slots[i];
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    #[inline]
    pub(super) fn offset(&self, i: usize) -> usize {
        let [.., a, b, _, _] = self.slots[i];
        usize::from(u16::from_le_bytes([a, b]))
    }

    /// How long the key is without the prefix.
    #[inline]
    pub(super) fn suffix_len(&self, i: usize) -> usize {
        let [.., a, b] = self.slots[i];
        usize::from(u16::from_le_bytes([a, b]))
    }

    pub(super) fn key_len(&self, i: usize) -> usize {
        self.prefix.len() + self.suffix_len(i)
    }

    #[inline]
    pub(super) fn rest(&self, i: usize) -> &'a [u8] {
        let at = self.offset(i);
        let len = self.suffix_len(i).saturating_sub(HEAD);
        self.page.get(at..at + len).unwrap_or(&[])
    }

    /// A key in three pieces: prefix, head, rest.
    #[inline]
    pub(super) fn pieces(&self, i: usize) -> [&'a [u8]; 3] {
        let head = &self.slots[i][..self.suffix_len(i).min(HEAD)];
        [self.prefix, head, self.rest(i)]
    }

    /// Writes a key over whatever is in `key`.
    #[inline]
    pub(super) fn key(&self, i: usize, key: &mut Vec<u8>) {
        key.clear();
        for piece in self.pieces(i) {
            key.extend_from_slice(piece);
        }
    }

    /// How a key compares to another.
    pub(super) fn compare(&self, i: usize, other: &[u8]) -> Ordering {
        let mut other = other;
        for piece in self.pieces(i) {
            let (same, rest) = other.split_at(piece.len().min(other.len()));
            match order(piece, same) {
                Ordering::Equal => other = rest,
                unequal => return unequal,
            }
        }
        if other.is_empty() { Ordering::Equal } else { Ordering::Less }
    }

    #[inline]
    pub(super) fn value(&self, i: usize) -> u64 {
        let [_, _, _, _, _, _, _, _, a, b, c, d, e, f, g, h, ..] = self.slots[i];
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Child `i` of an inner node: child 0 is below the first key, child `i`
    /// at or above key `i - 1`.
    #[inline]
    pub(super) fn child(&self, i: usize) -> u32 {
        if i == 0 {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| self.page[FIRST + i]);
            u32::from_le_bytes([a, b, c, d])
        } else {
            // An inner node's values are page numbers.
            self.value(i - 1) as u32
        }
    }

    /// The number of the child that may hold the key.
    #[inline]
    pub(super) fn child_for(&self, key: &[u8]) -> usize {
        match self.search(key) {
            Ok(i) => i + 1,
            Err(i) => i,
        }
    }

    /// Where the key is, or where it would be.
    #[inline]
    pub(super) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let Some(suffix) = key.strip_prefix(self.prefix) else {
            return Err(if key < self.prefix { 0 } else { self.count() });
        };
        let head = head_of(suffix);
        let from = self.first_at_or_above(head);
        if from == self.count() || self.head(from) != head {
            return Err(from);
        }
        let mut to = from + 1;
        if to < self.count() && self.head(to) == head {
            to = match head.checked_add(1) {
                Some(above) => self.first_at_or_above(above),
                None => self.count(),
            };
        }
        self.search_rest(suffix, from, to)
    }

    /// Searches among keys with the same head.
    #[inline]
    fn search_rest(&self, suffix: &[u8], mut from: usize, mut to: usize) -> Result<usize, usize> {
        let rest = rest_of(suffix);
        while from < to {
            let middle = from.midpoint(to);
            // Heads that are equal only by their padding differ in length.
            let order = order(self.rest(middle), rest)
                .then_with(|| self.suffix_len(middle).cmp(&suffix.len()));
            match order {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => to = middle,
            }
        }
        Err(from)
    }

    #[inline]
    pub(super) fn mark(&self, i: usize) -> u64 {
        let marks = &self.page[MARKS..KEYS].as_chunks().0;
        u64::from_be_bytes(marks[i])
    }

    /// The first slot whose head is at least this. The marks at the page's
    /// beginning say in which eighth of the slots it is; there each round looks
    /// at seven slots that do not depend on each other. So a page that is in no
    /// cache costs two waits for memory, where halving would take eight.
    #[inline]
    fn first_at_or_above(&self, head: u64) -> usize {
        let count = self.count();
        let below: usize = (0..MARK_COUNT).map(|i| usize::from(self.mark(i) < head)).sum();
        let mut from = if below == 0 { 0 } else { (marked(below - 1, count) + 1).min(count) };
        let mut to = if below == MARK_COUNT { count } else { marked(below, count).max(from) };
        while to - from > 16 {
            let step = (to - from) / 8;
            let below: usize = (1..8).map(|i| usize::from(self.head(from + i * step) < head)).sum();
            if below < 7 {
                to = from + (below + 1) * step;
            }
            if below > 0 {
                from += below * step + 1;
            }
        }
        let heads = &self.slots[from..to];
        from + heads.iter().filter(|slot| head_of(*slot) < head).count()
    }
}

#[cold]
fn not_a_node(no: u32, level: u8) -> Error {
    Error::new(ErrorKind::Corrupt, "a page of the index is not the tree node that it should be")
        .with("index page", no)
        .with("level", level)
}
