//! Reading a log that may be damaged, without changing anything: for `hozo
//! check` and its repair.
//!
//! What opening decides (`open`) is decided here in the same way, but damage is
//! not where the reading ends: it is noted, and reading goes on behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hozo_traits::{Error, ErrorKind, Result};

use super::record::{self, ALIGN, LAST, MARK, MARK_BYTES, Shape};
use super::segment::{self, HEADER_BYTES, Header};
use super::{BATCH_BYTES_MAX, Position, raw};
use crate::disk::{Disk, DiskFile};

mod chain;
mod read;

pub use read::{Batch, Visit, key_in, lone_record};

/// A part of the log that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The name of the file it is in.
    pub file: String,
    /// Where in the file it begins.
    pub offset: u64,
    /// The position at which it begins.
    pub from: Position,
    /// The position at which it ends.
    pub to: Position,
    /// What is wrong there.
    pub what: &'static str,
    /// Nothing of the log is lost by it: only the file's header is damaged.
    pub header: bool,
}

/// A segment of the log, or where one should be.
struct Part {
    file: Option<Arc<dyn DiskFile>>,
    name: String,
    /// Where its file's first byte is.
    start: Position,
    /// Where the log ends in it, as the next one says.
    end: Option<Position>,
    /// Bytes of the file.
    len: u64,
}

/// A log's files, in order.
pub struct Survey {
    volume_id: u64,
    segment_log2: u32,
    parts: Vec<Part>,
    /// What was found wrong with files as a whole.
    gaps: Vec<Gap>,
    /// The log was on stable storage up to here at least.
    durable: Position,
    /// Whether that is from the roots, so that what is behind it may be torn.
    knows_complete: bool,
    /// Which kinds of records there can be: all below this.
    kinds: fn(u8) -> bool,
}

/// What is known of a log from elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The random number that the log was created with.
    pub volume_id: u64,
    /// What the sizes of segments are multiples of.
    pub segment_bytes: u64,
    /// The log was on stable storage up to here.
    pub complete: Position,
    /// What is below is not needed.
    pub cleaned: Position,
}

/// What became of the log's end.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct End {
    /// Where the log ends.
    pub head: Position,
    /// Bytes behind it that a crash has left, which opening drops.
    pub torn_bytes: u64,
}

impl Survey {
    /// The random number that the log was created with.
    pub fn volume_id(&self) -> u64 {
        self.volume_id
    }

    /// What the sizes of segments are multiples of.
    pub fn segment_bytes(&self) -> u64 {
        1 << self.segment_log2
    }

    /// The first position that exists.
    pub fn tail(&self) -> Position {
        self.parts.first().map_or(0, |part| part.start + HEADER_BYTES)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.len).sum()
    }

    /// What is wrong with files as a whole.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }
}

impl Survey {
    /// The key of the record at a position, if there is one, without a look at
    /// its checksum.
    pub fn key_at(&self, disk: &dyn Disk, position: Position) -> Option<Vec<u8>> {
        let part = self.parts.iter().rfind(|part| part.start <= position)?;
        let file = disk.open(&part.name).ok()?;
        let at = position - part.start;
        let mut header =
            vec![0; part.len.checked_sub(at)?.min(record::HEADER_BYTES_MAX as u64) as usize];
        file.read_at(at, &mut header).ok()?;
        let shape = record::parse_header(&header)?;
        let mut key = vec![0; u64::from(shape.key).min(part.len) as usize];
        file.read_at(at + u64::from(shape.header), &mut key).ok()?;
        Some(key)
    }
}
