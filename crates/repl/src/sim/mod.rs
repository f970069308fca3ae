//! A simulation of servers that replicate: everything that happens follows
//! from a seed.

mod client;
mod machine;
mod net;
mod steps;
mod store;
mod tasks;
mod watch;
mod world;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;

use hozo_traits::exec;

use self::world::World;

/// Steps of a seed, unless `HOZO_SIM_STEPS` says otherwise.
const STEPS: u64 = 150;
/// Seeds that are run each time.
const SEEDS: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Runs a seed; answers how often what happened.
fn run(seed: u64, steps: u64) -> Result<BTreeMap<&'static str, u64>, String> {
    let mut world = World::new(seed);
    // What is polled here may block: who waits for the disk syncs in place.
    let ended = exec::block_on(poll_fn(|_| Poll::Ready(world.go(steps))));
    ended.map_err(|what| {
        let events: Vec<_> = world.events.iter().cloned().collect();
        let (shape, events) = (world.shape, events.join("\n"));
        format!(
            "seed {seed}: {what}\n{shape:?}; what happened last:\n{events}\nseed {seed}: {what}\n\
             to see it again: HOZO_SIM_SEED={seed} HOZO_SIM_STEPS={steps} HOZO_SIM_TRACE=1 \
             cargo test --release -p hozo-repl --lib sim::seeds"
        )
    })?;
    Ok(world.counts)
}

fn run_all(seeds: impl Iterator<Item = u64>, steps: u64) {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut failed: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let many = number("HOZO_SIM_ALL").is_some();
    for seed in seeds {
        match run(seed, steps) {
            Ok(some) => {
                some.into_iter().for_each(|(what, n)| *counts.entry(what).or_default() += n)
            }
            Err(what) if many => {
                let first = what.lines().next().unwrap_or_default().to_owned();
                let kind: String = first
                    .split_once(": ")
                    .map_or("", |s| s.1)
                    .chars()
                    .filter(|c| !c.is_ascii_digit())
                    .take(60)
                    .collect();
                failed.entry(kind).or_default().push(seed);
            }
            Err(what) => panic!("{what}"),
        }
    }
    eprintln!("{counts:?}");
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The seeds of each day; `HOZO_SIM_SEED` runs one, `HOZO_SIM_SEEDS` so many
/// more.
#[test]
fn seeds() {
    let steps = number("HOZO_SIM_STEPS").unwrap_or(STEPS);
    match (number("HOZO_SIM_SEED"), number("HOZO_SIM_SEEDS")) {
        (Some(seed), None) => run_all(seed..=seed, steps),
        (first, many) => {
            let first = first.unwrap_or(1);
            run_all(first..first + many.unwrap_or(SEEDS), steps);
        }
    }
}
