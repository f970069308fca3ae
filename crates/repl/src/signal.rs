//! Waiting for something to change, under any executor.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

/// Wakes all who wait. Where nobody waits, telling costs a load.
#[derive(Default)]
pub(crate) struct Signal {
    waiting: AtomicUsize,
    wakers: Mutex<Wakers>,
}

/// One for each who waits, by its number.
#[derive(Default)]
struct Wakers {
    all: BTreeMap<u64, Waker>,
    ever: u64,
}

impl Signal {
    /// Wakes those who wait, to look again. To be called after the change.
    pub(crate) fn tell(&self) {
        // Who counted itself before this sees the change, or is seen here.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            let wakers = std::mem::take(&mut self.wakers.lock().all);
            wakers.into_values().for_each(Waker::wake);
        }
    }

    /// Looks, and again whenever it is told, until there is an answer.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        if let Some(answer) = look() {
            return answer;
        }
        let waiter = Waiter::new(self);
        poll_fn(|context| {
            self.wakers.lock().all.insert(waiter.number, context.waker().clone());
            fence(Ordering::SeqCst);
            match look() {
                Some(answer) => Poll::Ready(answer),
                None => Poll::Pending,
            }
        })
        .await
    }
}

/// Somebody who waits. It is polled, and given up, as often as it likes.
struct Waiter<'a> {
    signal: &'a Signal,
    number: u64,
}

impl<'a> Waiter<'a> {
    fn new(signal: &'a Signal) -> Self {
        signal.waiting.fetch_add(1, Ordering::SeqCst);
        let mut wakers = signal.wakers.lock();
        wakers.ever += 1;
        Waiter { signal, number: wakers.ever }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.signal.wakers.lock().all.remove(&self.number);
        self.signal.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
