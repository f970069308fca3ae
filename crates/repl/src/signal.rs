//! Waiting for something to change, under any executor.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

/// Wakes all who wait. Where nobody waits, telling costs a load.
#[derive(Default)]
pub(crate) struct Signal {
    waiting: AtomicUsize,
    wakers: Mutex<Vec<Waker>>,
}

impl Signal {
    /// Wakes those who wait, to look again. To be called after the change.
    pub(crate) fn tell(&self) {
        // Who counted itself before this sees the change, or is seen here.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            let wakers = std::mem::take(&mut *self.wakers.lock());
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Looks, and again whenever it is told, until there is an answer.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        if let Some(answer) = look() {
            return answer;
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _counted = Counted(&self.waiting);
        poll_fn(|context| {
            self.wakers.lock().push(context.waker().clone());
            fence(Ordering::SeqCst);
            match look() {
                Some(answer) => Poll::Ready(answer),
                None => Poll::Pending,
            }
        })
        .await
    }
}

struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
