//! What an engine can take, and what is asked of it.

use crate::{Condition, WriteOp};

/// What an engine can take. The layers above split and stage within it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest key; at least [`Limits::KEY_BYTES_MIN`].
    pub key_bytes_max: usize,
    /// The longest value; at least [`Limits::VALUE_BYTES_MIN`].
    pub value_bytes_max: usize,
    /// What one atomic batch may [weigh](Limits::weigh).
    pub batch_bytes_max: usize,
    /// What a batch weighs besides its keys and values.
    pub overhead: Overhead,
    /// How many staged pages a commit points to one by one. In a store that other
    /// processes write as well, more are taken as a whole: reading looks for those,
    /// each time.
    pub pointers_max: usize,
}

/// What a batch weighs besides the bytes of its keys and values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overhead {
    /// Bytes that each step takes.
    pub step_bytes: usize,
    /// Bytes that each range of keys takes that conflicts are looked for in:
    /// those of the conditions, and what each step writes. Then the ends of these
    /// ranges count as well. 0 where an engine looks for none.
    pub range_bytes: usize,
}

impl Overhead {
    /// Keys and values are all that counts.
    pub const NONE: Overhead = Overhead { step_bytes: 0, range_bytes: 0 };
}

impl Limits {
    /// The longest key that is written: metadata with the longest name.
    pub const KEY_BYTES_MIN: usize = 1024;
    /// The longest value that is written: metadata of the largest size with its
    /// key, in the list of changes.
    pub const VALUE_BYTES_MIN: usize = (64 << 10) + Self::KEY_BYTES_MIN + 64;

    /// FoundationDB's limits (keys of 10,000 bytes, values of 100,000,
    /// transactions of 10,000,000), with room for a prefix of 16 bytes before
    /// each key and for what is said of versionstamps. A local store that is
    /// opened with these takes what the cluster takes.
    ///
    /// A transaction there has 48 bytes for each mutation and 24 for each conflict
    /// range, which has its first key and the one behind its last.
    pub const FOUNDATIONDB: Limits = Limits {
        key_bytes_max: 9_900,
        value_bytes_max: 99_900,
        batch_bytes_max: 9_500_000,
        overhead: Overhead { step_bytes: 72, range_bytes: 64 },
        pointers_max: 20_000,
    };

    /// The stricter of both, limit by limit.
    #[must_use]
    pub fn min(self, other: Limits) -> Limits {
        let (a, b) = (self.overhead, other.overhead);
        Limits {
            key_bytes_max: self.key_bytes_max.min(other.key_bytes_max),
            value_bytes_max: self.value_bytes_max.min(other.value_bytes_max),
            batch_bytes_max: self.batch_bytes_max.min(other.batch_bytes_max),
            overhead: Overhead {
                step_bytes: a.step_bytes.max(b.step_bytes),
                range_bytes: a.range_bytes.max(b.range_bytes),
            },
            pointers_max: self.pointers_max.min(other.pointers_max),
        }
    }

    /// What a write with these conditions and steps weighs.
    pub fn weigh(&self, conditions: &[Condition], ops: &[WriteOp]) -> usize {
        let steps: usize = ops.iter().map(|op| self.weigh_step(op)).sum();
        if self.overhead.range_bytes == 0 {
            return steps;
        }
        let ranges = conditions.iter().map(|condition| match condition {
            Condition::RangeEmpty { range, .. } => self.range(range.start.len() + range.end.len()),
            Condition::KeyIs { key, .. } => self.range(2 * key.len()),
        });
        steps + ranges.sum::<usize>()
    }

    fn weigh_step(&self, op: &WriteOp) -> usize {
        let bytes = self.overhead.step_bytes + op.bytes();
        match op {
            // Where it goes is not known before the commit.
            WriteOp::Put { key, .. } if key.version_at.is_some() => bytes,
            WriteOp::Put { key, .. } => bytes + self.range(2 * key.bytes.len()),
            // A range of one key.
            WriteOp::Delete { key, .. } => bytes + self.range(3 * key.len()),
            WriteOp::DeleteRange { start, end, .. } => bytes + self.range(start.len() + end.len()),
        }
    }

    fn range(&self, ends: usize) -> usize {
        match self.overhead.range_bytes {
            0 => 0,
            range => range + ends,
        }
    }
}
