//! The tree's keys: the space's number, then the key.

use hozo_ordered::Space;

/// Keys as long as this are made without allocating.
const SHORT: usize = 47;

/// A key of the tree.
pub(super) enum TreeKey {
    Short { bytes: [u8; SHORT], len: u8 },
    Long(Vec<u8>),
}

impl TreeKey {
    pub(super) fn new(space: Space, key: &[u8]) -> TreeKey {
        Self::of(space.number(), key)
    }

    pub(super) fn of(space: u8, key: &[u8]) -> TreeKey {
        let len = key.len() + 1;
        if len > SHORT {
            let mut bytes = Vec::with_capacity(len);
            bytes.push(space);
            bytes.extend_from_slice(key);
            return TreeKey::Long(bytes);
        }
        let mut bytes = [0; SHORT];
        bytes[0] = space;
        bytes[1..len].copy_from_slice(key);
        TreeKey::Short { bytes, len: len as u8 }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            TreeKey::Short { bytes, len } => &bytes[..usize::from(*len)],
            TreeKey::Long(bytes) => bytes,
        }
    }
}
