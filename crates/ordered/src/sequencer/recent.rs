//! What the newest batches changed, so that a write with many conditions can
//! have them judged before its turn: in the critical section only those are
//! judged again that a batch since then may have touched.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Condition, Op, Space};

/// Batches, steps and bytes that are remembered. A write whose conditions were
/// judged before all of these has them judged again.
const BATCHES_MAX: usize = 256;
const STEPS_MAX: usize = 8192;
const BYTES_MAX: usize = 4 << 20;

/// The newest batches.
#[derive(Default)]
pub(super) struct Recent {
    batches: VecDeque<Vec<Op>>,
    /// How many batches there ever were.
    count: u64,
    steps: usize,
    bytes: usize,
}

/// A moment, as far as batches go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment(u64);

impl Recent {
    pub(super) fn now(&self) -> Moment {
        Moment(self.count)
    }

    /// Remembers a batch that was applied.
    pub(super) fn push(&mut self, ops: Vec<Op>) {
        self.count += 1;
        self.steps += ops.len();
        self.bytes += ops.iter().map(bytes_of).sum::<usize>();
        self.batches.push_back(ops);
        while self.batches.len() > BATCHES_MAX || self.steps > STEPS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.batches.pop_front() else { return };
            self.steps -= oldest.len();
            self.bytes -= oldest.iter().map(bytes_of).sum::<usize>();
        }
    }

    /// What was changed since; `None` if that is not remembered.
    pub(super) fn since(&self, moment: Moment) -> Option<Changes<'_>> {
        let batches = usize::try_from(self.count - moment.0).ok()?;
        let first = self.batches.len().checked_sub(batches)?;
        let mut changes = Changes::default();
        for op in self.batches.range(first..).flatten() {
            match op {
                Op::Put { space, key, .. } | Op::Delete { space, key } => {
                    changes.keys.push((*space, key));
                }
                Op::DeleteRange { space, start, end } => changes.ranges.push((*space, start, end)),
            }
        }
        changes.keys.sort_unstable();
        Some(changes)
    }
}

/// Keys that were changed.
#[derive(Default)]
pub(super) struct Changes<'a> {
    /// One by one, sorted.
    keys: Vec<(Space, &'a Bytes)>,
    /// From the first to below the second.
    ranges: Vec<(Space, &'a Bytes, &'a Bytes)>,
}

impl Changes<'_> {
    /// Whether the condition may have changed with them.
    pub(super) fn touch(&self, condition: &Condition) -> bool {
        let (space, start, end) = match condition {
            Condition::RangeEmpty { space, range } => (*space, &range.start[..], &range.end[..]),
            Condition::KeyIs { space, key, .. } => (*space, &key[..], &key[..]),
        };
        let first = self.keys.partition_point(|(s, key)| (*s, &key[..]) < (space, start));
        let by_key = self.keys.get(first).is_some_and(|(s, key)| *s == space && &key[..] <= end);
        by_key || self.ranges.iter().any(|(s, a, b)| *s == space && &a[..] <= end && start < &b[..])
    }
}

fn bytes_of(op: &Op) -> usize {
    match op {
        Op::Put { key, value, .. } => key.len() + value.len(),
        Op::Delete { key, .. } => key.len(),
        Op::DeleteRange { start, end, .. } => start.len() + end.len(),
    }
}
