//! What is stored for one version of a page.
//!
//! The last byte is a tag. It is the last one so that an image begins where
//! the engine's buffer does, and is handed on without a copy.
//!
//! | tag | before it |
//! |---|---|
//! | 1 full | the image |
//! | 2 delta | version of the base (10), spent (varint), then gap (varint), length (varint) and bytes of each range |
//! | 3 staged | commit id (16): the image is in the staged space under that id |
//! | 4 gone | nothing: this version, and those up to the next, were purged |
//! | 5 lost | nothing: this version was lost to damage, which a repair found |
//!
//! A delta is always against a full or staged image, never against another
//! delta, so a read costs one more get at most. Its base is the newest such
//! record below it.

use bytes::Bytes;
use hozo_traits::{CommitId, Patch, Result, Version};

use super::{Reader, corrupt, put_varint};

const FULL: u8 = 1;
const DELTA: u8 = 2;
const STAGED: u8 = 3;
const GONE: u8 = 4;
const LOST: u8 = 5;

/// A delta longer than this part of its page is not kept: reading it would
/// approach the cost of reading an image.
const DELTA_PART_MAX: usize = 4;

/// One version of a page, as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Record {
    /// The whole image.
    Full(Bytes),
    /// What differs from an older image.
    Delta(Delta),
    /// The image was staged under this commit id.
    Staged(CommitId),
    /// Purged.
    Gone,
    /// Lost to damage. Nothing older may be read for it.
    Lost,
}

/// What differs from an older image of the same page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Delta {
    /// The version whose record has the older image.
    pub(crate) base: Version,
    /// Bytes of all deltas against this base so far, this one included.
    spent: usize,
    /// The encoded ranges.
    ranges: Bytes,
}

impl Record {
    pub(crate) fn decode(value: Bytes) -> Result<Record> {
        let Some((&tag, body)) = value.split_last() else {
            return Err(corrupt("a page record is empty"));
        };
        match tag {
            FULL => Ok(Record::Full(value.slice(..body.len()))),
            DELTA => {
                let mut reader = Reader(body);
                let base = reader.version()?;
                let spent = reader.length()?;
                let start = body.len() - reader.0.len();
                let ranges = value.slice(start..body.len());
                Ok(Record::Delta(Delta { base, spent, ranges }))
            }
            STAGED => Ok(Record::Staged(
                CommitId::from_slice(body)
                    .map_err(|e| corrupt("a page record points to no stage").caused_by(e))?,
            )),
            GONE if body.is_empty() => Ok(Record::Gone),
            LOST if body.is_empty() => Ok(Record::Lost),
            _ => Err(corrupt("a page record has an unknown tag").with("tag", tag)),
        }
    }

    pub(crate) fn full(image: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(image.len() + 1);
        out.extend_from_slice(image);
        out.push(FULL);
        out.into()
    }

    pub(crate) fn staged(id: CommitId) -> Bytes {
        let mut out = Vec::with_capacity(CommitId::LEN + 1);
        out.extend_from_slice(id.as_bytes());
        out.push(STAGED);
        out.into()
    }

    pub(crate) fn gone() -> Bytes {
        Bytes::from_static(&[GONE])
    }

    pub(crate) fn lost() -> Bytes {
        Bytes::from_static(&[LOST])
    }
}

impl Delta {
    /// The record that says `new` by way of `old`, which is the image at
    /// `base`; `spent` is what earlier deltas against it have cost. `None` if
    /// the image itself is the better record.
    ///
    /// Deltas against one base grow with each other, since each has all that
    /// changed since. Giving up once their sum has reached a page spends at
    /// most about twice the least that is possible, without knowing what comes:
    /// with steps of d bytes it happens after sqrt(2 page / d) of them, which is
    /// where the average of deltas and image together is smallest.
    pub(crate) fn encode(base: Version, spent: usize, old: &[u8], new: &Bytes) -> Option<Bytes> {
        if old.len() != new.len() {
            return None;
        }
        let patch = Patch::between(base, old, new);
        let length = patch.payload_len() + 4 * patch.ranges.len();
        if length > new.len() / DELTA_PART_MAX || spent + length > new.len() {
            return None;
        }
        let mut ranges = Vec::with_capacity(length);
        let mut at = 0;
        for (offset, bytes) in &patch.ranges {
            put_varint(&mut ranges, u64::from(offset - at));
            put_varint(&mut ranges, bytes.len() as u64);
            ranges.extend_from_slice(bytes);
            at = offset + bytes.len() as u32;
        }
        let mut out = Vec::with_capacity(Version::LEN + 4 + ranges.len());
        out.extend_from_slice(base.as_bytes());
        put_varint(&mut out, (spent + ranges.len()) as u64);
        out.extend_from_slice(&ranges);
        out.push(DELTA);
        Some(out.into())
    }

    /// Bytes of all deltas against the same base so far.
    pub(crate) fn spent(&self) -> usize {
        self.spent
    }

    /// The image that this says, given the base's.
    pub(crate) fn apply(&self, base: &[u8]) -> Result<Bytes> {
        let mut image = base.to_vec();
        let mut reader = Reader(&self.ranges);
        let mut at = 0usize;
        while !reader.is_empty() {
            let gap = reader.length()?;
            let bytes = reader.length().and_then(|length| reader.take(length))?;
            let target = at
                .checked_add(gap)
                .and_then(|start| image.get_mut(start..start.checked_add(bytes.len())?))
                .ok_or_else(|| corrupt("a stored delta reaches beyond its page"))?;
            target.copy_from_slice(bytes);
            at += gap + bytes.len();
        }
        Ok(image.into())
    }
}
