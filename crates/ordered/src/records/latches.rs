//! Who updates what just now.
//!
//! Keys fall into stripes. An update holds the stripes of its keys from before
//! it reads until it is written, but not while it waits for the disk; one that
//! is about all records holds all. Others wait in line, and nobody passes one
//! who came before and wants the same: hot keys starve nobody. All stripes of
//! an update are given at once, so there are no deadlocks.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::layout::STRIPES;

const WORDS: usize = STRIPES / 64;

/// Some of the stripes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Stripes([u64; WORDS]);

impl Stripes {
    pub(super) const ALL: Stripes = Stripes([u64::MAX; WORDS]);

    pub(super) fn insert(&mut self, stripe: u8) {
        self.0[usize::from(stripe) / 64] |= 1 << (stripe % 64);
    }

    fn meets(&self, other: &Stripes) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    fn join(&mut self, other: &Stripes) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    fn leave(&mut self, other: &Stripes) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= !b);
    }
}

/// The stripes of one DBM.
#[derive(Default)]
pub(super) struct Latches {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Stripes,
    /// Who waits, in the order of coming. As many as there are updates.
    line: VecDeque<Waiting>,
    ever: u64,
}

struct Waiting {
    number: u64,
    wanted: Stripes,
    waker: Waker,
}

impl Latches {
    /// Waits until nobody else holds any of these.
    pub(super) fn hold(&self, wanted: Stripes) -> Hold<'_> {
        Hold { latches: self, wanted, number: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, held: &Stripes) {
        let mut state = self.state();
        state.held.leave(held);
        let next = state.grant();
        drop(state);
        // Wakers run foreign code: not under the lock.
        next.into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// Takes those from the line whose turn has come, and answers their wakers.
    fn grant(&mut self) -> Vec<Waker> {
        if self.line.is_empty() {
            return Vec::new();
        }
        // What is held, or wanted by somebody who came before.
        let mut taken = self.held;
        let (mut granted, mut rest) = (Vec::new(), VecDeque::with_capacity(self.line.len()));
        for waiting in self.line.drain(..) {
            if taken.meets(&waiting.wanted) {
                taken.join(&waiting.wanted);
                rest.push_back(waiting);
            } else {
                taken.join(&waiting.wanted);
                self.held.join(&waiting.wanted);
                granted.push(waiting.waker);
            }
        }
        self.line = rest;
        granted
    }
}

/// Waits for stripes.
pub(super) struct Hold<'a> {
    latches: &'a Latches,
    wanted: Stripes,
    /// Its number in the line, once it was there.
    number: Option<u64>,
}

/// Stripes that are held until this is dropped.
pub(super) struct Held<'a> {
    latches: &'a Latches,
    stripes: Stripes,
}

impl<'a> Future for Hold<'a> {
    type Output = Held<'a>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Held<'a>> {
        let (latches, wanted) = (self.latches, self.wanted);
        let mut state = latches.state();
        match self.number {
            // It is in the line until it holds them.
            Some(number) => {
                if let Some(waiting) = state.line.iter_mut().find(|w| w.number == number) {
                    waiting.waker.clone_from(context.waker());
                    return Poll::Pending;
                }
            }
            None => {
                let passed = state.line.iter().any(|waiting| waiting.wanted.meets(&wanted));
                if passed || state.held.meets(&wanted) {
                    let number = state.ever;
                    state.ever += 1;
                    let waker = context.waker().clone();
                    state.line.push_back(Waiting { number, wanted, waker });
                    self.number = Some(number);
                    return Poll::Pending;
                }
                state.held.join(&wanted);
            }
        }
        drop(state);
        // What it holds is the answer's business from here on.
        self.number = None;
        Poll::Ready(Held { latches, stripes: wanted })
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut state = self.latches.state();
        if let Some(at) = state.line.iter().position(|waiting| waiting.number == number) {
            state.line.remove(at);
            // Those behind it may have waited for it alone.
            let next = state.grant();
            drop(state);
            next.into_iter().for_each(Waker::wake);
        } else {
            // It was given what it wanted and did not come for it.
            drop(state);
            self.latches.release(&self.wanted);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.latches.release(&self.stripes);
    }
}
