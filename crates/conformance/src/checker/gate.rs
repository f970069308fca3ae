//! Makes commits overlap, and counts how many did.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use async_trait::async_trait;
use hozo_traits::{Commit, CommitOutcome, PageStore, Result, exec};

use crate::Rng;
use crate::layer::Layer;

/// Holds each commit until some number of others are waiting, too, and lets
/// all of them go at once. How many it waits for changes every time.
pub struct Gate {
    state: Mutex<State>,
    inside: AtomicUsize,
    met_inside: AtomicUsize,
}

struct State {
    rng: Rng,
    /// Workers that may still come.
    workers: usize,
    threshold: usize,
    arrived: usize,
    group: Arc<Group>,
    wakers: Vec<Waker>,
    overlap: Overlap,
}

/// Commits that go together.
#[derive(Default)]
struct Group {
    /// How many they are; 0 until the gate opens for them.
    size: AtomicUsize,
    /// How many of them are at the store's door.
    ready: AtomicUsize,
}

/// How far commits really overlapped.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Overlap {
    /// Commits that passed the gate.
    pub commits: usize,
    /// Commits that were asked for before an answer to another was given.
    pub together: usize,
    /// Commits that entered the store while another was inside it.
    pub inside: usize,
}

impl Gate {
    /// A gate for so many workers, each with one commit at a time.
    pub fn new(workers: usize, seed: u64) -> Self {
        let state = State {
            rng: Rng::new(seed),
            workers,
            threshold: workers,
            arrived: 0,
            group: Arc::default(),
            wakers: Vec::new(),
            overlap: Overlap::default(),
        };
        Gate {
            state: Mutex::new(state),
            inside: AtomicUsize::new(0),
            met_inside: AtomicUsize::new(0),
        }
    }

    /// A worker is done and does not come again.
    pub fn leave(&self) {
        let mut state = self.state();
        state.workers -= 1;
        state.open_if_due();
    }

    /// What was counted so far.
    pub fn overlap(&self) -> Overlap {
        Overlap { inside: self.met_inside.load(Ordering::Relaxed), ..self.state().overlap }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(&self) {
        let group = {
            let mut state = self.state();
            let group = Arc::clone(&state.group);
            state.arrived += 1;
            state.open_if_due();
            group
        };
        poll_fn(|context| {
            let mut state = self.state();
            if group.size.load(Ordering::SeqCst) > 0 {
                return Poll::Ready(());
            }
            state.wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
        // Threads wake one after the other, and a store may be faster than
        // that: so they meet again at its door, without sleeping.
        group.ready.fetch_add(1, Ordering::SeqCst);
        while exec::may_block()
            && group.ready.load(Ordering::SeqCst) < group.size.load(Ordering::SeqCst)
        {
            thread::yield_now();
        }
    }
}

impl State {
    fn open_if_due(&mut self) {
        if self.arrived == 0 || self.arrived < self.threshold.min(self.workers) {
            return;
        }
        self.overlap.commits += self.arrived;
        if self.arrived > 1 {
            self.overlap.together += self.arrived;
        }
        std::mem::take(&mut self.group).size.store(self.arrived, Ordering::SeqCst);
        self.arrived = 0;
        self.threshold = 1 + self.rng.below(self.workers.max(1));
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

#[async_trait]
impl Layer for Gate {
    async fn commit(&self, inner: &dyn PageStore, commit: Commit) -> Result<CommitOutcome> {
        self.pass().await;
        if self.inside.fetch_add(1, Ordering::SeqCst) > 0 {
            self.met_inside.fetch_add(1, Ordering::Relaxed);
        }
        let answer = inner.commit(commit).await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}
