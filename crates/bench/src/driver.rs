//! Applies load, and measures it.
//!
//! A *closed* loop has each thread begin an operation when its last one ended:
//! it shows how fast a store can go. An *open* loop has operations arrive at a
//! fixed rate, whether or not the ones before have ended, and counts each from
//! when it should have begun: it shows what clients see who do not wait for
//! each other. An operation that stalls delays those behind it, and they count
//! that delay as their own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;

use hozo::traits::{Error, Result};

use crate::clock::{Clock, wake_promptly};
use crate::latency::{Op, Recorder};
use crate::usage::Usage;

#[cfg(test)]
mod tests;

/// How often progress is told.
const PROGRESS_NANOS: u64 = 100_000_000;

/// Who does operations, on a thread of its own.
pub trait Worker {
    /// Does one operation, and tells what it was and how often it had to be
    /// tried again.
    fn step(&mut self) -> Result<Step>;
}

/// What an operation was.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Its kind.
    pub op: Op,
    /// How often it was tried again after a conflict.
    pub retries: u64,
}

impl Step {
    /// One that went well at once.
    pub fn of(op: Op) -> Self {
        Step { op, retries: 0 }
    }
}

/// How much load, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Threads that do operations.
    pub threads: usize,
    /// Operations a second, of all threads together, in an open loop; `None`
    /// is a closed loop.
    pub rate: Option<f64>,
    /// Before anything is measured.
    pub warm_up_nanos: u64,
    /// While it is measured.
    pub nanos: u64,
}

/// What was measured.
pub struct Driven {
    /// Operations that began in the measured time, and their latencies. Of an
    /// open loop also those that arrived and never began, with the time that
    /// they had waited.
    pub recorder: Recorder,
    /// Operations that were done.
    pub ops: u64,
    /// Operations a second.
    pub throughput: f64,
    /// Of an open loop: operations that arrived and never began, because the
    /// store could not keep up.
    pub unstarted: u64,
    /// How often operations were tried again after a conflict.
    pub retries: u64,
    /// What the process used meanwhile.
    pub usage: Usage,
}

/// Makes the worker of a thread, on that thread.
pub type MakeWorker<'a> = &'a (dyn Fn(usize) -> Result<Box<dyn Worker>> + Sync);

/// Runs a load to its end; `progress` is told the fraction that is over.
pub fn drive(
    clock: &dyn Clock,
    load: Load,
    make: MakeWorker<'_>,
    progress: &mut dyn FnMut(f64),
) -> Result<Driven> {
    let shared = Shared::new();
    // One wait for the workers to be ready, one for the time of the start.
    let (ready, go) = (Barrier::new(load.threads + 1), Barrier::new(load.threads + 1));
    let start = AtomicU64::new(0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..load.threads)
            .map(|index| {
                let (shared, ready, go, start) = (&shared, &ready, &go, &start);
                scope.spawn(move || {
                    wake_promptly();
                    let worker = make(index);
                    ready.wait();
                    go.wait();
                    let window = Window::of(start.load(Ordering::Acquire), load);
                    match worker {
                        Ok(mut worker) => run(clock, window, shared, &mut *worker),
                        Err(e) => {
                            shared.fail(e);
                            Part::default()
                        }
                    }
                })
            })
            .collect();
        ready.wait();
        start.store(clock.now(), Ordering::Release);
        let window = Window::of(start.load(Ordering::Acquire), load);
        go.wait();
        watch(clock, window.start, window.measured, window, &shared, progress);
        let before = Usage::now();
        watch(clock, window.measured, window.end, window, &shared, progress);
        let parts: Vec<Part> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        let usage = Usage::now().since(&before);
        match shared.failure() {
            Some(e) => Err(e),
            None => Ok(sum(window, &parts, &shared, usage)),
        }
    })
}

/// Waits, telling progress.
fn watch(
    clock: &dyn Clock,
    from: u64,
    to: u64,
    window: Window,
    shared: &Shared,
    progress: &mut dyn FnMut(f64),
) {
    let mut at = from;
    while at < to && !shared.stop.load(Ordering::Relaxed) {
        at = (at + PROGRESS_NANOS).min(to);
        clock.wait_until(at);
        let whole = (window.end - window.start).max(1) as f64;
        progress((at - window.start) as f64 / whole);
    }
}

/// When is what.
#[derive(Clone, Copy)]
struct Window {
    start: u64,
    /// Where the warm-up ends.
    measured: u64,
    end: u64,
    rate: Option<f64>,
}

impl Window {
    fn of(start: u64, load: Load) -> Self {
        let measured = start + load.warm_up_nanos;
        Window { start, measured, end: measured + load.nanos, rate: load.rate }
    }

    /// When the operation of this number arrives.
    fn arrival(&self, number: u64, rate: f64) -> u64 {
        self.start + (number as f64 / rate * 1e9) as u64
    }
}

/// What threads share.
struct Shared {
    stop: AtomicBool,
    failed: Mutex<Option<Error>>,
    /// Arrivals that some thread took.
    taken: AtomicU64,
}

impl Shared {
    fn new() -> Self {
        Shared { stop: AtomicBool::new(false), failed: Mutex::new(None), taken: AtomicU64::new(0) }
    }

    /// Ends the load; the first failure is told.
    fn fail(&self, error: Error) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
    }

    fn failure(&self) -> Option<Error> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What one thread did.
#[derive(Default)]
struct Part {
    recorder: Recorder,
    ops: u64,
    retries: u64,
    /// How much of an operation that began in the warm-up lay in the measured
    /// time. Without it a thread that waited through most of that time, and was
    /// quick in the rest, would seem to have been quick all the time.
    before: f64,
    /// When its last operation ended.
    ended: u64,
}

/// One thread's load.
fn run(clock: &dyn Clock, window: Window, shared: &Shared, worker: &mut dyn Worker) -> Part {
    let mut part = Part::default();
    while !shared.stop.load(Ordering::Relaxed) {
        let intended = match window.rate {
            None => clock.now(),
            Some(rate) => {
                let arrival = window.arrival(shared.taken.load(Ordering::Relaxed), rate);
                if arrival >= window.end || clock.now() >= window.end {
                    break;
                }
                let number = shared.taken.fetch_add(1, Ordering::Relaxed);
                let arrival = window.arrival(number, rate);
                clock.wait_until(arrival);
                arrival
            }
        };
        // One that began in the warm-up may take longer than there is time; then
        // the next one is measured, so that there is something to tell.
        if intended >= window.end && (window.rate.is_some() || part.ops > 0) {
            break;
        }
        let step = match worker.step() {
            Ok(step) => step,
            Err(e) => {
                shared.fail(e);
                break;
            }
        };
        let ended = clock.now();
        if intended >= window.measured {
            part.recorder.record(step.op, ended - intended);
            part.ops += 1;
            part.retries += step.retries;
        } else if ended > window.measured {
            part.before = (ended - window.measured) as f64 / (ended - intended) as f64;
        }
        part.ended = ended;
    }
    part
}

fn sum(window: Window, parts: &[Part], shared: &Shared, usage: Usage) -> Driven {
    let mut recorder = Recorder::default();
    let mut throughput = 0.0;
    for part in parts {
        recorder.merge(&part.recorder);
        // Operations that are long against the measured time would count too
        // much or too little if it were divided by that.
        let nanos = part.ended.saturating_sub(window.measured).max(1);
        throughput += (part.ops as f64 + part.before) * 1e9 / nanos as f64;
    }
    let ops = parts.iter().map(|part| part.ops).sum();
    let ended = parts.iter().map(|part| part.ended).max().unwrap_or_default().max(window.end);
    let mut unstarted = 0;
    if let Some(rate) = window.rate {
        let op = recorder.first_op();
        let mut number = shared.taken.load(Ordering::Relaxed);
        loop {
            let arrival = window.arrival(number, rate);
            if arrival >= window.end {
                break;
            }
            if arrival >= window.measured {
                recorder.record(op, ended - arrival);
                unstarted += 1;
            }
            number += 1;
        }
        throughput = ops as f64 * 1e9 / (ended - window.measured).max(1) as f64;
    }
    let retries = parts.iter().map(|part| part.retries).sum();
    Driven { recorder, ops, throughput, unstarted, retries, usage }
}
