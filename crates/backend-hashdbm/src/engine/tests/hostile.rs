//! Roots and index pages that say anything at all, as for records.

use super::*;
use crate::sim::hostile::{with_other_pages, with_other_roots};

const ROUNDS: usize = 150;

fn filled(rng: &mut Rng) -> SimDisk {
    let disk = SimDisk::new();
    let engine = open(&disk);
    for _ in 0..600 {
        engine.apply(&batch(rng)).unwrap();
    }
    drop(engine);
    disk
}

/// Uses everything that an engine has; any answer will do.
fn use_all(disk: &SimDisk, rng: &mut Rng) {
    let Ok((engine, _)) = Engine::open(Arc::new(disk.again()), OPTIONS) else { return };
    for space in Space::ALL {
        for reverse in [false, true] {
            let scan = Scan {
                space,
                start: &[],
                end: &[0xff; 64],
                reverse,
                limit: 5000,
                bytes_max: 1 << 24,
            };
            let _ = engine.scan(&scan);
        }
    }
    for _ in 0..60 {
        let _ = engine.apply(&batch(rng));
    }
    let _ = engine.sync();
}

#[test]
fn roots_may_say_anything() {
    let mut rng = seeded();
    let whole = filled(&mut rng);
    for _ in 0..ROUNDS {
        use_all(&with_other_roots(&whole, &mut rng), &mut rng);
    }
}

#[test]
fn index_pages_may_say_anything() {
    let mut rng = seeded();
    let whole = filled(&mut rng);
    for _ in 0..ROUNDS {
        use_all(&with_other_pages(&whole, &mut rng), &mut rng);
    }
}
