//! Where namespaces are in a store's metadata.
//!
//! | key | value |
//! |---|---|
//! | `n/` name | [`NameRecord`](crate::records::NameRecord): which id has the name |
//! | `i/` id | [`IdRecord`](crate::records::IdRecord): what never changes; every commit of the namespace is conditional on it |
//! | `s/` id | [`Settings`](crate::records::Settings): what may change |
//! | `d/` id | [`Tombstone`](crate::records::Tombstone): a deleted namespace whose pages are still there |
//! | `c/next-id` | the id that the next namespace gets |
//!
//! Ids are 8 bytes, big-endian, so that they sort.

use bytes::Bytes;
use hozo_traits::NamespaceId;

use crate::NamespaceName;

/// Before every name.
pub(crate) const NAMES: &[u8] = b"n/";

/// Before the id of every deleted namespace.
pub(crate) const TOMBSTONES: &[u8] = b"d/";

/// The id that the next namespace gets.
pub(crate) const NEXT_ID: Bytes = Bytes::from_static(b"c/next-id");

pub(crate) fn name(name: &NamespaceName) -> Bytes {
    [NAMES, name.as_str().as_bytes()].concat().into()
}

pub(crate) fn id(id: NamespaceId) -> Bytes {
    with_id(b"i/", id)
}

pub(crate) fn settings(id: NamespaceId) -> Bytes {
    with_id(b"s/", id)
}

pub(crate) fn tombstone(id: NamespaceId) -> Bytes {
    with_id(TOMBSTONES, id)
}

fn with_id(prefix: &[u8], id: NamespaceId) -> Bytes {
    [prefix, &id.0.to_be_bytes()].concat().into()
}
