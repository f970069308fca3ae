//! Where a record is and what it takes, as the tree keeps it: a number.

use hozo_log::granule::{GRANULE_BITS, GRANULE_BYTES, GRANULE_MASK, granule};
use hozo_log::{Log, Position, Record};

/// What a record may take, so that its size has room beside its place: 256 MiB.
pub(super) const BYTES_MAX: u64 = ((1 << (64 - GRANULE_BITS)) - 1) * GRANULE_BYTES;

/// A value of the tree: the granule in the low bits, the size in granules above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(pub(super) u64);

impl Place {
    pub(super) fn new(position: Position, bytes: u64) -> Place {
        debug_assert!(bytes <= BYTES_MAX);
        Place(((bytes / GRANULE_BYTES) << GRANULE_BITS) | granule(position))
    }

    pub(super) fn of(record: &Record<'_>) -> Place {
        Place::new(record.position, record.bytes)
    }

    /// What the record takes in the log.
    pub(super) fn bytes(self) -> u64 {
        (self.0 >> GRANULE_BITS) * GRANULE_BYTES
    }

    pub(super) fn granule(self) -> u64 {
        self.0 & GRANULE_MASK
    }

    /// The record's position: the only one in the log with this granule.
    pub(super) fn position(self, log: &Log) -> Position {
        log.position(self.granule())
    }
}
