//! The log that Hozo keeps what was said in: segment files, checksums, and what a
//! crash leaves of them, in pure Rust.
//!
//! A [`Log`] is an endless sequence of byte positions, of which `[tail, head)`
//! exists, in a directory of its own. Records (a kind, a key, a value) are
//! appended at the head, alone or in batches, and are read where they are, in
//! mapped memory. At the tail they are discarded, whole segments at a time. What
//! a record means is the business of who appends it.
//!
//! # What it promises
//!
//! - What was appended can be read at once, and survives the process.
//! - What was appended before a [`sync`](Log::sync) survives a power loss. One
//!   sync is enough for all who wait; who comes while another one runs waits for
//!   it, and may find that everything is done.
//! - Whatever a crash has torn, opening finds a prefix of what was appended, in
//!   whole batches, with everything in it that was synced, and goes on behind it.
//!   What was cut off never comes back.
//! - Marks in the log say up to where it was synced. So damage to what was is
//!   told from what a crash leaves, and is [`Corrupt`](hozo_traits::ErrorKind::Corrupt)
//!   when the log is opened or the record is read, never silence; [`survey`]
//!   reads on behind it.
//! - A position never becomes another byte's, also after a crash.
//! - Space is allocated before it is mapped: a full disk is an error, after which
//!   the log is what it was, and never a signal. A sync that fails closes the log
//!   for appends, since nobody knows then what is on the disk.
//!
//! `docs/formats/log.md` has the format, byte by byte.
//!
//! # How it is used
//!
//! ```
//! use std::sync::Arc;
//!
//! use hozo_log::disk::{Disk, RealDisk};
//! use hozo_log::{Log, LogOptions};
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path();
//! let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(path)?);
//! let options = LogOptions { segment_bytes: 1 << 20, volume_id: 0x1122_3344_5566_7788 };
//! let log = Log::create(Arc::clone(&disk), options)?;
//! let position = log.append(2, b"tenon", b"oak")?;
//! assert_eq!(log.read(position)?.value, b"oak");
//! assert!(log.sync()? > position);
//! drop(log);
//!
//! let mut replayed = 0;
//! let (log, opened) = Log::open(disk, None, &mut |_record| {
//!     replayed += 1;
//!     Ok(())
//! })?;
//! assert_eq!((replayed, opened.torn_bytes), (1, 0));
//! for record in log.records_from(opened.tail) {
//!     let record = record?;
//!     assert_eq!((record.position, record.key), (position, &b"tenon"[..]));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What to know
//!
//! - One process at a time, and one [`Log`] in it, has a directory's log open;
//!   who opens it sees to that.
//! - Who holds a [`Record`] or a [`Peek`] sees to it that it is not discarded
//!   meanwhile, which the compiler does not see: what they point to goes with the
//!   segment. Locks of the owner do that, or an order of calls.
//! - The log has no thread of its own. Who has one calls
//!   [`prepare_ahead`](Log::prepare_ahead), so that a durable append overwrites
//!   blocks instead of growing a file.
//! - It runs where Rust knows `linux`, little-endian, with 64 bits.
//!
//! With the feature `sim` there is a [`disk`] for tests that loses, reorders
//! and tears what was not synced, fills up and breaks.
//!
//! # How the parts divide the work
//!
//! - `record` and `segment` know the bytes, `raw` the memory they are in,
//!   `granule` what an index keeps of a position;
//! - `append` writes at the head, `sync` makes it durable, `space` has space
//!   ready ahead of both;
//! - `garbage` counts what nobody needs any more;
//! - `open` finds out what a crash has left, `read` reads at a position, `walk`
//!   in order;
//! - `survey` reads what is left of a damaged log, `view` what somebody else
//!   writes.
#![deny(unsafe_code)]

mod append;
pub mod disk;
mod garbage;
pub mod granule;
#[cfg(test)]
mod measure;
mod open;
mod raw;
mod read;
mod record;
mod segment;
mod space;
pub mod survey;
mod sync;
#[cfg(test)]
mod tests;
pub mod view;
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

pub use open::Opened;
pub use walk::Walk;

/// The CRC-32C of some bytes, quick also for the few that most records have.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    raw::crc(0, bytes)
}

/// A place in the log. Never 0, a multiple of 8, and never used twice.
pub type Position = u64;

/// The segment sizes there can be, as powers of two: 64 KiB to 1 GiB.
pub const SEGMENT_LOG2: RangeInclusive<u32> = 16..=30;
/// The largest batch, with the records' headers: a value of 1 GiB and what goes
/// with it.
pub const BATCH_BYTES_MAX: u64 = (1 << 30) + (1 << 20);
/// The segments that one batch can span: the largest batch in the smallest.
const SPANS_MAX: u32 = 1 << 15;
/// Positions end here, which nobody reaches in a lifetime of disks.
pub const POSITION_MAX: u64 = 1 << 62;
/// Segment numbers that a log can have at once, if they are so small that this
/// is less than [`WINDOW_BYTES`].
const WINDOW_NUMBERS_MAX: u64 = 1 << 22;
/// A segment takes as many numbers as make it this part of the log, so that
/// there are neither too many files nor too few for cleaning to give any back...
const SEGMENT_PART: u64 = 32;
/// ...but is not larger than this unless a batch is.
const SEGMENT_BYTES_MAX: u64 = 256 << 20;
/// Bytes that a log can have at once: what the granules of an index tell apart.
pub const WINDOW_BYTES: u64 = granule::GRANULE_BYTES << granule::GRANULE_BITS;

/// What is decided when a log is created.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// The size of a segment: a power of two within [`SEGMENT_LOG2`].
    pub segment_bytes: u64,
    /// A random number: records of another log are nothing in this one.
    pub volume_id: u64,
}

/// What is to be appended.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// 2 to 127; lower ones are the log's own.
    pub kind: u8,
    /// Its key, which can be empty.
    pub key: &'a [u8],
    /// Its value, which can be empty.
    pub value: &'a [u8],
}

/// What was appended, in the log's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Where it is.
    pub position: Position,
    /// What it was appended as.
    pub kind: u8,
    /// Its key.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// What it takes in the log, with header and padding.
    pub bytes: u64,
}

/// What a record's header says, with the key, unchecked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peek<'a> {
    /// What it was appended as.
    pub kind: u8,
    /// Its key.
    pub key: &'a [u8],
    /// Bytes of its value.
    pub value_len: u32,
    /// What it takes in the log, with header and padding.
    pub bytes: u64,
}

/// A segment of a log: one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Where its records begin.
    pub first: Position,
    /// All of its records are below this.
    pub end: Position,
    /// The file's name.
    pub name: String,
    /// Bytes of the file.
    pub bytes: u64,
}

/// A log on a disk.
pub struct Log {
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
    pub fn create(disk: Arc<dyn Disk>, options: LogOptions) -> Result<Log> {
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
    pub fn volume_id(&self) -> u64 {
        self.volume_id
    }

    /// What the sizes of segments are multiples of.
    pub fn segment_bytes(&self) -> u64 {
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
    pub fn piece_bytes(&self) -> u64 {
        self.next_spans() << self.segment_log2
    }

    /// Bytes of the segments that lie wholly below `position`.
    pub fn whole_below(&self, position: Position) -> u64 {
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

    /// The segments, from the tail on.
    pub fn pieces(&self) -> Vec<Piece> {
        let segments = self.segments.lock();
        let piece = |segment: &Arc<Segment>| Piece {
            first: segment.first(),
            end: segment.end(),
            name: segment.name(),
            bytes: segment.allocated(),
        };
        segments.values().map(piece).collect()
    }

    /// Where the newest segment begins.
    pub fn last_first(&self) -> Position {
        self.segments.lock().last_key_value().map_or(0, |(_, last)| last.first())
    }

    /// Where the next record goes, or a little after that.
    pub fn head(&self) -> Position {
        self.head.load(Ordering::Acquire)
    }

    /// The first position that exists.
    pub fn tail(&self) -> Position {
        self.first.load(Ordering::Acquire)
    }

    /// All below this is on stable storage.
    pub fn durable(&self) -> Position {
        self.durable.load(Ordering::Acquire)
    }

    /// An error when a sync has failed.
    fn alive(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "an earlier sync of the log failed, so that nobody knows what is on the disk; \
                 look after the disk, then open the log again",
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
