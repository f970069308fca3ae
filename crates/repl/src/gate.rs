//! Updates of one DBM side by side, but one that clears it alone.
//!
//! A clearing is about all records, and a store holds none of them while it
//! decides: it may ask again, and others may come between what is logged and
//! what is done. Then the log would have another order than the records.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::signal::Signal;

/// Somebody is alone, or waits to be.
const ALONE: usize = 1 << (usize::BITS - 1);

#[derive(Default)]
pub(crate) struct Gate {
    /// How many are inside, and [`ALONE`].
    state: AtomicUsize,
    changed: Signal,
}

impl Gate {
    /// Inside with others, until what is answered is dropped.
    pub(crate) async fn enter(&self) -> Inside<'_> {
        let enter = |state| (state & ALONE == 0).then_some(state + 1);
        let look = || self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter).ok();
        self.changed.until(look).await;
        Inside { gate: self, takes: 1 }
    }

    /// Inside alone, until what is answered is dropped.
    pub(crate) async fn alone(&self) -> Inside<'_> {
        let close = |state| (state & ALONE == 0).then_some(state | ALONE);
        let look = || self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, close).ok();
        self.changed.until(look).await;
        let inside = Inside { gate: self, takes: ALONE };
        self.changed.until(|| (self.state.load(Ordering::SeqCst) == ALONE).then_some(())).await;
        inside
    }
}

/// Somebody inside.
pub(crate) struct Inside<'a> {
    gate: &'a Gate,
    takes: usize,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.gate.state.fetch_sub(self.takes, Ordering::SeqCst);
        self.gate.changed.tell();
    }
}

#[cfg(test)]
mod tests;
