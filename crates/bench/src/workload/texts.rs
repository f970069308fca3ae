//! Values to write.

use bytes::Bytes;

use crate::random::Random;

/// Where values are cut from.
const POOL_BYTES: usize = 1 << 20;

/// Makes values at no cost worth measuring: each is a part of one large text.
pub(super) struct Texts {
    pool: Bytes,
    random: Random,
    bytes: usize,
}

impl Texts {
    /// Values of so many bytes.
    pub(super) fn new(mut random: Random, bytes: usize) -> Self {
        let mut pool = vec![0; POOL_BYTES + bytes];
        random.fill_text(&mut pool);
        Texts { pool: pool.into(), random, bytes }
    }

    /// One more.
    pub(super) fn next(&mut self) -> Bytes {
        let at = self.random.below(POOL_BYTES as u64) as usize;
        self.pool.slice(at..at + self.bytes)
    }

    /// One more, as text.
    pub(super) fn next_text(&mut self) -> String {
        String::from_utf8_lossy(&self.next()).into_owned()
    }
}
