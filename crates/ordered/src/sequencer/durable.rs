//! How far commits are on stable storage, and who waits for it.
//!
//! Whoever waits and may block becomes the leader: it does the fsync in place,
//! for everything sequenced so far, and wakes all whom that serves. Those who
//! were sequenced meanwhile are served by the next leader, whom the last one
//! wakes. Where nobody who waits may block, the sync thread leads; it is
//! started when it is first needed, and also sees to it that commits for which
//! nobody waits become durable soon.
//!
//! A waiter that is dropped hands on what it was woken for, so that nobody
//! waits for somebody who is no longer there.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hozo_traits::{Durability, Error, ErrorKind, Result, Retry, Version, Watermarks, exec};

use crate::LocalEngine;

/// How long a commit for which nobody waits may stay without an fsync.
const LAG: Duration = Duration::from_millis(50);

/// The engine, and how far it is durable.
pub(super) struct Durable<E> {
    pub(super) engine: E,
    persistent: bool,
    marks: Mutex<Marks>,
    /// Wakes the sync thread.
    work: Condvar,
}

struct Marks {
    sequenced: Version,
    durable: Version,
    /// Whether somebody is in the engine's sync.
    syncing: bool,
    /// Why no commit is possible any more.
    poison: Option<Arc<str>>,
    /// Who waits for which version, in the order of versions. As many as there
    /// are futures waiting.
    waiters: BTreeMap<(Version, u64), Waiter>,
    waiters_ever: u64,
    thread: Option<JoinHandle<()>>,
    /// The sync thread is to lead now.
    urgent: bool,
    /// The sync thread is to lead then, if by then this is not durable.
    lag: Option<(Instant, Version)>,
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

impl<E: LocalEngine> Durable<E> {
    pub(super) fn new(engine: E, newest: Version) -> Arc<Self> {
        let marks = Marks {
            sequenced: newest,
            durable: newest,
            syncing: false,
            poison: None,
            waiters: BTreeMap::new(),
            waiters_ever: 0,
            thread: None,
            urgent: false,
            lag: None,
            closing: false,
        };
        let persistent = engine.persistent();
        Arc::new(Durable { engine, persistent, marks: Mutex::new(marks), work: Condvar::new() })
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watermarks(&self) -> Watermarks {
        let marks = self.marks();
        Watermarks { sequenced: marks.sequenced, durable: marks.durable }
    }

    pub(super) fn refuse_if_poisoned(&self) -> Result<()> {
        match &self.marks().poison {
            Some(why) => Err(poisoned(why)),
            None => Ok(()),
        }
    }

    /// Ends the store's life for commits; gives the error back with what it was about.
    pub(super) fn poison(&self, what: &'static str, error: Error) -> Error {
        let mut marks = self.marks();
        marks.poison.get_or_insert_with(|| Arc::from(format!("{what}: {error}")));
        let everyone = std::mem::take(&mut marks.waiters);
        drop(marks);
        everyone.into_values().for_each(|waiter| waiter.waker.wake());
        error.with("while", what)
    }

    /// The engine has applied `version`.
    pub(super) fn sequenced(self: &Arc<Self>, version: Version, durability: Durability) {
        let mut marks = self.marks();
        marks.sequenced = version;
        if !self.persistent {
            marks.durable = version;
        } else if durability == Durability::Sequenced {
            self.sync_soon(&mut marks);
        }
    }

    /// Somebody will have synced what is sequenced now within [`LAG`].
    fn sync_soon(self: &Arc<Self>, marks: &mut Marks) {
        if marks.lag.is_none() {
            marks.lag = Some((Instant::now() + LAG, marks.sequenced));
            // Without a thread the next commit that waits does it.
            if self.start_thread(marks).is_ok() {
                self.work.notify_one();
            }
        }
    }

    fn start_thread(self: &Arc<Self>, marks: &mut Marks) -> Result<()> {
        if marks.thread.is_none() {
            let this = Arc::clone(self);
            let spawned = thread::Builder::new().name("hozo-sync".into()).spawn(move || this.run());
            marks.thread = Some(spawned.map_err(|e| {
                Error::new(ErrorKind::Unavailable, "the sync thread cannot be started").caused_by(e)
            })?);
        }
        Ok(())
    }

    /// The sync thread.
    fn run(self: &Arc<Self>) {
        let mut marks = self.marks();
        while !marks.closing {
            let now = Instant::now();
            let late = marks.lag.is_some_and(|(when, _)| when <= now);
            if late && marks.lag.is_some_and(|(_, version)| version <= marks.durable) {
                // Others were faster. What came since has its own time limit.
                marks.lag = None;
                if marks.durable < marks.sequenced {
                    marks.lag = Some((now + LAG, marks.sequenced));
                }
                continue;
            }
            let due = (marks.urgent || late) && marks.poison.is_none();
            if due && !marks.syncing {
                // The error is in the poison, where all who wait find it.
                let (back, _) = self.lead(marks);
                marks = back;
                continue;
            }
            marks = match marks.lag {
                // While somebody syncs, the end of that is worth waiting for.
                Some((when, _)) if !late => {
                    let wait = self.work.wait_timeout(marks, when - now);
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
                _ => self.work.wait(marks).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Syncs what is sequenced, and wakes whom that serves and the next leader.
    /// Nobody may be syncing.
    fn lead<'a>(
        self: &'a Arc<Self>,
        mut marks: MutexGuard<'a, Marks>,
    ) -> (MutexGuard<'a, Marks>, Result<()>) {
        let reaches = marks.sequenced;
        marks.syncing = true;
        marks.urgent = false;
        drop(marks);

        let poison = Poison::unless_defused(self, "an fsync");
        let synced = self.engine.sync().map_err(|e| self.poison("an fsync", e));
        poison.defuse();

        let mut marks = self.marks();
        marks.syncing = false;
        if synced.is_ok() {
            marks.durable = marks.durable.max(reaches);
            let served = marks.take_served();
            let next = self.hand_on(&mut marks);
            // Wakers run foreign code: not under the lock.
            drop(marks);
            served.into_values().for_each(|waiter| waiter.waker.wake());
            next.into_iter().for_each(Waker::wake);
            marks = self.marks();
        }
        (marks, synced)
    }

    /// Sees to it that somebody leads if somebody waits: the thread is told,
    /// or the waker of who can lead is answered, to be woken without the lock.
    /// Nobody may be syncing.
    fn hand_on(&self, marks: &mut Marks) -> Option<Waker> {
        let next = marks.waiters.values().find(|waiter| waiter.can_lead);
        let next = next.map(|waiter| waiter.waker.clone());
        // Who cannot lead has started the thread.
        marks.urgent |= next.is_none() && !marks.waiters.is_empty();
        // It may also have let a time limit pass while somebody synced.
        if marks.urgent || marks.lag.is_some_and(|(when, _)| when <= Instant::now()) {
            self.work.notify_one();
        }
        next
    }

    /// Waits until `version`, which is sequenced, is durable.
    pub(super) fn wait(self: &Arc<Self>, version: Version) -> Wait<'_, E> {
        Wait { durable: self, version, registered: None }
    }

    /// Ends the sync thread, and syncs what nobody waited for.
    pub(super) fn close(&self) {
        let thread = {
            let mut marks = self.marks();
            marks.closing = true;
            marks.thread.take()
        };
        self.work.notify_all();
        // A waker may drop the store on the sync thread itself.
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // It panics only if the engine does, which poisoned the store.
            let _ = thread.join();
        }
        let marks = self.marks();
        let left = marks.durable < marks.sequenced && marks.poison.is_none();
        drop(marks);
        if left {
            // Nobody was promised anything about these.
            let _ = self.engine.sync();
        }
    }
}

impl Marks {
    /// Those whose version is durable.
    fn take_served(&mut self) -> BTreeMap<(Version, u64), Waiter> {
        match self.durable.successor() {
            Some(above) => {
                let rest = self.waiters.split_off(&(above, 0));
                std::mem::replace(&mut self.waiters, rest)
            }
            None => std::mem::take(&mut self.waiters),
        }
    }
}

/// Waits until a version is durable; leads if it may.
pub(super) struct Wait<'a, E: LocalEngine> {
    durable: &'a Arc<Durable<E>>,
    version: Version,
    /// Its number among the waiters, once it was.
    registered: Option<u64>,
}

impl<E: LocalEngine> Future for Wait<'_, E> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let durable = self.durable;
        let mut marks = durable.marks();
        if let Some(number) = self.registered.take() {
            marks.waiters.remove(&(self.version, number));
        }
        loop {
            if marks.durable >= self.version {
                return Poll::Ready(Ok(()));
            }
            if let Some(why) = &marks.poison {
                return Poll::Ready(Err(poisoned(why)));
            }
            let can_lead = exec::may_block();
            if can_lead && !marks.syncing {
                let (back, synced) = durable.lead(marks);
                if let Err(error) = synced {
                    return Poll::Ready(Err(error));
                }
                marks = back;
                continue;
            }
            if !can_lead {
                // Also while somebody syncs, who then hands on to the thread.
                if let Err(error) = durable.start_thread(&mut marks) {
                    return Poll::Ready(Err(error));
                }
                if !marks.syncing {
                    marks.urgent = true;
                    durable.work.notify_one();
                }
            }
            let number = marks.waiters_ever;
            marks.waiters_ever += 1;
            let waiter = Waiter { waker: context.waker().clone(), can_lead };
            marks.waiters.insert((self.version, number), waiter);
            self.registered = Some(number);
            return Poll::Pending;
        }
    }
}

impl<E: LocalEngine> Drop for Wait<'_, E> {
    fn drop(&mut self) {
        let Some(number) = self.registered else { return };
        let mut marks = self.durable.marks();
        marks.waiters.remove(&(self.version, number));
        if marks.durable < self.version && marks.poison.is_none() {
            // Its commit is there all the same, and soon durable.
            self.durable.sync_soon(&mut marks);
            // It may have been woken to lead.
            if !marks.syncing {
                let next = self.durable.hand_on(&mut marks);
                drop(marks);
                next.into_iter().for_each(Waker::wake);
            }
        }
    }
}

/// Poisons the store if the engine panics.
pub(super) struct Poison<'a, E: LocalEngine> {
    durable: &'a Durable<E>,
    what: &'static str,
    armed: bool,
}

impl<'a, E: LocalEngine> Poison<'a, E> {
    pub(super) fn unless_defused(durable: &'a Durable<E>, what: &'static str) -> Self {
        Poison { durable, what, armed: true }
    }

    pub(super) fn defuse(mut self) {
        self.armed = false;
    }
}

impl<E: LocalEngine> Drop for Poison<'_, E> {
    fn drop(&mut self) {
        if self.armed {
            let panicked = Error::new(ErrorKind::Internal, "the engine panicked");
            self.durable.poison(self.what, panicked);
        }
    }
}
