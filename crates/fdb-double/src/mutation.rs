//! What a transaction changes, and what that weighs.

use crate::atomic::Atomic;
use crate::codes::{self, Code};

/// From the first key to below the second.
pub(crate) type Range = (Vec<u8>, Vec<u8>);

/// The range of one key.
pub(crate) fn single(key: &[u8]) -> Range {
    let mut end = key.to_vec();
    end.push(0);
    (key.to_vec(), end)
}

/// Whether two ranges have a key in common.
pub(crate) fn meet(a: &Range, b: &Range) -> bool {
    a.0 < b.1 && b.0 < a.1
}

/// Bytes of a mutation besides its key and value, and of a range besides its ends:
/// the sizes of the client's own structures, which count towards the limit.
const MUTATION_BYTES: usize = 48;
const RANGE_BYTES: usize = 24;

/// One step of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mutation {
    Set(Vec<u8>, Vec<u8>),
    /// Clears from the first key to below the second.
    Clear(Range),
    Atomic(Atomic, Vec<u8>, Vec<u8>),
    /// Key without its offset, where the stamp goes, value.
    StampedKey(Vec<u8>, usize, Vec<u8>),
    /// Key, value without its offset, where the stamp goes.
    StampedValue(Vec<u8>, Vec<u8>, usize),
}

/// Ten bytes: the version of a commit, and its place among those of this version.
pub(crate) fn stamp(version: i64, batch: u16) -> [u8; 10] {
    let mut stamp = [0; 10];
    stamp[..8].copy_from_slice(&version.to_be_bytes());
    stamp[8..].copy_from_slice(&batch.to_be_bytes());
    stamp
}

/// Takes the offset off the end, and looks whether a stamp fits there.
fn split_offset(mut bytes: Vec<u8>) -> Result<(Vec<u8>, usize), Code> {
    let at = bytes.len().checked_sub(4).ok_or(codes::INVALID_OPERATION)?;
    let offset = bytes.split_off(at);
    let offset = <[u8; 4]>::try_from(offset).map_err(|_| codes::INVALID_OPERATION)?;
    let offset = usize::try_from(u32::from_le_bytes(offset)).unwrap_or(usize::MAX);
    match offset.checked_add(10) {
        Some(end) if end <= bytes.len() => Ok((bytes, offset)),
        _ => Err(codes::INVALID_OPERATION),
    }
}

impl Mutation {
    /// An atomic operation, by its number.
    pub(crate) fn atomic(code: u32, key: &[u8], operand: &[u8]) -> Result<Mutation, Code> {
        match code {
            14 => {
                let (key, at) = split_offset(key.to_vec())?;
                Ok(Mutation::StampedKey(key, at, operand.to_vec()))
            }
            15 => {
                let (value, at) = split_offset(operand.to_vec())?;
                Ok(Mutation::StampedValue(key.to_vec(), value, at))
            }
            _ => {
                let atomic = Atomic::from_code(code).ok_or(codes::INVALID_MUTATION_TYPE)?;
                Ok(Mutation::Atomic(atomic, key.to_vec(), operand.to_vec()))
            }
        }
    }

    /// With the stamp where it belongs.
    pub(crate) fn stamped(self, stamp: [u8; 10]) -> Mutation {
        let put = |mut bytes: Vec<u8>, at: usize| {
            bytes[at..at + 10].copy_from_slice(&stamp);
            bytes
        };
        match self {
            Mutation::StampedKey(key, at, value) => Mutation::Set(put(key, at), value),
            Mutation::StampedValue(key, value, at) => Mutation::Set(key, put(value, at)),
            other => other,
        }
    }

    /// What it conflicts with; for a key that has no stamp yet, nothing yet.
    pub(crate) fn writes(&self) -> Option<Range> {
        match self {
            Mutation::Set(key, _)
            | Mutation::Atomic(_, key, _)
            | Mutation::StampedValue(key, _, _) => Some(single(key)),
            Mutation::Clear(range) => Some(range.clone()),
            Mutation::StampedKey(..) => None,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        MUTATION_BYTES
            + match self {
                Mutation::Set(key, value) | Mutation::Atomic(_, key, value) => {
                    key.len() + value.len()
                }
                Mutation::Clear((begin, end)) => begin.len() + end.len(),
                Mutation::StampedKey(key, _, value) | Mutation::StampedValue(key, value, _) => {
                    key.len() + value.len() + 4
                }
            }
    }
}

/// What conflict ranges weigh.
pub(crate) fn range_bytes(ranges: &[Range]) -> usize {
    ranges.iter().map(|(begin, end)| RANGE_BYTES + begin.len() + end.len()).sum()
}
