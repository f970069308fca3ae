//! A file's bytes, a part at a time.

use std::sync::Arc;

use super::super::record::{self, HEADER_BYTES_MAX, MARK, Shape};
use super::super::{BATCH_BYTES_MAX, Position, raw};
use crate::disk::DiskFile;

/// How much is read at once, and how much is given up where that fails.
const READ_BYTES: usize = 256 << 10;
const SECTOR_BYTES: usize = 4096;
/// What stands for what the disk does not give: no record, and not space that
/// was never written.
const UNREADABLE: u8 = 0xee;

/// A part of a file in memory.
pub(super) struct Buffer {
    file: Arc<dyn DiskFile>,
    /// Where the part begins.
    at: u64,
    bytes: Vec<u8>,
}

impl Buffer {
    pub(super) fn new(file: Arc<dyn DiskFile>) -> Buffer {
        Buffer { file, at: 0, bytes: Vec::new() }
    }

    /// What is asked for next is read again.
    pub(super) fn forget(&mut self) {
        self.bytes.clear();
    }

    /// Bytes of the file now; none if the disk does not say.
    pub(super) fn file_len(&self) -> u64 {
        self.file.len().unwrap_or(0)
    }

    /// `len` bytes from `at` on, fewer where the file ends before that.
    pub(super) fn get(&mut self, at: u64, len: usize) -> &[u8] {
        if self.here(at, len).is_none() {
            self.fill(at, len);
        }
        let from = usize::try_from(at.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let rest = self.bytes.get(from..).unwrap_or_default();
        &rest[..rest.len().min(len)]
    }

    /// Some bytes from `at` on; none where the file ends.
    fn some(&mut self, at: u64) -> &[u8] {
        let here = at.checked_sub(self.at).is_some_and(|from| from < self.bytes.len() as u64);
        if !here {
            self.fill(at, READ_BYTES);
        }
        self.bytes.get((at - self.at) as usize..).unwrap_or_default()
    }

    /// These bytes, if all of them are in memory.
    pub(super) fn here(&self, at: u64, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(at.checked_sub(self.at)?).ok()?;
        self.bytes.get(from..from.checked_add(len)?)
    }

    fn fill(&mut self, at: u64, len: usize) {
        let there = self.file_len().saturating_sub(at);
        let wanted = usize::try_from(there).unwrap_or(usize::MAX).min(len.max(READ_BYTES));
        self.at = at;
        self.bytes.clear();
        self.bytes.resize(wanted, 0);
        if self.file.read_at(at, &mut self.bytes).is_ok() {
            return;
        }
        // It became shorter, or the disk has something against a part of it.
        for (i, sector) in self.bytes.chunks_mut(SECTOR_BYTES).enumerate() {
            if self.file.read_at(at + (i * SECTOR_BYTES) as u64, sector).is_err() {
                sector.fill(UNREADABLE);
            }
        }
    }

    /// What looks like the header of a record at an offset, of at most so many
    /// bytes.
    pub(super) fn shape(&mut self, at: u64, bytes_max: u64) -> Option<Shape> {
        let shape = record::parse_header(self.get(at, HEADER_BYTES_MAX))?;
        let fits =
            shape.kind & !record::LAST != 0 && shape.bytes() <= bytes_max.min(BATCH_BYTES_MAX);
        fits.then_some(shape)
    }

    /// The record at an offset of a file that begins at `start`, if it is whole.
    pub(super) fn record(
        &mut self,
        volume_id: u64,
        start: Position,
        at: u64,
        bytes_max: u64,
    ) -> Option<Shape> {
        let shape = self.shape(at, bytes_max)?;
        if shape.kind & !record::LAST == MARK
            && !(shape.last() && shape.key == 0 && shape.value == 8)
        {
            return None;
        }
        let len = usize::try_from(shape.content()).ok()?;
        let content = self.get(at, len);
        if content.len() < len {
            return None;
        }
        let crc = raw::crc(0, &content[4..]) ^ record::mix32(volume_id, start + at);
        (crc == shape.stored).then_some(shape)
    }

    /// The first multiple of 8 from `at` on, below `to`, at which there are 8 bytes
    /// that are not all zero.
    pub(super) fn next_word(&mut self, mut at: u64, to: u64) -> Option<u64> {
        while at < to {
            let part = self.some(at);
            if part.is_empty() {
                return None;
            }
            let len = part.len() as u64;
            if let Some(here) = part.chunks(8).position(|word| word.iter().any(|b| *b != 0)) {
                return Some(at + 8 * here as u64).filter(|at| *at < to);
            }
            at += len.next_multiple_of(8);
        }
        None
    }
}
