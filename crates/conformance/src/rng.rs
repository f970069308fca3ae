//! Random numbers that replay from a seed.

use std::env;

use hozo_traits::{Ambient, SystemAmbient};

/// The variable from which a run takes its seed, decimal or `0x…`.
pub const SEED_VARIABLE: &str = "HOZO_SEED";

/// The run's seed: what `HOZO_SEED` says, else a new one.
///
/// # Panics
/// If the variable is set and is no number.
pub fn seed() -> u64 {
    let Ok(text) = env::var(SEED_VARIABLE) else {
        let mut bytes = [0; 8];
        SystemAmbient.fill_random(&mut bytes);
        return u64::from_le_bytes(bytes);
    };
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.unwrap_or_else(|e| panic!("{SEED_VARIABLE} is {text:?}, which is no seed: {e}"))
}

/// A small generator (SplitMix64): the same seed gives the same numbers on
/// every machine and in every version.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The generator of this seed.
    pub const fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// A generator of its own for the part of a run that `name` names, so
    /// that parts do not change each other's numbers.
    pub fn fork(&self, name: &str) -> Self {
        // FNV-1a over the name, started at the seed.
        let start = self.0 ^ 0xcbf2_9ce4_8422_2325;
        Rng(name.bytes().fold(start, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)))
    }

    /// Any number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is above 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of `items`, which is not empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}
