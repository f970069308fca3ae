//! Waiting for updates that are between log and records.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many updates are under way, by two turns.
#[derive(Default)]
pub(crate) struct Inflight {
    turn: AtomicUsize,
    counts: [AtomicUsize; 2],
}

impl Inflight {
    /// An update begins; it is under way until what is answered is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        loop {
            let turn = self.turn.load(Ordering::SeqCst);
            let count = &self.counts[turn & 1];
            count.fetch_add(1, Ordering::SeqCst);
            if self.turn.load(Ordering::SeqCst) == turn {
                return Entered(count);
            }
            count.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Whether no update is under way.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.counts.iter().all(|count| count.load(Ordering::SeqCst) == 0)
    }

    /// Waits until all updates are over that were under way when this began;
    /// whether they are within the time. By one thread at a time.
    pub(crate) fn pass(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        // Of an earlier pass that was over before those were.
        let turn = self.turn.load(Ordering::SeqCst);
        if !self.empty(turn.wrapping_add(1), until) {
            return false;
        }
        self.turn.fetch_add(1, Ordering::SeqCst);
        self.empty(turn, until)
    }

    /// Waits until no update of a turn is under way.
    fn empty(&self, turn: usize, until: Instant) -> bool {
        while self.counts[turn & 1].load(Ordering::SeqCst) > 0 {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_micros(200));
        }
        true
    }
}

/// An update that is under way.
pub(crate) struct Entered<'a>(&'a AtomicUsize);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
