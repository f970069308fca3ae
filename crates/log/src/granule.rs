//! Positions as an index keeps them: in granules, and only as many bits of
//! those as tell the positions of one log apart.

use super::{Log, Position, record};

/// Positions are multiples of this.
pub const GRANULE_BYTES: u64 = record::ALIGN;
/// The bits that are kept.
pub const GRANULE_BITS: u32 = 39;
/// The same as a mask.
pub const GRANULE_MASK: u64 = (1 << GRANULE_BITS) - 1;

/// What an index keeps of a position.
#[inline]
pub fn granule(position: Position) -> u64 {
    (position / GRANULE_BYTES) & GRANULE_MASK
}

/// The position with this granule in a log with this tail: the one at or above
/// it. An older tail does as well, while no position was given out that is a
/// whole turn of granules above it.
#[inline]
pub fn position_above(tail: Position, granule: u64) -> Position {
    let tail = tail / GRANULE_BYTES;
    (tail + (granule.wrapping_sub(tail) & GRANULE_MASK)) * GRANULE_BYTES
}

impl Log {
    /// The only position with this granule that the log can have.
    #[inline]
    pub fn position(&self, granule: u64) -> Position {
        position_above(self.tail(), granule)
    }
}
