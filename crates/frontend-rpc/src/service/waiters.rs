//! Requests that wait until a record changes.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::dbm::Changed;

/// Keys fall into so many slots. Who waits in one is woken by every change in
/// it, looks, and waits on.
const SLOTS: usize = 64;

/// Who waits for records of one DBM.
///
/// Waiting is counted before the record is looked at, and the count is read
/// after the record was changed: one of both sees the other.
pub(super) struct Waiters {
    keys: [Notify; SLOTS],
    on_keys: AtomicUsize,
    first: Notify,
    on_first: AtomicUsize,
}

impl Default for Waiters {
    fn default() -> Self {
        Waiters {
            keys: std::array::from_fn(|_| Notify::new()),
            on_keys: AtomicUsize::new(0),
            first: Notify::new(),
            on_first: AtomicUsize::new(0),
        }
    }
}

/// One who waits; not any more when it is dropped.
pub(super) struct Waiting<'a> {
    notify: &'a Notify,
    count: &'a AtomicUsize,
}

impl Waiters {
    /// Begins to wait for a change of this key.
    pub(super) fn on_key(&self, key: &Bytes) -> Waiting<'_> {
        Waiting::new(self.slot(key), &self.on_keys)
    }

    /// Begins to wait for any record.
    pub(super) fn on_first(&self) -> Waiting<'_> {
        Waiting::new(&self.first, &self.on_first)
    }

    pub(super) fn wake(&self, what: Changed<'_>) {
        if self.on_keys.load(Ordering::SeqCst) > 0 {
            match what {
                Changed::Set(key) | Changed::Removed(key) => self.slot(key).notify_waiters(),
                Changed::Any => self.keys.iter().for_each(Notify::notify_waiters),
            }
        }
        // One record is for one of them. Who gets a record wakes the next, so
        // that one call is enough for many records.
        if !matches!(what, Changed::Removed(_)) {
            self.wake_next();
        }
    }

    /// Wakes one who waits for any record.
    pub(super) fn wake_next(&self) {
        if self.on_first.load(Ordering::SeqCst) > 0 {
            self.first.notify_one();
        }
    }

    fn slot(&self, key: &Bytes) -> &Notify {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        &self.keys[hash as usize % SLOTS]
    }
}

impl<'a> Waiting<'a> {
    fn new(notify: &'a Notify, count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Waiting { notify, count }
    }

    /// To be taken before looking at the record: ready at a change after it.
    pub(super) fn change(&self) -> Notified<'a> {
        self.notify.notified()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}
