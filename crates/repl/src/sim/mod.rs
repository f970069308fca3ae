//! A simulation of servers that replicate, in which everything follows from a
//! seed.
//!
//! Servers are what they are otherwise, but for their disks ([`SimDisk`]), their
//! clocks, the records below them, and the network between them; they run as
//! tasks of one thread, whose order, and all that goes wrong, dice decide. Logs
//! are read along, and after each step, and after each crash, it is looked at
//! what has to hold:
//!
//! - A server's records are what its log says, and servers at the same position
//!   have the same records.
//! - Logs have each server's updates once, in their order, and no update that
//!   its origin can lose, or has otherwise.
//! - What was answered survives a crash of the process; what was answered as
//!   durable, a power cut; what a follower acknowledged, a promotion.
//! - A server that is fenced takes nothing, and says why.
//! - In the end, when nothing goes wrong any more, all servers have the same, and
//!   nobody waits.
//!
//! [`SimDisk`]: hozo_log::disk::sim::SimDisk

mod check;
mod client;
mod life;
mod machine;
mod net;
mod operator;
mod steps;
mod store;
mod tasks;
mod watch;
mod world;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use hozo_conformance::{SEED_VARIABLE, seed};
use hozo_traits::exec;

use self::world::World;

/// Steps of a seed, unless `HOZO_SIM_STEPS` says otherwise.
const STEPS: u64 = 150;
/// Seeds that are run each time, from 1 on.
const SEEDS: u64 = 120;
/// A seed that takes longer does not end: it takes a fraction of a second.
const HANGS: Duration = Duration::from_secs(120);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// What became of a seed: how often what happened, and its trace.
type Ran = (BTreeMap<&'static str, u64>, u64);

fn run(seed: u64, steps: u64) -> Result<Ran, String> {
    let mut world = World::new(seed);
    // What is polled here may block: who waits for the disk syncs in place.
    let ended = exec::block_on(poll_fn(|_| Poll::Ready(world.go(steps))));
    match ended {
        Ok(()) => Ok((world.counts, world.trace)),
        Err(what) => {
            let events: Vec<_> = world.events.iter().cloned().collect();
            let (shape, events) = (world.shape, events.join("\n"));
            Err(format!("{what}\n{shape:?}; what happened last:\n{events}\n{what}"))
        }
    }
}

fn again(seed: u64, steps: u64) -> String {
    format!(
        "seed {seed}; to repeat this, and to see all that happens: {}={seed} \
         HOZO_SIM_STEPS={steps} HOZO_SIM_TRACE=1 cargo test --release -p hozo-repl --lib sim::seeds",
        SEED_VARIABLE
    )
}

/// Runs seeds; a failure of one ends it, or of several is said in short at the
/// end if `HOZO_SIM_GOES_ON` is set.
fn run_all(seeds: impl Iterator<Item = u64>, steps: u64) {
    let (began, beginnings) = mpsc::channel();
    let watch = thread::spawn(move || {
        let mut now = 0;
        loop {
            match beginnings.recv_timeout(HANGS) {
                Ok(seed) => now = seed,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("it hangs: {}", again(now, steps));
                    std::process::abort();
                }
            }
        }
    });
    let goes_on = std::env::var_os("HOZO_SIM_GOES_ON").is_some();
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut failed: Vec<String> = Vec::new();
    for seed in seeds {
        began.send(seed).expect("it is watched");
        match run(seed, steps) {
            Ok((some, _)) => {
                some.into_iter().for_each(|(what, n)| *counts.entry(what).or_default() += n)
            }
            Err(what) if goes_on => {
                let first = what.lines().next().unwrap_or_default();
                failed.push(format!("seed {seed}: {first}"));
            }
            Err(what) => panic!("{what}\n{}", again(seed, steps)),
        }
    }
    drop(began);
    watch.join().expect("it only watches");
    eprintln!("{counts:?}");
    assert!(failed.is_empty(), "{} seeds failed: {failed:#?}", failed.len());
}

/// `HOZO_SEED` runs one seed; `HOZO_SIM_SEEDS` so many, from that one on or from
/// any.
#[test]
fn seeds() {
    let steps = number("HOZO_SIM_STEPS").unwrap_or(STEPS);
    let first = std::env::var_os(SEED_VARIABLE).map(|_| seed());
    match (first, number("HOZO_SIM_SEEDS")) {
        (None, None) => run_all(1..=SEEDS, steps),
        (Some(seed), None) => run_all(seed..=seed, steps),
        (first, Some(many)) => {
            let first = first.unwrap_or_else(|| seed() >> 1);
            run_all(first..first.saturating_add(many), steps);
        }
    }
}

#[test]
fn a_seed_says_all_that_happens() {
    for seed in 1..=8 {
        let (one, other) = (run(seed, 60), run(seed, 60));
        assert_eq!(one, other, "seed {seed}");
        assert_ne!(one.map(|ran| ran.1), run(seed + 100, 60).map(|ran| ran.1), "seed {seed}");
    }
}
