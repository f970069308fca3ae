//! Where things are in the cluster: prefix, number of the space, key.

use hozo_ordered::{KeyRange, Space};

/// The space that is the engine's own: marks of writes. The last number below every
/// character, with room for more of `Space`.
const MARKS: u8 = 31;
const _: () = assert!(Space::ALL.len() <= MARKS as usize, "a space has the number of the marks");

/// The keys of one store.
pub(super) struct Keys {
    prefix: Vec<u8>,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        // The number of a space is below every character that a prefix may have:
        // so what begins with a longer prefix is between no two keys of a space.
        Keys { prefix: prefix.as_bytes().to_vec() }
    }

    /// How long what comes before a key is.
    pub(super) fn before(&self) -> usize {
        self.prefix.len() + 1
    }

    fn numbered(&self, number: u8, key: &[u8]) -> Vec<u8> {
        let mut full = Vec::with_capacity(self.before() + key.len() + 4);
        full.extend_from_slice(&self.prefix);
        full.push(number);
        full.extend_from_slice(key);
        full
    }

    pub(super) fn key(&self, space: Space, key: &[u8]) -> Vec<u8> {
        self.numbered(space.number(), key)
    }

    /// From the first key to below the second: this range, both ends included.
    pub(super) fn range(&self, space: Space, range: &KeyRange) -> (Vec<u8>, Vec<u8>) {
        (self.key(space, &range.start), after(self.key(space, &range.end)))
    }

    /// Where a process marks its writes.
    pub(super) fn mark(&self, process: &[u8; 16], slot: u16) -> Vec<u8> {
        self.numbered(MARKS, &[process.as_slice(), &slot.to_be_bytes()].concat())
    }

    /// The marks of processes up to this one.
    pub(super) fn marks_before(&self, process: &[u8; 16]) -> (Vec<u8>, Vec<u8>) {
        (self.numbered(MARKS, b""), self.numbered(MARKS, process))
    }
}

/// The key right behind.
pub(super) fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}
