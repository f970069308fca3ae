//! Randomness that a test can have again.

use std::time::{SystemTime, UNIX_EPOCH};

/// splitmix64: small, and the same for a seed for ever.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// From `HOZO_SEED`, or another one each time; a test prints it.
    pub fn seeded() -> Random {
        let seed = std::env::var("HOZO_SEED").ok().and_then(|seed| seed.parse().ok());
        Random(seed.unwrap_or_else(clock))
    }

    /// What gives the rest of it again.
    pub fn seed(&self) -> u64 {
        self.0
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// How many rounds a test of crashes has: `HOZO_CRASH_ROUNDS`, or as usual.
///
/// # Panics
/// If that is no number.
pub fn crash_rounds(usual: u32) -> u32 {
    std::env::var("HOZO_CRASH_ROUNDS").map_or(usual, |n| {
        n.parse().unwrap_or_else(|e| panic!("HOZO_CRASH_ROUNDS is a number of rounds: {n:?}: {e}"))
    })
}

fn clock() -> u64 {
    // The seed is printed; nothing else depends on the time.
    #[allow(clippy::disallowed_methods)]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64)
}
