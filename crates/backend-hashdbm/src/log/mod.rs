//! The log: everything that was ever said, in order.
//!
//! An endless sequence of byte positions, of which `[tail, head)` exists, cut
//! into segment files. Records are appended at the head and discarded at the
//! tail, whole segments at a time. `docs/formats/hashdbm.md` says what the bytes
//! are; this is how the parts divide the work:
//!
//! - `record` and `segment` know the bytes, `raw` the memory they are in,
//!   `granule` what an index keeps of a position;
//! - `append` writes at the head, `sync` makes it durable, `space` has space
//!   ready ahead of both;
//! - `garbage` counts what nobody needs any more;
//! - `open` finds out what a crash has left, `walk` reads in order;
//! - `survey` reads what is left of a damaged log.

mod append;
mod garbage;
pub(crate) mod granule;
#[cfg(test)]
mod measure;
mod open;
mod raw;
mod record;
mod segment;
mod space;
pub(crate) mod survey;
mod sync;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hozo_traits::{Error, ErrorKind, Result};
use parking_lot::Mutex;

use crate::disk::Disk;
use append::Tail;
use raw::Window;
use segment::{Header, Segment};

#[cfg(test)]
use open::Opened;

/// A place in the log. Never 0, a multiple of 8, and never used twice.
pub(crate) type Position = u64;

/// The segment sizes there can be, as powers of two: 64 KiB to 1 GiB.
pub(crate) const SEGMENT_LOG2: RangeInclusive<u32> = 16..=30;
/// The largest batch, with the records' headers: a value of 1 GiB and what goes
/// with it.
pub(crate) const BATCH_BYTES_MAX: u64 = (1 << 30) + (1 << 20);
/// The segments that one batch can span: the largest batch in the smallest.
const SPANS_MAX: u32 = 1 << 15;
/// Positions end here, which nobody reaches in a lifetime of disks.
pub(crate) const POSITION_MAX: u64 = 1 << 62;
/// Segment numbers that a log can have at once, if they are so small that this
/// is less than [`WINDOW_BYTES`].
const WINDOW_NUMBERS_MAX: u64 = 1 << 22;
/// A segment takes as many numbers as make it this part of the log, so that
/// there are neither too many files nor too few for cleaning to give any back...
const SEGMENT_PART: u64 = 32;
/// ...but is not larger than this unless a batch is.
const SEGMENT_BYTES_MAX: u64 = 256 << 20;
/// Bytes that a log can have at once: what the granules of an index tell apart.
pub(crate) const WINDOW_BYTES: u64 = granule::GRANULE_BYTES << granule::GRANULE_BITS;

/// What is decided when a log is created.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogOptions {
    /// The size of a segment: a power of two within [`SEGMENT_LOG2`].
    pub(crate) segment_bytes: u64,
    /// A random number: records of another log are nothing in this one.
    pub(crate) volume_id: u64,
}

/// What is to be appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// 2 to 127; lower ones are the log's own.
    pub(crate) kind: u8,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// What was appended, in the log's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) position: Position,
    pub(crate) kind: u8,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// What it takes in the log, with header and padding.
    pub(crate) bytes: u64,
}

/// What a record's header says, with the key, unchecked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Peek<'a> {
    pub(crate) kind: u8,
    pub(crate) key: &'a [u8],
    pub(crate) value_len: u32,
    /// What it takes in the log, with header and padding.
    pub(crate) bytes: u64,
}

/// A log on a disk.
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    volume_id: u64,
    segment_log2: u32,
    window: Window,
    /// All segments, by number. Taken after `tail` when both are.
    segments: Mutex<BTreeMap<u64, Arc<Segment>>>,
    /// Segments that were discarded, so far as anything is left of them.
    discarded: Mutex<space::Discarded>,
    /// Where appends go. Its head is what `head` says.
    tail: Mutex<Tail>,
    head: AtomicU64,
    /// The first position that exists.
    first: AtomicU64,
    /// All below is garbage.
    garbage_below: AtomicU64,
    /// Bytes of tombstones, in segments that the cleaner has not passed.
    tombstones: AtomicU64,
    /// All below is on stable storage.
    durable: AtomicU64,
    /// What was durable when space was last prepared.
    prepared: AtomicU64,
    /// Where the head was when there was no space to prepare; 0 before that.
    ahead_refused: AtomicU64,
    /// Held by who syncs; the others wait here and find it done.
    syncing: Mutex<()>,
    /// Held by who removes, keeps or takes files for further use.
    spares: Mutex<space::Spares>,
    /// A sync has failed: nobody knows what is on the disk.
    poisoned: AtomicBool,
}

impl Log {
    /// A new log in an empty directory.
    pub(crate) fn create(disk: Arc<dyn Disk>, options: LogOptions) -> Result<Log> {
        let segment_log2 = options.segment_bytes.trailing_zeros();
        if !options.segment_bytes.is_power_of_two() || !SEGMENT_LOG2.contains(&segment_log2) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "a segment's size is a power of two from 64 KiB to 1 GiB",
            )
            .with("segment_bytes", options.segment_bytes));
        }
        let header =
            Header { volume_id: options.volume_id, number: 0, spans: 1, segment_log2, follows: 0 };
        let file = disk.create(&segment::file_name(0))?;
        let segment = Arc::new(space::begin(file, header, 0)?);
        segment.file.sync()?;
        disk.sync_dir()?;
        let head = segment.first();
        let segments = BTreeMap::from([(0, segment)]);
        Ok(Log::assemble(disk, segments, head))
    }

    /// The log of these segments, all of it durable.
    fn assemble(disk: Arc<dyn Disk>, segments: BTreeMap<u64, Arc<Segment>>, head: Position) -> Log {
        let (_, first) = segments.first_key_value().expect("a log has a segment");
        let (_, last) = segments.last_key_value().expect("a log has a segment");
        let numbers = WINDOW_NUMBERS_MAX.min(WINDOW_BYTES >> first.header.segment_log2);
        let window = Window::new(numbers as usize);
        segments.values().for_each(|segment| window.set(segment));
        Log {
            disk,
            volume_id: first.header.volume_id,
            segment_log2: first.header.segment_log2,
            window,
            first: AtomicU64::new(first.first()),
            head: AtomicU64::new(head),
            garbage_below: AtomicU64::new(0),
            tombstones: AtomicU64::new(0),
            durable: AtomicU64::new(head),
            prepared: AtomicU64::new(head),
            ahead_refused: AtomicU64::new(0),
            tail: Mutex::new(Tail::new(Arc::clone(last), head)),
            segments: Mutex::new(segments),
            discarded: Mutex::default(),
            syncing: Mutex::new(()),
            spares: Mutex::default(),
            poisoned: AtomicBool::new(false),
        }
    }

    /// The random number that the log was created with.
    pub(crate) fn volume_id(&self) -> u64 {
        self.volume_id
    }

    /// What the sizes of segments are multiples of.
    pub(crate) fn segment_bytes(&self) -> u64 {
        1 << self.segment_log2
    }

    /// How many numbers the next segment takes, unless a batch needs more.
    fn next_spans(&self) -> u64 {
        let part = self.head().saturating_sub(self.tail()) / SEGMENT_PART;
        let spans = part.min(SEGMENT_BYTES_MAX) >> self.segment_log2;
        // A power of two: so files that are kept mostly fit.
        if spans < 2 { 1 } else { 1 << spans.ilog2() }
    }

    /// The size of the next segment: space comes back in such pieces.
    pub(crate) fn piece_bytes(&self) -> u64 {
        self.next_spans() << self.segment_log2
    }

    /// Bytes of the segments that lie wholly below `position`.
    pub(crate) fn whole_below(&self, position: Position) -> u64 {
        let segments = self.segments.lock();
        let mut whole = 0;
        // The last one is in use, however much of it is below.
        let but_last = segments.len().saturating_sub(1);
        for segment in segments.values().take(but_last) {
            if segment.end() > position {
                break;
            }
            whole += segment.limit() - segment.start();
        }
        whole
    }

    /// Where the next record goes, or a little after that.
    pub(crate) fn head(&self) -> Position {
        self.head.load(Ordering::Acquire)
    }

    /// The first position that exists.
    pub(crate) fn tail(&self) -> Position {
        self.first.load(Ordering::Acquire)
    }

    /// All below this is on stable storage.
    pub(crate) fn durable(&self) -> Position {
        self.durable.load(Ordering::Acquire)
    }

    /// The record at a position, checked.
    ///
    /// The caller has the position from an append, a replay or a walk, and sees
    /// to it that [`discard_before`](Log::discard_before) does not go beyond it
    /// while he holds the record.
    #[inline]
    pub(crate) fn read(&self, position: Position) -> Result<Record<'_>> {
        let Some((segment, at, shape)) = self.find(position) else {
            return Err(self.no_record(position));
        };
        let all = raw::bytes(&segment.memory, at, shape.content());
        if raw::crc(0, &all[4..]) ^ record::mix32(self.volume_id, position) != shape.stored {
            return Err(self.no_record(position));
        }
        let (key, value) = all[shape.header as usize..].split_at(shape.key as usize);
        Ok(Record { position, kind: shape.kind & !record::LAST, key, value, bytes: shape.bytes() })
    }

    /// What the record's header says, and its key, without a look at the
    /// checksum: for comparing keys. What is to be relied on is to be read. The
    /// caller's duty is the same as for [`read`](Log::read).
    #[inline]
    pub(crate) fn peek(&self, position: Position) -> Result<Peek<'_>> {
        let Some((segment, at, shape)) = self.find(position) else {
            return Err(self.no_record(position));
        };
        let key = raw::bytes(&segment.memory, at + u64::from(shape.header), shape.key.into());
        Ok(Peek {
            kind: shape.kind & !record::LAST,
            key,
            value_len: shape.value,
            bytes: shape.bytes(),
        })
    }

    #[inline]
    fn find(&self, position: Position) -> Option<(&Segment, u64, record::Shape)> {
        let segment = self.window.get(position >> self.segment_log2)?;
        let at = position.wrapping_sub(segment.start());
        if !position.is_multiple_of(record::ALIGN) || at < segment::HEADER_BYTES {
            return None;
        }
        // A position of another turn of the window is far beyond the end.
        let shape = raw::shape(&segment.memory, at, segment.allocated())?;
        Some((segment, at, shape))
    }

    #[cold]
    fn no_record(&self, position: Position) -> Error {
        match self.window.get(position >> self.segment_log2) {
            Some(segment) => {
                damaged(segment, position, "no record can be read where one has to be; `hozo check --repair` says what a repair would lose")
            }
            None => Error::new(
                ErrorKind::Corrupt,
                "an index points to where the log has nothing; `hozo check --stores` says what is left",
            )
            .with("position", position)
            .with("tail", self.tail())
            .with("head", self.head()),
        }
    }

    /// An error when a sync has failed.
    fn alive(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "an earlier sync of the log failed, so that nobody knows what is on the disk; \
                 look after the disk, then open the store again",
            )
            .retrying(hozo_traits::Retry::Never));
        }
        Ok(())
    }
}

/// The error for a segment with something in it that was not written so.
fn damaged(segment: &Segment, position: Position, what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
        .with("file", segment.name())
        .with("offset", position.wrapping_sub(segment.start()))
        .with("position", position)
}

/// The log's ways to mapped memory, for tests of mappings.
#[cfg(test)]
pub(crate) mod raw_for_tests {
    use crate::disk::Mapping;

    pub(crate) fn write(memory: &Mapping, at: u64, from: &[u8]) {
        super::raw::write(memory, at, from);
    }

    pub(crate) fn copy_out(memory: &Mapping, at: u64, to: &mut [u8]) {
        super::raw::copy_out(memory, at, to);
    }
}
