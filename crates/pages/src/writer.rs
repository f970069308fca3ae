//! Writer slots: who may write a serial namespace now.
//!
//! A slot passes straight from its holder to whoever waits longest: it is never
//! free while somebody waits, so nobody overtakes and no wake-up can be lost.
//! All state is under one mutex, and each waiter has a condvar of its own, so
//! that a release wakes exactly the thread that got the slot.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hozo_traits::NamespaceId;

/// The writer slot of one namespace, and those who wait for it.
pub(crate) struct WriterQueue {
    namespace: NamespaceId,
    state: Mutex<State>,
}

struct State {
    /// The number of the newest place. Places are served in order, so their
    /// numbers are fencing tokens, too.
    last: u64,
    /// The place that has the slot, whether its owner noticed yet or not.
    holder: Option<u64>,
    /// Oldest first. As long as there are connections that wait, so bounded by
    /// them.
    waiting: VecDeque<(u64, Arc<Condvar>)>,
}

impl WriterQueue {
    pub(crate) fn new(namespace: NamespaceId) -> Arc<Self> {
        let state = State { last: 0, holder: None, waiting: VecDeque::new() };
        Arc::new(WriterQueue { namespace, state: Mutex::new(state) })
    }

    /// The slot, unless somebody has it or waits for it.
    pub(crate) fn try_take(self: &Arc<Self>) -> Option<WriterSlot> {
        let mut state = self.lock();
        if state.holder.is_some() {
            return None;
        }
        state.last += 1;
        state.holder = Some(state.last);
        Some(WriterSlot { place: Place { queue: self.clone(), number: state.last } })
    }

    /// A place in the queue.
    pub(crate) fn ticket(self: &Arc<Self>) -> WriterTicket {
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        let wake = Arc::new(Condvar::new());
        if state.holder.is_none() {
            state.holder = Some(number);
        } else {
            state.waiting.push_back((number, wake.clone()));
        }
        WriterTicket { place: Place { queue: self.clone(), number }, wake }
    }

    /// Nothing that can panic runs under the mutex, so it is never poisoned
    /// with half a change in it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot, or a place in the queue for it; given up when dropped, also by a
/// panic.
struct Place {
    queue: Arc<WriterQueue>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if state.holder != Some(self.number) {
            state.waiting.retain(|(waiter, _)| *waiter != self.number);
            return;
        }
        match state.waiting.pop_front() {
            Some((next, wake)) => {
                state.holder = Some(next);
                wake.notify_one();
            }
            None => state.holder = None,
        }
    }
}

/// A place in the queue for a namespace's writer slot.
///
/// It keeps its place over several short [`wait`](Self::wait)s, so a caller can
/// look in between whether it should go on waiting. Dropping it leaves the
/// queue. A ticket whose turn has come holds the slot even before `wait` says
/// so: do not keep one without waiting.
#[must_use = "dropping a ticket leaves the queue"]
pub struct WriterTicket {
    place: Place,
    wake: Arc<Condvar>,
}

impl WriterTicket {
    /// Blocks this thread until the slot is ours, at most for `timeout`; gives
    /// the ticket back if it is not our turn by then.
    pub fn wait(self, timeout: Duration) -> Result<WriterSlot, WriterTicket> {
        // A deadline beyond what the clock can say is none.
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.place.queue.lock();
        while state.holder != Some(self.place.number) {
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            if left.is_zero() {
                drop(state);
                return Err(self);
            }
            let woken = self.wake.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        Ok(WriterSlot { place: self.place })
    }
}

impl fmt::Debug for WriterTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriterTicket({}, namespace {})", self.place.number, self.place.queue.namespace)
    }
}

/// The right to write a serial namespace. Nobody else has it until this is
/// released or dropped.
///
/// Release it as soon as the commit is sequenced: the next writer builds on it
/// while it is still on its way to the disk.
#[must_use = "dropping a slot releases it"]
pub struct WriterSlot {
    place: Place,
}

impl WriterSlot {
    /// Grows with every slot that the namespace hands out in this process, so
    /// that of two holders the later one is known.
    pub fn fencing_token(&self) -> u64 {
        self.place.number
    }

    /// The namespace whose slot it is.
    pub fn namespace(&self) -> NamespaceId {
        self.place.queue.namespace
    }

    /// Passes the slot on, as dropping it does.
    pub fn release(self) {}
}

impl fmt::Debug for WriterSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriterSlot({}, namespace {})", self.place.number, self.place.queue.namespace)
    }
}

#[cfg(test)]
mod tests;
