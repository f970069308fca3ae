//! Finding out how far a follower is behind.
//!
//! It has to be cheap, as it runs beside the load whose follower it looks at:
//! one probe at a time, a hundred a second at most, and pauses between reads
//! that grow with how long it waits already.

use std::cell::Cell;

use super::lag::{Lags, Probe};
use super::pace::{Pace, Window};
use super::tally::Tally;
use super::trouble::Trouble;

mod ends;
#[cfg(test)]
mod tests;
mod thread;

pub(super) use thread::{Probed, Probing, settle};

/// From one probe to the next, if the first is over by then.
const EVERY_NANOS: u64 = 10_000_000;
/// How long a value may take to come to the follower.
const LAG_MAX_NANOS: u64 = 30_000_000_000;
/// Between two reads: this part of the time that it took until then, so that a
/// lag is told to an eighth, within these bounds.
const PAUSE_PART: u64 = 8;
const PAUSE_MIN_NANOS: u64 = 100_000;
const PAUSE_MAX_NANOS: u64 = 2_000_000;

/// A master and its follower.
trait Ends {
    /// Writes a number to the master.
    async fn write(&self, number: u64) -> Result<(), Trouble>;
    /// The number that the follower has, if it has one.
    async fn read(&self) -> Result<Option<u64>, Trouble>;
}

/// Sends probes.
struct Prober<E, P> {
    ends: E,
    pace: P,
    /// The number that was written last.
    last: Cell<u64>,
}

impl<E: Ends, P: Pace> Prober<E, P> {
    fn new(ends: E, pace: P) -> Self {
        Prober { ends, pace, last: Cell::new(0) }
    }

    /// Writes a number, and waits until the follower has it.
    async fn probe(&self) -> Result<Probe, Trouble> {
        let sent = self.pace.now();
        // The time is later than that of all probers before, and so is the number.
        let number = sent.max(self.last.get() + 1);
        self.last.set(number);
        self.ends.write(number).await?;
        let answered = self.pace.now();
        loop {
            let found = self.ends.read().await?;
            let now = self.pace.now();
            if found.is_some_and(|found| found >= number) {
                return Ok(Probe { sent, answered, found: now });
            }
            let waited = now.saturating_sub(answered);
            if waited >= LAG_MAX_NANOS {
                let seconds = LAG_MAX_NANOS / 1_000_000_000;
                let what = format!("what was written {seconds} s before is not on the follower");
                return Err(Trouble::of("not replicated", what));
            }
            let pause = (waited / PAUSE_PART).clamp(PAUSE_MIN_NANOS, PAUSE_MAX_NANOS);
            self.pace.until(now + pause).await;
        }
    }

    /// Sends them until the time is over. After one that failed there is no other:
    /// it would wait for as long.
    async fn run(&self, window: Window, tally: &mut Tally) -> Lags {
        let mut lags = Lags::default();
        let middle = window.measured.midpoint(window.end);
        let mut at = window.start;
        loop {
            self.pace.until(at).await;
            if self.pace.now() >= window.end {
                return lags;
            }
            match self.probe().await {
                Ok(probe) if window.has(probe.sent) => lags.add(probe, middle),
                Ok(_) => {}
                Err(trouble) => {
                    tally.failed(&trouble);
                    return lags;
                }
            }
            // Those that would have begun meanwhile are left out.
            let over = self.pace.now().saturating_sub(at) / EVERY_NANOS;
            at += (over + 1) * EVERY_NANOS;
        }
    }
}
