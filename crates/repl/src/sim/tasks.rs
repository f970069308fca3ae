//! One thread, in which everything happens in an order that a seed decides.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;

/// Numbers that follow from a seed, SplitMix64.
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(AtomicU64::new(seed))
    }

    /// Where it is in its numbers.
    pub(super) fn state(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn number(&self) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(step, Ordering::SeqCst).wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&self, end: u64) -> u64 {
        self.number() % end
    }

    pub(super) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// Time that passes when there is nothing else to do.
#[derive(Default)]
pub(super) struct Time {
    pub(super) micros: Arc<AtomicU64>,
    timers: Mutex<BTreeMap<(u64, u64), Waker>>,
    ever: AtomicU64,
    /// Nobody may wait: what is done is not a task's.
    hurry: AtomicBool,
}

impl Time {
    /// Does what must not wait for tasks, since none goes on meanwhile.
    pub(super) fn in_hurry<T>(&self, what: impl FnOnce() -> T) -> T {
        let before = self.hurry.swap(true, Ordering::SeqCst);
        let done = what();
        self.hurry.store(before, Ordering::SeqCst);
        done
    }

    pub(super) fn is_in_hurry(&self) -> bool {
        self.hurry.load(Ordering::SeqCst)
    }

    pub(super) fn now(&self) -> u64 {
        self.micros.load(Ordering::SeqCst)
    }

    pub(super) async fn sleep(&self, time: Duration) {
        let until = self.now() + time.as_micros() as u64;
        let number = self.ever.fetch_add(1, Ordering::SeqCst);
        std::future::poll_fn(|context| {
            if self.now() >= until {
                return Poll::Ready(());
            }
            self.timers.lock().insert((until, number), context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// When somebody wants to be woken next.
    pub(super) fn next(&self) -> Option<u64> {
        self.timers.lock().keys().next().map(|(at, _)| *at)
    }

    pub(super) fn pass_to(&self, at: u64) {
        self.micros.fetch_max(at, Ordering::SeqCst);
        let later = self.timers.lock().split_off(&(at + 1, 0));
        let due = std::mem::replace(&mut *self.timers.lock(), later);
        due.into_values().for_each(Waker::wake);
    }
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// What runs, each in a group that can be ended.
#[derive(Default)]
pub(super) struct Tasks {
    all: BTreeMap<u64, (usize, Task)>,
    ready: Arc<Mutex<BTreeSet<u64>>>,
    ever: u64,
}

struct Ready {
    ready: Arc<Mutex<BTreeSet<u64>>>,
    number: u64,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.ready.lock().insert(self.number);
    }
}

impl Tasks {
    pub(super) fn spawn(&mut self, group: usize, future: impl Future<Output = ()> + 'static) {
        self.ever += 1;
        self.all.insert(self.ever, (group, Box::pin(future)));
        self.ready.lock().insert(self.ever);
    }

    /// Ends a group at once, wherever its tasks are.
    pub(super) fn end(&mut self, group: usize) {
        let ended: Vec<u64> =
            self.all.iter().filter(|(_, task)| task.0 == group).map(|(n, _)| *n).collect();
        for number in ended {
            self.all.remove(&number);
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Polls one that can go on; which, if there is any.
    pub(super) fn poll_one(&mut self, dice: &Dice) -> Option<u64> {
        let number = {
            let mut ready = self.ready.lock();
            if ready.is_empty() {
                return None;
            }
            let at = dice.below(ready.len() as u64) as usize;
            let number = *ready.iter().nth(at).expect("so many");
            ready.remove(&number);
            number
        };
        let Some((_, future)) = self.all.get_mut(&number) else { return Some(number) };
        let waker = Waker::from(Arc::new(Ready { ready: Arc::clone(&self.ready), number }));
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.all.remove(&number);
        }
        Some(number)
    }
}
