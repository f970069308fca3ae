//! The fuzz targets with random and mutated bytes, for a short time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use hozo_conformance::Rng;
use hozo_tests::fuzz::Target;

/// How long each target is tried, unless `HOZO_FUZZ_SECONDS` says otherwise.
const SECONDS: u64 = 2;
/// What is made of a seed becomes no longer than this.
const BYTES_MAX: usize = 4096;

fn time() -> Duration {
    let seconds = std::env::var("HOZO_FUZZ_SECONDS").map_or(SECONDS, |n| {
        n.parse().unwrap_or_else(|e| panic!("HOZO_FUZZ_SECONDS is a number: {n:?}: {e}"))
    });
    Duration::from_secs(seconds)
}

pub(crate) fn run(target: &Target, seed: u64) {
    let mut rng = Rng::new(seed).fork(target.name);
    let mut known = (target.seeds)();
    known.iter().for_each(|bytes| tried(target, bytes, seed));
    let (end, mut count) = (Instant::now() + time(), 0_u64);
    while Instant::now() < end {
        let bytes = match rng.below(10) {
            0 => random(&mut rng),
            _ => mutated(&known, &mut rng),
        };
        tried(target, &bytes, seed);
        count += 1;
        // Now and then something that was mutated is mutated further.
        if rng.one_in(50) && known.len() < 500 {
            known.push(bytes);
        }
    }
    println!("{}: {count} inputs", target.name);
}

fn tried(target: &Target, bytes: &[u8], seed: u64) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))) {
        println!("{}, HOZO_SEED={seed}: these bytes: {}", target.name, bytes.escape_ascii());
        std::panic::resume_unwind(panic);
    }
}

fn random(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![0; rng.below(200)];
    rng.fill(&mut bytes);
    bytes
}

fn mutated(known: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = rng.pick(known).clone();
    for _ in 0..=rng.below(6) {
        let at = rng.below(bytes.len() + 1);
        match rng.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.next() as u8),
            2 => bytes.insert(at, *rng.pick(b"\0\xff\x7f\x80\x0a\"[]{}=:./\\\t\n01")),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            5 if at < bytes.len() => bytes[at] = rng.next() as u8,
            6 => {
                // A piece of another, or of itself, once more.
                let other = rng.pick(known);
                let from = rng.below(other.len() + 1);
                let piece = &other[from..other.len().min(from + rng.below(40))];
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => {
                let other = rng.pick(known);
                bytes.truncate(at);
                bytes.extend(&other[rng.below(other.len() + 1)..]);
            }
        }
        bytes.truncate(BYTES_MAX);
    }
    bytes
}
