//! Our keys as sled's: all spaces are in one tree, since a batch of sled is
//! atomic to crashes within one.
//!
//! A key is its space's number, then its bytes, of which 0xff is written as
//! 0xff 0x00. That keeps the order, and no key has 0xff twice in a row. sled
//! needs it: where a backward walk leaves a node, it looks for the one before
//! at the node's lowest key less one, followed by four times 0xff, and turns
//! round for ever if a whole node of keys lies between.

use bytes::Bytes;
use hozo_ordered::Space;

/// What follows each 0xff.
const ESCAPED: u8 = 0;

pub(super) fn encode(space: Space, key: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(1 + key.len());
    encoded.push(space.number());
    let mut rest = key;
    while let Some(at) = rest.iter().position(|byte| *byte == 0xff) {
        encoded.extend_from_slice(&rest[..=at]);
        encoded.push(ESCAPED);
        rest = &rest[at + 1..];
    }
    encoded.extend_from_slice(rest);
    encoded
}

/// The key of an encoded one, whatever its space.
pub(super) fn decode(encoded: &[u8]) -> Bytes {
    let mut rest = encoded.get(1..).unwrap_or_default();
    if !rest.contains(&0xff) {
        return Bytes::copy_from_slice(rest);
    }
    let mut key = Vec::with_capacity(rest.len());
    while let Some(at) = rest.iter().position(|byte| *byte == 0xff) {
        key.extend_from_slice(&rest[..=at]);
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    key.extend_from_slice(rest);
    key.into()
}
