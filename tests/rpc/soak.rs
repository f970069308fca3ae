//! A mixed load for a while, over every backend at once, with memory flat.

mod load;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hozo_conformance::Rng;
use hozo_tests::Scratch;

use self::load::{KINDS, Load};
use crate::kit::Kit;
use crate::server::{Dbm, Server, backends};

/// How long, unless `HOZO_SOAK_SECONDS` says otherwise.
const SECONDS: u64 = 6;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(200);
const MIB: u64 = 1 << 20;
/// By how much memory may be larger in the last third than in the one before it:
/// what engines fill, flush and fill again.
const GROWTH_MAX: u64 = 96 * MIB;
/// Descriptors that may be open afterwards, besides those before: engines have
/// files.
const DESCRIPTORS_MAX: usize = 64;

fn seconds() -> u64 {
    std::env::var("HOZO_SOAK_SECONDS").map_or(SECONDS, |n| {
        n.parse().unwrap_or_else(|e| panic!("HOZO_SOAK_SECONDS is a number: {n:?}: {e}"))
    })
}

pub(crate) fn run(seed: u64) {
    let scratch = Scratch::empty();
    let backends = backends();
    let dbms: Vec<Dbm<'_>> = backends.iter().map(|backend| Dbm::of(backend)).collect();
    let server = Server::over(&scratch, &dbms, "");
    let kit = Kit::as_is(server.address(), 0);
    let descriptors = server.descriptors();
    let ended = Arc::new(AtomicBool::new(false));
    let rng = Rng::new(seed);
    let mut loads = Vec::new();
    for (index, backend) in (0..).zip(&backends) {
        for (kind, run) in KINDS {
            let load = Load {
                client: kit.another(),
                address: server.address().to_owned(),
                index,
                rng: rng.fork(&format!("{backend} {kind}")),
                ended: Arc::clone(&ended),
            };
            loads.push((format!("{backend} {kind}"), kit.spawn(run(load))));
        }
    }
    let samples = watch(&server, &loads);
    ended.store(true, Ordering::SeqCst);
    let mut all = 0;
    for (name, load) in loads {
        let done = kit.run(load).unwrap_or_else(|e| panic!("{name}, HOZO_SEED={seed}: {e}"));
        assert!(done > 0, "{name} did nothing");
        all += done;
    }
    println!("soak: {all} calls in {} s; {}", seconds(), shown(&samples));
    drop(kit);
    let [_, before, last] = thirds(&samples);
    assert!(last <= before + GROWTH_MAX, "memory grows: {}", shown(&samples));
    let left = server.descriptors_down_to(descriptors + DESCRIPTORS_MAX);
    assert!(left <= descriptors + DESCRIPTORS_MAX, "{left} descriptors, {descriptors} before");
    let ran = server.stop();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
}

/// The server's memory, again and again, until the time is over or a load is.
fn watch<T>(server: &Server, loads: &[(String, tokio::task::JoinHandle<T>)]) -> Vec<u64> {
    let end = Instant::now() + Duration::from_secs(seconds());
    let mut samples = Vec::new();
    while Instant::now() < end && !loads.iter().any(|(_, load)| load.is_finished()) {
        samples.push(server.resident());
        std::thread::sleep(LOOK);
    }
    samples
}

/// The most in each third.
fn thirds(samples: &[u64]) -> [u64; 3] {
    let third = samples.len().div_ceil(3).max(1);
    let mut parts = samples.chunks(third).map(|part| part.iter().copied().max().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

fn shown(samples: &[u64]) -> String {
    let [first, second, last] = thirds(samples).map(|bytes| bytes / MIB);
    format!("at most {first}, {second} and {last} MiB in the thirds of the time")
}
