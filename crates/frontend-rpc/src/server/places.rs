//! Limits of how much there is at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A number of places, each taken by one at a time.
pub(super) struct Places(Arc<Taken>);

struct Taken {
    most: usize,
    now: AtomicUsize,
    /// Whether somebody waits until none is taken.
    awaited: AtomicBool,
    empty: Notify,
}

/// A place that is taken until this is dropped.
pub(super) struct Place(Arc<Taken>);

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Places(Arc::new(Taken {
            most,
            now: AtomicUsize::new(0),
            awaited: AtomicBool::new(false),
            empty: Notify::new(),
        }))
    }

    /// A place, if one is free.
    pub(super) fn take(&self) -> Option<Place> {
        if self.0.now.fetch_add(1, Ordering::Relaxed) < self.0.most {
            return Some(Place(Arc::clone(&self.0)));
        }
        self.0.now.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.0.now.load(Ordering::SeqCst)
    }

    /// Waits until none is taken.
    pub(super) async fn empty(&self) {
        self.0.awaited.store(true, Ordering::SeqCst);
        loop {
            let notified = self.0.empty.notified();
            if self.taken() == 0 {
                return;
            }
            notified.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.now.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.awaited.load(Ordering::SeqCst) {
            self.0.empty.notify_waiters();
        }
    }
}
