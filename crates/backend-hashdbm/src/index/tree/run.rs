//! A run of keys that is to become a node: parts of one or two nodes and
//! possibly one key between them.

use std::ops::Range;

use super::super::page::BODY_BYTES;
use super::KEY_BYTES_MAX;
use super::node::{
    COUNT, FIRST, HEAD, HEAP, KEYS, LEVEL, MARK_COUNT, MARKS, NEWEST, Node, PREFIX, RUN, SLOT,
    head_of, marked, rest_of,
};
use super::pages::Body;

/// A key, put together where nothing may be allocated.
pub(super) struct Key {
    bytes: [u8; KEY_BYTES_MAX],
    len: usize,
}

impl Key {
    pub(super) fn new() -> Self {
        Key { bytes: [0; KEY_BYTES_MAX], len: 0 }
    }

    pub(super) fn of(pieces: [&[u8]; 3]) -> Self {
        let mut key = Key::new();
        key.set(pieces);
        key
    }

    fn set(&mut self, pieces: [&[u8]; 3]) {
        self.len = 0;
        for piece in pieces {
            // Only a page that is not what it was could hold longer keys.
            let room = &mut self.bytes[self.len..];
            let piece = &piece[..piece.len().min(room.len())];
            room[..piece.len()].copy_from_slice(piece);
            self.len += piece.len();
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// How many bytes two keys share at their beginning.
pub(super) fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Bytes that one key takes in a node beside the prefix.
pub(super) fn entry_bytes(suffix_len: usize) -> usize {
    SLOT + suffix_len.saturating_sub(HEAD)
}

/// Keys in order, each with its value.
pub(super) struct KeyRun<'a> {
    before: (Node<'a>, Range<usize>),
    between: Option<(&'a [u8], u64)>,
    after: (Node<'a>, Range<usize>),
}

impl<'a> KeyRun<'a> {
    /// The keys of a node and one more, at this place.
    pub(super) fn with(node: Node<'a>, at: usize, key: &'a [u8], value: u64) -> Self {
        KeyRun {
            before: (node, 0..at),
            between: Some((key, value)),
            after: (node, at..node.count()),
        }
    }

    /// The keys of two neighbours, and between inner nodes what separated them.
    pub(super) fn joined(
        left: Node<'a>,
        between: Option<(&'a [u8], u64)>,
        right: Node<'a>,
    ) -> Self {
        KeyRun { before: (left, 0..left.count()), between, after: (right, 0..right.count()) }
    }

    pub(super) fn level(&self) -> u8 {
        self.before.0.level()
    }

    pub(super) fn len(&self) -> usize {
        self.before.1.len() + usize::from(self.between.is_some()) + self.after.1.len()
    }

    /// Key `i` in pieces, its length, its value.
    fn entry(&self, i: usize) -> ([&'a [u8]; 3], usize, u64) {
        let (node, range) = &self.before;
        let of = |node: &Node<'a>, i| (node.pieces(i), node.key_len(i), node.value(i));
        if i < range.len() {
            return of(node, range.start + i);
        }
        let mut i = i - range.len();
        if let Some((key, value)) = self.between {
            if i == 0 {
                return ([&[], key, &[]], key.len(), value);
            }
            i -= 1;
        }
        of(&self.after.0, self.after.1.start + i)
    }

    pub(super) fn key(&self, i: usize) -> Key {
        Key::of(self.entry(i).0)
    }

    pub(super) fn key_len(&self, i: usize) -> usize {
        self.entry(i).1
    }

    pub(super) fn value(&self, i: usize) -> u64 {
        self.entry(i).2
    }

    /// The prefix length with which these keys take the fewest bytes. Bytes
    /// that fit into the heads anyway are left to them: so a prefix need not
    /// shrink while a counter at the end of the keys counts.
    fn prefix_len(&self, range: &Range<usize>) -> usize {
        let (Some(last), longest) =
            (range.clone().last(), range.clone().map(|i| self.key_len(i)).max().unwrap_or(0))
        else {
            return 0;
        };
        common(self.key(range.start).as_slice(), self.key(last).as_slice())
            .min(longest.saturating_sub(HEAD))
    }

    /// How much of a page a node of these keys takes.
    pub(super) fn bytes(&self, range: Range<usize>) -> usize {
        let prefix = self.prefix_len(&range);
        let entries = range.map(|i| entry_bytes(self.key_len(i).saturating_sub(prefix)));
        KEYS + prefix + entries.sum::<usize>()
    }

    pub(super) fn fits(&self, range: Range<usize>) -> bool {
        self.bytes(range) <= BODY_BYTES
    }

    /// A node of these keys, which must fit; `first` is an inner node's child
    /// below its first key.
    pub(super) fn build(&self, range: Range<usize>, first: u32) -> Draft {
        let level = self.level();
        let prefix = self.prefix_len(&range);
        let mut page = [0; BODY_BYTES];
        page[LEVEL] = level;
        put_u16(&mut page, COUNT, range.len());
        put_u16(&mut page, PREFIX, prefix);
        page[FIRST..MARKS].copy_from_slice(&first.to_le_bytes());
        let mut slot = KEYS + prefix;
        let mut heap = BODY_BYTES;
        let mut key = Key::new();
        for i in range {
            let (pieces, _, value) = self.entry(i);
            key.set(pieces);
            // Only of keys that do not ascend could one be shorter.
            let (shared, suffix) = key.as_slice().split_at_checked(prefix).unwrap_or_default();
            page[KEYS..KEYS + shared.len()].copy_from_slice(shared);
            heap = put_entry(&mut page, slot, heap, suffix, value);
            slot += SLOT;
        }
        put_u16(&mut page, HEAP, heap);
        put_marks(&mut page);
        Draft { page }
    }
}

/// A node that is not in its page yet.
pub(super) struct Draft {
    page: Body,
}

impl Draft {
    /// Remembers where the newest key is and how many were put in a row.
    pub(super) fn newest(mut self, (at, run): (usize, u8)) -> Self {
        put_u16(&mut self.page, NEWEST, at);
        self.page[RUN] = run;
        self
    }

    /// Puts the node into its page.
    pub(super) fn put(&self, page: &mut Body) {
        page.copy_from_slice(&self.page);
    }
}

/// An empty leaf.
pub(super) fn empty_leaf() -> Draft {
    let mut page = [0; BODY_BYTES];
    put_u16(&mut page, HEAP, BODY_BYTES);
    Draft { page }
}

/// An inner node that has one child and no key.
pub(super) fn inner(level: u8, first: u32) -> Draft {
    let mut draft = empty_leaf();
    draft.page[LEVEL] = level;
    draft.page[FIRST..MARKS].copy_from_slice(&first.to_le_bytes());
    draft
}

// Every number that is stored in two bytes is at most the size of a page.
pub(super) fn put_u16(page: &mut Body, at: usize, number: usize) {
    page[at..at + 2].copy_from_slice(&(number as u16).to_le_bytes());
}

/// Writes a slot and what belongs to it in the heap; gives where the heap
/// begins then.
pub(super) fn put_entry(
    page: &mut Body,
    slot: usize,
    heap: usize,
    suffix: &[u8],
    value: u64,
) -> usize {
    let rest = rest_of(suffix);
    let at = heap - rest.len();
    page[slot..slot + HEAD].copy_from_slice(&head_of(suffix).to_be_bytes());
    page[slot + HEAD..slot + HEAD + 8].copy_from_slice(&value.to_le_bytes());
    put_u16(page, slot + HEAD + 8, at);
    put_u16(page, slot + HEAD + 10, suffix.len());
    page[at..heap].copy_from_slice(rest);
    at
}

/// Makes the marks those of the slots.
pub(super) fn put_marks(page: &mut Body) {
    let Some(node) = Node::of(page) else { return };
    let count = node.count();
    if count == 0 {
        return;
    }
    let marks: [u64; MARK_COUNT] = std::array::from_fn(|i| node.head(marked(i, count)));
    for (to, mark) in page[MARKS..KEYS].as_chunks_mut::<HEAD>().0.iter_mut().zip(marks) {
        *to = mark.to_be_bytes();
    }
}
