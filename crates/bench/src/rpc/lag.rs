//! How far a follower was behind.

use serde::{Deserialize, Serialize};

use crate::latency::{Op, Quantiles, Recorder};

/// How far a follower was behind its master while there was load.
///
/// Found out by probes: each writes a fresh value to a key of its own on the
/// master, and reads the follower, from the master's answer on, until it has
/// that value. It ends with the answer of the first read that has it, so that
/// read's own time is in it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Lag {
    /// From when the master had answered the write.
    pub answered: Quantiles,
    /// From when the write was sent.
    pub sent: Quantiles,
    /// Like `answered`, of the writes in the first half of the measured time.
    pub first_half: Quantiles,
    /// Of those in the second half: much more than in the first is a follower
    /// that falls behind.
    pub second_half: Quantiles,
    /// Updates that were on the master's disk and not on the follower's when the
    /// time was over.
    pub behind: u64,
    /// From the end of the load until the follower had all of it.
    pub caught_up_ns: u64,
}

/// One value that came to the follower; moments in nanoseconds of the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Probe {
    /// When the write was sent.
    pub(super) sent: u64,
    /// When the master had answered.
    pub(super) answered: u64,
    /// When a read had it.
    pub(super) found: u64,
}

/// What probes came to.
#[derive(Default)]
pub(super) struct Lags {
    sent: Recorder,
    first_half: Recorder,
    second_half: Recorder,
}

impl Lags {
    /// Adds one; the second half of the time begins at `middle`.
    pub(super) fn add(&mut self, probe: Probe, middle: u64) {
        // Kinds of operations make no difference here: a probe is one.
        let op = Op::Update;
        self.sent.record(op, probe.found.saturating_sub(probe.sent));
        let half = if probe.sent < middle { &mut self.first_half } else { &mut self.second_half };
        half.record(op, probe.found.saturating_sub(probe.answered));
    }

    /// The figures, with what was found at the end.
    pub(super) fn figures(&self, behind: u64, caught_up_ns: u64) -> Lag {
        let mut answered = Recorder::default();
        answered.merge(&self.first_half);
        answered.merge(&self.second_half);
        Lag {
            answered: answered.latency().all,
            sent: self.sent.latency().all,
            first_half: self.first_half.latency().all,
            second_half: self.second_half.latency().all,
            behind,
            caught_up_ns,
        }
    }
}
