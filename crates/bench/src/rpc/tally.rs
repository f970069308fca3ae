//! What the lanes of a connection count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pace::Window;
use super::trouble::Trouble;
use crate::latency::{Op, Recorder};

/// Errors of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErrorCount {
    /// In a few words, or the status.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// What was said of the first one.
    pub example: String,
}

/// Counts.
#[derive(Default)]
pub(super) struct Tally {
    /// Latencies of right answers to what arrived in the measured time, and how
    /// long those waited that got none.
    pub(super) recorder: Recorder,
    /// Right answers that came in the measured time.
    pub(super) answers: u64,
    /// Arrivals that were never sent.
    pub(super) unstarted: u64,
    /// Connections that broke.
    pub(super) lost: u64,
    errors: BTreeMap<String, (u64, String)>,
}

impl Tally {
    /// A right answer.
    pub(super) fn answered(&mut self, window: Window, op: Op, intended: u64, ended: u64) {
        if window.has(ended) {
            self.answers += 1;
        }
        if window.has(intended) {
            self.recorder.record(op, ended.saturating_sub(intended));
        }
    }

    /// A wrong one, or none. It counts also in the warm-up: a server that
    /// answers wrongly there is no better.
    pub(super) fn failed(&mut self, trouble: &Trouble) {
        let entry = self.errors.entry(trouble.kind.clone().into_owned());
        entry.or_insert_with(|| (0, trouble.message.clone())).0 += 1;
    }

    /// Adds another's.
    pub(super) fn merge(&mut self, other: Tally) {
        self.recorder.merge(&other.recorder);
        self.answers += other.answers;
        self.unstarted += other.unstarted;
        self.lost += other.lost;
        for (kind, (count, example)) in other.errors {
            self.errors.entry(kind).or_insert((0, example)).0 += count;
        }
    }

    /// The errors, those that are most first.
    pub(super) fn errors(&self) -> Vec<ErrorCount> {
        let mut errors: Vec<ErrorCount> = self
            .errors
            .iter()
            .map(|(kind, (count, example))| ErrorCount {
                kind: kind.clone(),
                count: *count,
                example: example.clone(),
            })
            .collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        errors
    }
}
