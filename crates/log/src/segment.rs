//! A segment: one file of the log, mapped.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hozo_traits::Result;
use parking_lot::Mutex;

use super::{Position, raw};
use crate::disk::{DiskFile, Mapping};

/// Before the records of each segment.
pub(super) const HEADER_BYTES: u64 = 64;
const MAGIC: [u8; 8] = *b"HOZOSEG\x01";
/// The header's bytes that its checksum is over.
const CHECKED_BYTES: usize = 40;

/// What a segment file says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// The log it belongs to.
    pub(super) volume_id: u64,
    /// Its position is this times the segment size.
    pub(super) number: u64,
    /// How many segment numbers it takes.
    pub(super) spans: u32,
    /// The segment size as a power of two.
    pub(super) segment_log2: u32,
    /// Where the log ended before this segment.
    pub(super) follows: Position,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES as usize] {
        let mut bytes = [0; HEADER_BYTES as usize];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.volume_id.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.spans.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.segment_log2.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.follows.to_le_bytes());
        let crc = raw::crc(0, &bytes[..CHECKED_BYTES]);
        bytes[40..44].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header in these bytes, when they are one that makes sense.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES as usize]) -> Option<Header> {
        let u32_at = |at: usize| u32::from_le_bytes(*bytes[at..].first_chunk().expect("in range"));
        let u64_at = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().expect("in range"));
        if bytes[..8] != MAGIC || u32_at(40) != raw::crc(0, &bytes[..CHECKED_BYTES]) {
            return None;
        }
        let header = Header {
            volume_id: u64_at(8),
            number: u64_at(16),
            spans: u32_at(24),
            segment_log2: u32_at(28),
            follows: u64_at(32),
        };
        header.makes_sense().then_some(header)
    }

    fn makes_sense(&self) -> bool {
        super::SEGMENT_LOG2.contains(&self.segment_log2)
            && (1..=super::SPANS_MAX).contains(&self.spans)
            && self.number < super::POSITION_MAX >> self.segment_log2
            && self.follows <= self.number << self.segment_log2
    }

    /// Where the segment begins, its header included.
    pub(super) fn start(&self) -> Position {
        self.number << self.segment_log2
    }

    /// Where the next segment begins.
    pub(super) fn limit(&self) -> Position {
        (self.number + u64::from(self.spans)) << self.segment_log2
    }
}

/// The name of the file with this segment.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:016x}.seg")
}

/// The number in a segment file's name.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (file_name(number) == name).then_some(number)
}

/// An open segment.
pub(super) struct Segment {
    pub(super) header: Header,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) memory: Mapping,
    /// Bytes of the file that have space: these may be touched.
    allocated: AtomicU64,
    /// Where the log ends in this segment; the limit while nobody knows.
    end: AtomicU64,
    /// Held while the file grows.
    pub(super) growing: Mutex<()>,
    /// How many records it has, marks aside; [`UNCOUNTED`] while the log goes
    /// on here, and where that was before the log was opened.
    records: AtomicU64,
    garbage: Garbage,
}

/// What a segment's count of records is while nobody knows it.
const UNCOUNTED: u64 = u64::MAX;

/// What nobody needs any more. Counted by all who write, so on a cache line of
/// its own: those around it are read by all.
#[derive(Default)]
#[repr(align(128))]
struct Garbage {
    records: AtomicU64,
    /// Bytes of those among them that were so from the beginning.
    tombstone_bytes: AtomicU64,
}

impl Segment {
    /// A segment over a file of which `allocated` bytes may be touched.
    pub(super) fn new(header: Header, file: Arc<dyn DiskFile>, allocated: u64) -> Result<Segment> {
        let len = header.limit() - header.start();
        let memory = file.map(0, usize::try_from(len).unwrap_or(usize::MAX))?;
        Ok(Segment {
            header,
            file,
            memory,
            // Whole words, so that a record's first word is there or is not.
            allocated: AtomicU64::new(allocated.min(len) & !7),
            end: AtomicU64::new(header.limit()),
            growing: Mutex::new(()),
            records: AtomicU64::new(UNCOUNTED),
            garbage: Garbage::default(),
        })
    }

    pub(super) fn numbers(&self) -> Range<u64> {
        self.header.number..self.header.number + u64::from(self.header.spans)
    }

    #[inline]
    pub(super) fn start(&self) -> Position {
        self.header.start()
    }

    /// Where its first record is.
    pub(super) fn first(&self) -> Position {
        self.start() + HEADER_BYTES
    }

    pub(super) fn limit(&self) -> Position {
        self.header.limit()
    }

    #[inline]
    pub(super) fn allocated(&self) -> u64 {
        self.allocated.load(Ordering::Acquire)
    }

    /// Says that the file has space up to `bytes`.
    pub(super) fn set_allocated(&self, bytes: u64) {
        self.allocated.fetch_max(bytes, Ordering::AcqRel);
    }

    pub(super) fn end(&self) -> Position {
        self.end.load(Ordering::Acquire)
    }

    pub(super) fn set_end(&self, end: Position) {
        self.end.store(end, Ordering::Release);
    }

    /// Says that the log goes on elsewhere, from `end` on, and how many records
    /// are here, if that is known.
    pub(super) fn seal(&self, end: Position, records: Option<u64>) {
        self.set_end(end);
        self.records.store(records.unwrap_or(UNCOUNTED), Ordering::Release);
    }

    /// Counts a record as garbage. After everything that made it so.
    #[inline]
    pub(super) fn add_garbage(&self) {
        self.garbage.records.fetch_add(1, Ordering::Release);
    }

    /// The same for a tombstone of so many bytes.
    #[inline]
    pub(super) fn add_tombstone(&self, bytes: u64) {
        self.garbage.tombstone_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.add_garbage();
    }

    pub(super) fn tombstone_bytes(&self) -> u64 {
        self.garbage.tombstone_bytes.load(Ordering::Relaxed)
    }

    /// Whether all of its records are garbage, and it gets no more of them.
    pub(super) fn is_garbage(&self) -> bool {
        self.garbage.records.load(Ordering::Acquire) == self.records.load(Ordering::Acquire)
    }

    /// How many of its records are not garbage, if they are counted.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn records_needed(&self) -> Option<u64> {
        let records = self.records.load(Ordering::Acquire);
        (records != UNCOUNTED).then(|| records - self.garbage.records.load(Ordering::Acquire))
    }

    pub(super) fn name(&self) -> String {
        file_name(self.header.number)
    }
}
