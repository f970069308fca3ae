//! A conditional atomic write.

use bytes::Bytes;
use hozo_traits::{Durability, Timestamp, Version};

use crate::{KeyRange, Pair, Space};

/// Conditions, and what to write if all of them hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// All must hold, or nothing is written. Judged in this order, against
    /// everything written before; the first that fails is answered.
    pub conditions: Vec<Condition>,
    /// What to write, applied in this order.
    pub ops: Vec<WriteOp>,
    /// Which version the write gets.
    pub numbering: Numbering,
    /// Which time the write gets; without it, none, and nothing may embed one.
    pub clock: Option<Clock>,
    /// When the answer may come. A write without a version does not wait: it
    /// is on stable storage no later than the next one that has a version.
    pub durability: Durability,
}

/// Which version a write gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbering {
    /// None: housekeeping, which no watermark shows. The answer has the
    /// newest version.
    None,
    /// One that the engine chooses, above all before it.
    Next,
    /// This one. At or below the newest it is
    /// [`Invalid`](hozo_traits::ErrorKind::Invalid).
    At(Version),
}

/// Which time a write gets: `at_least`, or a floor if that is later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clock {
    /// The writer's own time.
    pub at_least: Timestamp,
    /// Each floor is the time in the last key of `space` that begins with
    /// `prefix`, right after it, as 8 big-endian bytes of microseconds. The
    /// floors are those at the moment of the write, so times never fall along
    /// a prefix into which every write puts its own time.
    pub floors: Vec<Floor>,
}

/// Where a floor of a [`Clock`] is read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Floor {
    /// Which space.
    pub space: Space,
    /// What comes before the time in a key.
    pub prefix: Vec<u8>,
}

/// What must hold for a write to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// No key is in the range.
    RangeEmpty {
        /// Which space.
        space: Space,
        /// The range, both ends included.
        range: KeyRange,
    },
    /// The key has this value.
    KeyIs {
        /// Which space.
        space: Space,
        /// The key.
        key: Vec<u8>,
        /// Its value; `None` if the key must not be there.
        value: Option<Bytes>,
    },
}

/// One step of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WriteOp {
    /// Sets a key, replacing what it had.
    Put {
        /// Which space.
        space: Space,
        /// The key.
        key: Template,
        /// Its value.
        value: Template,
    },
    /// Removes a key, if it is there.
    Delete {
        /// Which space.
        space: Space,
        /// The key.
        key: Bytes,
    },
    /// Removes every key from `start` to below `end`.
    DeleteRange {
        /// Which space.
        space: Space,
        /// The first key that goes.
        start: Bytes,
        /// The first key that stays.
        end: Bytes,
    },
}

impl WriteOp {
    /// Bytes of keys and values, as [`Limits::batch_bytes_max`](crate::Limits) counts them.
    pub fn bytes(&self) -> usize {
        match self {
            WriteOp::Put { key, value, .. } => key.bytes.len() + value.bytes.len(),
            WriteOp::Delete { key, .. } => key.len(),
            WriteOp::DeleteRange { start, end, .. } => start.len() + end.len(),
        }
    }
}

/// A key or value, into which the engine puts what only it knows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Template {
    /// The bytes, with anything at the places that are filled in.
    pub bytes: Bytes,
    /// Where the 10 bytes of the write's version go.
    pub version_at: Option<usize>,
    /// Where the 8 big-endian bytes of the write's time go, in microseconds.
    pub time_at: Option<usize>,
}

impl Template {
    /// Bytes that are written as they are.
    pub fn plain(bytes: impl Into<Bytes>) -> Self {
        Template { bytes: bytes.into(), version_at: None, time_at: None }
    }
}

/// What became of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WriteOutcome {
    /// It was made.
    Written {
        /// Its version; for [`Numbering::None`] the newest one.
        version: Version,
        /// Its time; [`Timestamp::default`] if it has no clock.
        time: Timestamp,
    },
    /// A condition did not hold; nothing was written.
    Failed {
        /// Which, counted from 0.
        condition: usize,
        /// What was found: for a range its last key, for a key what it has.
        found: Option<Pair>,
    },
}
