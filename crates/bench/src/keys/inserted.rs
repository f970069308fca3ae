//! Which records are there while others are being inserted.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Hands out the numbers of new records, and knows how many there are, from 0
/// on without a gap: nobody is sent to a record whose insert is under way.
#[derive(Debug)]
pub struct Inserted {
    next: AtomicU64,
    count: AtomicU64,
    /// Inserted, with one before that is not; as many as threads at most.
    ahead: Mutex<BTreeSet<u64>>,
}

impl Inserted {
    /// With `count` records.
    pub fn new(count: u64) -> Self {
        Inserted {
            next: AtomicU64::new(count),
            count: AtomicU64::new(count),
            ahead: Mutex::default(),
        }
    }

    /// How many records there are, at least.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// The number of a record that is now to be inserted.
    pub fn begin(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The record is there.
    pub fn done(&self, number: u64) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.insert(number);
        let mut count = self.count.load(Ordering::Relaxed);
        while ahead.remove(&count) {
            count += 1;
        }
        self.count.store(count, Ordering::Release);
    }
}
