//! The accounting of latencies, in a time of the tests' own.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hozo::traits::{Error, ErrorKind};

use super::*;
use crate::clock::SystemClock;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Time passes only when somebody waits or works.
#[derive(Default)]
struct Made(AtomicU64);

impl Clock for Made {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn wait_until(&self, at: u64) {
        self.0.fetch_max(at, Ordering::Relaxed);
    }
}

/// Takes as long as a list says, and 1 ms when that is over.
struct Takes<'a> {
    clock: &'a Made,
    nanos: RefCell<Vec<u64>>,
}

impl Worker for Takes<'_> {
    fn step(&mut self) -> Result<Step> {
        let nanos = self.nanos.borrow_mut().pop().unwrap_or(MILLI);
        self.clock.0.fetch_add(nanos, Ordering::Relaxed);
        Ok(Step::of(Op::Read))
    }
}

/// One thread's load of which the first operations take as long as these.
fn load(rate: Option<f64>, warm_up_nanos: u64, mut takes: Vec<u64>) -> Driven {
    takes.reverse();
    let clock = Made::default();
    let shared = Shared::new();
    let window = Window::of(0, Load { threads: 1, rate, warm_up_nanos, nanos: SECOND });
    let mut worker = Takes { clock: &clock, nanos: RefCell::new(takes) };
    let part = run(&clock, window, &shared, &mut worker);
    sum(window, &[part], &shared, Usage::default())
}

fn near(found: u64, wanted: u64) {
    let error = (found as f64 / wanted as f64 - 1.0).abs();
    assert!(error < 0.005, "{found} not {wanted}");
}

#[test]
fn those_behind_a_stall_count_it() {
    // 100 a second; the eleventh stalls for half a second, so the 50 that
    // arrive meanwhile wait: 500 ms, 491, 482, ... as each takes 1 ms.
    let mut takes = vec![MILLI; 10];
    takes.push(500 * MILLI);
    let driven = load(Some(100.0), 0, takes);
    assert_eq!((driven.ops, driven.unstarted), (100, 0));
    let latency = driven.recorder.latency().all;
    near(latency.max_ns, 500 * MILLI);
    // Half of the operations were hit, though only one was slow.
    near(latency.p90_ns, 500 * MILLI - 10 * 9 * MILLI);
    assert!(latency.p50_ns > MILLI && latency.p50_ns < 100 * MILLI, "{latency:?}");
    near(driven.recorder.latency().curve[0].1, MILLI);
}

#[test]
fn a_closed_loop_omits_that_and_says_how_fast_it_went() {
    let mut takes = vec![MILLI; 10];
    takes.push(500 * MILLI);
    let driven = load(None, 0, takes);
    // 10 ms, 500 ms, and then 490 of 1 ms.
    assert_eq!(driven.ops, 10 + 1 + 490);
    let latency = driven.recorder.latency().all;
    near(latency.p99_ns, MILLI);
    near(latency.max_ns, 500 * MILLI);
    assert!((driven.throughput - 501.0).abs() < 0.01, "{}", driven.throughput);
}

#[test]
fn who_cannot_keep_up_is_found_out() {
    // 2,000 a second arrive, and each takes 1 ms: half of them never begin.
    let driven = load(Some(2000.0), 0, Vec::new());
    assert_eq!((driven.ops, driven.unstarted), (1000, 1000));
    let latency = driven.recorder.latency().all;
    assert_eq!(latency.count, 2000, "those that never began are counted");
    near(latency.max_ns, 500 * MILLI);
    assert!((driven.throughput - 1000.0).abs() < 1.0, "{}", driven.throughput);
}

#[test]
fn the_warm_up_is_not_counted_nor_is_what_stalls_in_it() {
    let driven = load(None, 100 * MILLI, vec![90 * MILLI]);
    assert_eq!(driven.ops, 1000);
    near(driven.recorder.latency().all.max_ns, MILLI);
    // In an open loop those that arrive afterwards wait for what began before.
    let driven = load(Some(100.0), 100 * MILLI, vec![150 * MILLI]);
    assert_eq!(driven.ops, 100);
    assert!(driven.recorder.latency().all.max_ns > 55 * MILLI);
}

#[test]
fn long_operations_are_not_rounded_to_the_measured_time() {
    let driven = load(None, 0, vec![400 * MILLI; 10]);
    // Three begin within the second, and end after 1.2 s.
    assert_eq!(driven.ops, 3);
    assert!((driven.throughput - 2.5).abs() < 0.01, "{}", driven.throughput);
}

#[test]
fn who_waits_and_then_hurries_was_not_quick_all_the_time() {
    // One operation lasts from the warm-up until a tenth of the measured time
    // is left; a hundred quick ones follow.
    let driven = load(None, 100 * MILLI, vec![SECOND]);
    assert_eq!(driven.ops, 100);
    assert!((driven.throughput - 100.9).abs() < 0.1, "{}", driven.throughput);
}

#[test]
fn an_operation_that_outlasts_everything_is_followed_by_one_that_counts() {
    let driven = load(None, 100 * MILLI, vec![3 * SECOND, 2 * SECOND]);
    assert_eq!(driven.ops, 1);
    near(driven.recorder.latency().all.max_ns, 2 * SECOND);
}

struct Counts(Arc<AtomicU64>, Option<u64>);

impl Worker for Counts {
    fn step(&mut self) -> Result<Step> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        if self.1 == Some(number) {
            return Err(Error::new(ErrorKind::Unavailable, "the disk is on fire"));
        }
        Ok(Step::of(Op::Update))
    }
}

#[test]
fn threads_share_the_arrivals() {
    let steps = Arc::new(AtomicU64::new(0));
    let load = Load { threads: 4, rate: Some(1000.0), warm_up_nanos: 0, nanos: 100 * MILLI };
    let mut over = 0.0;
    let make = |_| Ok(Box::new(Counts(steps.clone(), None)) as Box<dyn Worker>);
    let driven = drive(&SystemClock::new(), load, &make, &mut |fraction| over = fraction).unwrap();
    assert_eq!(driven.ops + driven.unstarted, 100);
    assert_eq!(driven.ops, steps.load(Ordering::Relaxed));
    assert_eq!(over, 1.0);
}

#[test]
fn a_failure_ends_the_load_and_is_told() {
    let steps = Arc::new(AtomicU64::new(0));
    let load = Load { threads: 2, rate: None, warm_up_nanos: 0, nanos: 3600 * SECOND };
    let make = |_| Ok(Box::new(Counts(steps.clone(), Some(500))) as Box<dyn Worker>);
    let error = drive(&SystemClock::new(), load, &make, &mut |_| ()).err().unwrap();
    assert!(error.to_string().contains("on fire"), "{error}");
}

#[test]
fn a_worker_that_cannot_be_made_ends_it_too() {
    let load = Load { threads: 3, rate: None, warm_up_nanos: 0, nanos: 3600 * SECOND };
    let make = |index| match index {
        1 => Err(Error::new(ErrorKind::NotFound, "no second one")),
        _ => Ok(Box::new(Counts(Arc::default(), None)) as Box<dyn Worker>),
    };
    assert!(drive(&SystemClock::new(), load, &make, &mut |_| ()).is_err());
}
