//! Roots and index pages that say anything at all: what is found wrong is an
//! error or made anew, and what cannot be told from right gives wrong answers
//! and no more. Nothing ends the process, takes its memory, or goes on for ever.

use super::*;
use crate::sim::hostile::{with_other_pages, with_other_roots};

const ROUNDS: usize = 300;

fn filled() -> SimDisk {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    for n in 0..3000u32 {
        dbm.set(&n.to_be_bytes(), &n.to_le_bytes()).expect("set");
    }
    drop(dbm);
    disk
}

/// Uses everything that a store has; any answer will do.
fn use_all(disk: &SimDisk) {
    let Ok(dbm) = open_with(disk, SMALL) else { return };
    let _ = dbm.for_each(|_, _| true);
    for n in 0..3000u32 {
        let key = n.to_be_bytes();
        let _ = dbm.get(&key, |_| ());
        let _ = match n % 3 {
            0 => dbm.remove(&key),
            _ => dbm.set(&key, b"other"),
        };
    }
    let _ = dbm.set(b"new", b"one");
    let _ = dbm.pop_first(|_, _| ());
    let _ = dbm.rebuild();
}

#[test]
fn roots_may_say_anything() {
    let (whole, mut rng) = (filled(), Rng::new(said_seed()));
    (0..ROUNDS).for_each(|_| use_all(&with_other_roots(&whole, &mut rng)));
}

#[test]
fn index_pages_may_say_anything() {
    let (whole, mut rng) = (filled(), Rng::new(said_seed()));
    (0..ROUNDS).for_each(|_| use_all(&with_other_pages(&whole, &mut rng)));
}

fn said_seed() -> u64 {
    let seed = hozo_conformance::seed();
    println!("to repeat this: HOZO_SEED={seed}");
    seed
}
