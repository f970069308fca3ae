//! Waiting for stable storage.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hozo_traits::{Result, exec};

use super::{Inner, Mark, Waiter, poisoned};

/// Waits until a mark is durable; leads if it may. Made by
/// [`GroupSync::wait`](super::GroupSync::wait).
#[must_use = "a future does nothing unless it is awaited"]
pub struct Wait<'a, M: Mark> {
    inner: &'a Arc<Inner<M>>,
    mark: M,
    /// Its number among the waiters, once it was.
    registered: Option<u64>,
}

impl<'a, M: Mark> Wait<'a, M> {
    pub(super) fn new(inner: &'a Arc<Inner<M>>, mark: M) -> Self {
        Wait { inner, mark, registered: None }
    }
}

impl<M: Mark> Unpin for Wait<'_, M> {}

impl<M: Mark> Future for Wait<'_, M> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let inner = self.inner;
        let mut state = inner.state();
        if let Some(number) = self.registered.take() {
            state.waiters.remove(&(self.mark, number));
        }
        loop {
            if state.marks.durable >= self.mark {
                return Poll::Ready(Ok(()));
            }
            if let Some(why) = &state.poison {
                return Poll::Ready(Err(poisoned(why)));
            }
            let can_lead = exec::may_block();
            if can_lead && !state.syncing {
                let (back, synced) = inner.lead(state);
                if let Err(error) = synced {
                    return Poll::Ready(Err(error));
                }
                state = back;
                continue;
            }
            if !can_lead {
                // Also while somebody syncs, who then hands on to the thread.
                if let Err(error) = inner.start_thread(&mut state) {
                    return Poll::Ready(Err(error));
                }
                if !state.syncing {
                    state.urgent = true;
                    inner.work.notify_one();
                }
            }
            let number = state.waiters_ever;
            state.waiters_ever += 1;
            let waiter = Waiter { waker: context.waker().clone(), can_lead };
            state.waiters.insert((self.mark, number), waiter);
            self.registered = Some(number);
            return Poll::Pending;
        }
    }
}

impl<M: Mark> Drop for Wait<'_, M> {
    fn drop(&mut self) {
        let Some(number) = self.registered else { return };
        let mut state = self.inner.state();
        state.waiters.remove(&(self.mark, number));
        if state.marks.durable < self.mark && state.poison.is_none() {
            // What it waited for is written all the same, and soon durable.
            self.inner.sync_soon(&mut state);
            // It may have been woken to lead.
            if !state.syncing {
                let next = self.inner.hand_on(&mut state);
                drop(state);
                next.into_iter().for_each(Waker::wake);
            }
        }
    }
}
