//! One fsync for all who wait: how far what was written is on stable storage.
//!
//! Whoever waits and may block becomes the leader: it does the fsync in place,
//! for everything written so far, and wakes all whom that serves. Those who
//! wrote meanwhile are served by the next leader, whom the last one wakes.
//! Where nobody who waits may block, the sync thread leads; it is started when
//! it is first needed, and also sees to it that what nobody waits for becomes
//! durable soon.
//!
//! A waiter that is dropped hands on what it was woken for, so that nobody
//! waits for somebody who is no longer there.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hozo_traits::{Durability, Error, ErrorKind, Result, Retry};

mod poison;
mod sync_thread;
#[cfg(test)]
mod tests;
mod wait;

pub use self::poison::PoisonGuard;
pub use self::wait::Wait;

/// A point in what is written: versions, positions in a file, anything that
/// only grows.
pub trait Mark: Ord + Copy + Send + Sync + 'static {}

impl<M: Ord + Copy + Send + Sync + 'static> Mark for M {}

/// How far writes reach, and how far they are on stable storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marks<M> {
    /// Everything up to here was written, and is visible.
    pub written: M,
    /// Everything up to here is on stable storage. Never above `written`.
    pub durable: M,
}

/// How a [`GroupSync`] treats what nobody waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupSyncConfig {
    /// Whether there is anything to sync. Without it what is written is
    /// durable at once.
    pub persistent: bool,
    /// How long something written may stay without an fsync if nobody waits
    /// for it; `None` leaves it to the system until somebody does, or until
    /// the end.
    pub lag: Option<Duration>,
}

impl Default for GroupSyncConfig {
    /// There is something to sync, within 50 ms.
    fn default() -> Self {
        GroupSyncConfig { persistent: true, lag: Some(Duration::from_millis(50)) }
    }
}

/// Groups the fsyncs of all who wait, over a function that does one.
///
/// Whoever writes calls [`wrote`](Self::wrote) under the lock that puts writes
/// in order, and [`wait`](Self::wait) without it. The function is called by one
/// thread at a time, possibly while others write, and must put on stable
/// storage everything up to the mark that it is given. When it fails or panics,
/// and when [`poison`](Self::poison) is called, it is over: whoever waits gets
/// an error, now and later, since nobody knows what is on the disk.
///
/// Dropping it ends the sync thread and syncs what is left, but not in a forked
/// child, which has neither the thread nor anything of its own to sync.
pub struct GroupSync<M: Mark> {
    inner: Arc<Inner<M>>,
    /// The process that made it.
    pid: u32,
}

type SyncTo<M> = Box<dyn Fn(M) -> Result<()> + Send + Sync>;

struct Inner<M> {
    sync: SyncTo<M>,
    config: GroupSyncConfig,
    state: Mutex<State<M>>,
    /// Wakes the sync thread.
    work: Condvar,
}

struct State<M> {
    marks: Marks<M>,
    /// Whether somebody is in the sync.
    syncing: bool,
    /// Why nothing can be written any more.
    poison: Option<Arc<str>>,
    /// Who waits for which mark, in the order of marks. As many as there are
    /// futures waiting.
    waiters: BTreeMap<(M, u64), Waiter>,
    waiters_ever: u64,
    thread: Option<JoinHandle<()>>,
    /// The sync thread is to lead now.
    urgent: bool,
    /// The sync thread is to lead then, unless somebody does before that.
    lag: Option<Instant>,
    /// How long something may stay without an fsync now.
    lag_max: Option<Duration>,
    closing: bool,
}

struct Waiter {
    waker: Waker,
    /// Whether who polls it may block, and so can lead.
    can_lead: bool,
}

/// The store may have written or not: it takes no commit any more.
fn poisoned(why: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the store takes no commits since one failed; reopen it to go on from what is on disk",
    )
    .with("failure", why)
    .retrying(Retry::Never)
}

impl<M: Mark> GroupSync<M> {
    /// Goes on from `start`, up to which everything is on stable storage, with
    /// `sync` to put there what comes.
    pub fn new(
        start: M,
        config: GroupSyncConfig,
        sync: impl Fn(M) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            marks: Marks { written: start, durable: start },
            syncing: false,
            poison: None,
            waiters: BTreeMap::new(),
            waiters_ever: 0,
            thread: None,
            urgent: false,
            lag: None,
            lag_max: config.lag,
            closing: false,
        };
        let (state, work) = (Mutex::new(state), Condvar::new());
        let inner = Arc::new(Inner { sync: Box::new(sync), config, state, work });
        GroupSync { inner, pid: std::process::id() }
    }

    /// How far it is now.
    pub fn marks(&self) -> Marks<M> {
        self.inner.state().marks
    }

    /// Everything up to `mark` was written. Marks never move back: to be called
    /// in their order, under the lock that gives it. With
    /// [`Durability::Sequenced`] nobody will wait for it, and within the lag a
    /// sync begins that has it, also if one that goes on now happens to have it.
    pub fn wrote(&self, mark: M, durability: Durability) {
        let mut state = self.inner.state();
        debug_assert!(mark >= state.marks.written, "marks move forward only");
        state.marks.written = mark;
        if !self.inner.config.persistent {
            state.marks.durable = mark;
        } else if durability == Durability::Sequenced {
            self.inner.sync_soon(&mut state);
        }
    }

    /// From now on what nobody waits for is synced within `at_most` where that is
    /// shorter than the config's [`lag`](GroupSyncConfig::lag); `None` for that one
    /// again.
    pub fn hurry(&self, at_most: Option<Duration>) {
        let mut state = self.inner.state();
        state.lag_max = self.inner.config.lag.map(|lag| at_most.map_or(lag, |max| max.min(lag)));
        if let (Some(when), Some(lag)) = (state.lag, state.lag_max) {
            state.lag = Some(when.min(Instant::now() + lag));
            self.inner.work.notify_one();
        }
    }

    /// Waits until everything up to `mark`, which was written, is on stable
    /// storage. Polled under [`exec::block_on`](hozo_traits::exec::block_on) it
    /// may do the fsync itself; elsewhere it never blocks.
    pub fn wait(&self, mark: M) -> Wait<'_, M> {
        Wait::new(&self.inner, mark)
    }

    /// An error if nothing can be written any more.
    pub fn refuse_if_poisoned(&self) -> Result<()> {
        match &self.inner.state().poison {
            Some(why) => Err(poisoned(why)),
            None => Ok(()),
        }
    }

    /// Ends the life of the store for writes, since `what` failed; gives the
    /// error back with what it was about.
    pub fn poison(&self, what: &'static str, error: Error) -> Error {
        self.inner.poison(what, error)
    }

    /// Poisons when it is dropped, by a panic, unless it was defused.
    pub fn poison_unless_defused(&self, what: &'static str) -> PoisonGuard<'_, M> {
        PoisonGuard::new(&self.inner, what)
    }
}

impl<M: Mark> Inner<M> {
    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poison(&self, what: &'static str, error: Error) -> Error {
        let mut state = self.state();
        state.poison.get_or_insert_with(|| Arc::from(format!("{what}: {error}")));
        let everyone = std::mem::take(&mut state.waiters);
        drop(state);
        everyone.into_values().for_each(|waiter| waiter.waker.wake());
        error.with("while", what)
    }

    /// Syncs what is written, and wakes whom that serves and the next leader.
    /// Nobody may be syncing.
    fn lead<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<M>>,
    ) -> (MutexGuard<'a, State<M>>, Result<()>) {
        let reaches = state.marks.written;
        state.syncing = true;
        state.urgent = false;
        // What is written from here on has a time limit of its own: this sync
        // may miss it.
        state.lag = None;
        drop(state);

        let guard = PoisonGuard::new(self, "an fsync");
        let synced = (self.sync)(reaches).map_err(|e| self.poison("an fsync", e));
        guard.defuse();

        let mut state = self.state();
        state.syncing = false;
        if synced.is_ok() {
            state.marks.durable = state.marks.durable.max(reaches);
            let served = state.take_served();
            let next = self.hand_on(&mut state);
            // Wakers run foreign code: not under the lock.
            drop(state);
            served.into_values().for_each(|waiter| waiter.waker.wake());
            next.into_iter().for_each(Waker::wake);
            state = self.state();
        }
        (state, synced)
    }

    /// Sees to it that somebody leads if somebody waits: the thread is told,
    /// or the waker of who can lead is answered, to be woken without the lock.
    /// Nobody may be syncing.
    fn hand_on(&self, state: &mut State<M>) -> Option<Waker> {
        let next = state.waiters.values().find(|waiter| waiter.can_lead);
        let next = next.map(|waiter| waiter.waker.clone());
        // Who cannot lead has started the thread.
        state.urgent |= next.is_none() && !state.waiters.is_empty();
        // It may also have let a time limit pass while somebody synced.
        if state.urgent || state.lag.is_some_and(|when| when <= Instant::now()) {
            self.work.notify_one();
        }
        next
    }
}

impl<M: Mark> State<M> {
    /// Those whose mark is durable.
    fn take_served(&mut self) -> BTreeMap<(M, u64), Waiter> {
        // No waiter has the largest number.
        let rest = self.waiters.split_off(&(self.marks.durable, u64::MAX));
        std::mem::replace(&mut self.waiters, rest)
    }
}

impl<M: Mark> Drop for GroupSync<M> {
    fn drop(&mut self) {
        if self.pid != std::process::id() {
            return;
        }
        let thread = {
            let mut state = self.inner.state();
            state.closing = true;
            state.thread.take()
        };
        self.inner.work.notify_all();
        // A waker may drop the store on the sync thread itself.
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // It panics only if the sync does, which poisoned the store.
            let _ = thread.join();
        }
        let state = self.inner.state();
        let (marks, poisoned) = (state.marks, state.poison.is_some());
        drop(state);
        if marks.durable < marks.written && !poisoned {
            // Nobody was promised anything about these.
            let _ = (self.inner.sync)(marks.written);
        }
    }
}
