//! Opening: what a crash has left, and what is damage.

use std::collections::BTreeMap;
use std::sync::Arc;

use hozo_traits::{Error, ErrorKind, Result};

use super::record::{self, MARK_BYTES, Shape};
use super::segment::{self, HEADER_BYTES, Header, Segment};
use super::space::{self, Spares};
use super::{Log, Position, Record, damaged, raw};
use crate::disk::{Disk, DiskFile};

mod files;

use files::Files;

/// What opening found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The first position that exists.
    pub tail: Position,
    /// Where the log goes on.
    pub head: Position,
    /// Bytes of batches and segments that were dropped, because a crash came
    /// before they were complete.
    pub torn_bytes: u64,
}

/// Gets what the log holds, record by record.
type Replay<'a> = &'a mut dyn FnMut(&Record<'_>) -> Result<()>;

impl Log {
    /// Opens the log in a directory and replays its complete batches from
    /// `from` on, a position up to which it once was durable; from its tail
    /// when there is none.
    ///
    /// What a crash has torn off at the end is dropped. When something that was
    /// durable cannot be read, the answer is
    /// [`Corrupt`](hozo_traits::ErrorKind::Corrupt), and nothing has changed on
    /// the disk; [`NotFound`](hozo_traits::ErrorKind::NotFound) when creating a
    /// log here was never finished.
    pub fn open(
        disk: Arc<dyn Disk>,
        from: Option<Position>,
        replay: Replay<'_>,
    ) -> Result<(Log, Opened)> {
        Log::open_as(disk, from, false, replay)
    }

    /// The same for a log of which it was known how far it once was durable, and
    /// is not any more: from its tail, and whole batches behind something that
    /// cannot be read are taken to have been durable.
    pub fn open_in_doubt(disk: Arc<dyn Disk>, replay: Replay<'_>) -> Result<(Log, Opened)> {
        Log::open_as(disk, None, true, replay)
    }

    fn open_as(
        disk: Arc<dyn Disk>,
        from: Option<Position>,
        in_doubt: bool,
        replay: Replay<'_>,
    ) -> Result<(Log, Opened)> {
        let names = disk.list()?;
        let mut files = Files::find(&*disk, &names)?;
        let mut chain = files.chain_below(from)?;
        let durable = from.unwrap_or(0);
        let mut scan = Scan { volume_id: files.volume_id, durable, dropped: 0, in_doubt };
        let mut position = from;
        let head = loop {
            let (_, last) = chain.last_key_value().expect("the chain has a segment");
            let last = Arc::clone(last);
            let begin = position.take().unwrap_or(last.first());
            let next = files.following(&last);
            if let Some(next) = next {
                last.set_end(next.follows);
            }
            let head = scan.segment(&last, begin, replay)?;
            match next {
                Some(next) if head == next.follows => {
                    chain.insert(next.number, Arc::new(files.take(next.number)?));
                }
                _ => {
                    last.set_end(last.limit());
                    break head;
                }
            }
        };
        let (_, last) = chain.last_key_value().expect("the chain has a segment");
        let last = Arc::clone(last);
        scan.marks(&last, head);
        files.marks(&mut scan, last.header.number)?;
        if scan.durable > head {
            return Err(damaged(
                &last,
                head,
                "the log is damaged: what was on stable storage cannot be read; nothing was \
                 changed; if it is a store's, `hozo check --repair` says what would be lost before it \
                 cuts here",
            )
            .with("durable", scan.durable)
            .with("bytes_at_stake", scan.durable - head));
        }
        let opened_from = scan.durable;
        let torn_bytes = scan.dropped + files.bytes_left();
        // What was read may be in memory only, and is relied on from now on.
        for segment in chain.values().filter(|segment| segment.limit() >= opened_from) {
            segment.file.sync()?;
        }
        let mut head = head;
        if !all_zero(&last, head) {
            // In the rest of the segment there can be records that were never
            // durable. It stays as it is: the log goes on elsewhere.
            last.set_end(head);
            let next = files.next_segment(&*disk, &last, head)?;
            head = next.first();
            chain.insert(next.header.number, Arc::new(next));
        }
        files.remove_left(&*disk)?;
        Spares::remove_all(&*disk, &names)?;
        disk.sync_dir()?;
        let log = Log::assemble(disk, chain, head);
        let opened = Opened { tail: log.tail(), head, torn_bytes };
        Ok((log, opened))
    }
}

/// Goes through segments and finds out up to where they are whole.
struct Scan {
    volume_id: u64,
    /// The log was on stable storage up to here at least.
    durable: Position,
    /// Bytes of incomplete batches.
    dropped: u64,
    /// Whether the end of a batch says, where it is, that it was durable.
    in_doubt: bool,
}

impl Scan {
    /// Replays the complete batches of a segment; answers where there is none.
    fn segment(
        &mut self,
        segment: &Segment,
        from: Position,
        replay: Replay<'_>,
    ) -> Result<Position> {
        let mut batch = from;
        loop {
            let mut next = batch;
            loop {
                let Some(shape) = self.check(segment, next, next == batch) else {
                    self.dropped += next - batch;
                    return Ok(batch);
                };
                next += shape.bytes();
                if shape.last() {
                    break;
                }
            }
            while batch < next {
                batch += self.replay(segment, batch, replay)?;
            }
        }
    }

    /// The record at a position, when it is whole and may be there.
    fn check(&self, segment: &Segment, position: Position, first: bool) -> Option<Shape> {
        let at = position - segment.start();
        let end = (segment.end() - segment.start()).min(segment.allocated());
        let shape = raw::shape(&segment.memory, at, end)?;
        let bytes = raw::bytes(&segment.memory, at, shape.content());
        let crc = raw::crc(0, &bytes[4..]) ^ record::mix32(self.volume_id, position);
        let kind_fits = match shape.kind & !record::LAST {
            0 => false,
            record::MARK => first && shape.last() && shape.key == 0 && shape.value == 8,
            _ => true,
        };
        (crc == shape.stored && kind_fits).then_some(shape)
    }

    /// Replays one record that was checked; answers how long it is.
    fn replay(&mut self, segment: &Segment, at: Position, replay: Replay<'_>) -> Result<u64> {
        let offset = at - segment.start();
        let shape = raw::shape(&segment.memory, offset, segment.allocated());
        let shape = shape.ok_or_else(|| damaged(segment, at, "a record changed meanwhile"))?;
        let all = raw::bytes(&segment.memory, offset, shape.content());
        let (key, value) = all[shape.header as usize..].split_at(shape.key as usize);
        let kind = shape.kind & !record::LAST;
        if kind == record::MARK {
            let durable = value.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            // One that says more than it can know is no mark.
            if durable <= at {
                self.durable = self.durable.max(durable);
            }
        } else {
            replay(&Record { position: at, kind, key, value, bytes: shape.bytes() })?;
        }
        Ok(shape.bytes())
    }

    /// Looks for marks anywhere in a segment from a position on, whatever else
    /// is there.
    fn marks(&mut self, segment: &Segment, from: Position) {
        let at = from - segment.start();
        let bytes = raw::bytes(&segment.memory, at, segment.allocated().saturating_sub(at));
        self.marks_in(bytes, from);
    }

    /// Looks for marks in the bytes that are at this position.
    fn marks_in(&mut self, bytes: &[u8], start: Position) {
        if self.in_doubt
            && let Some(end) = self.batch_end_in(bytes, start)
        {
            self.durable = self.durable.max(end);
        }
        for at in (0..bytes.len().saturating_sub(MARK_BYTES as usize - 1)).step_by(8) {
            let bytes = &bytes[at..at + MARK_BYTES as usize];
            if bytes[4..7] != [record::MARK | record::LAST, 0, 8] {
                continue;
            }
            let position = start + at as u64;
            let stored = u32::from_le_bytes(*bytes.first_chunk().expect("16 bytes"));
            let durable = u64::from_le_bytes(*bytes[7..].first_chunk().expect("16 bytes"));
            let crc = raw::crc(0, &bytes[4..15]) ^ record::mix32(self.volume_id, position);
            if stored == crc && durable <= position {
                self.durable = self.durable.max(durable);
            }
        }
    }
}

/// Records that are longer are not looked for among bytes that may be anything:
/// each try reads as much as it says it is long.
const SOUGHT_BYTES_MAX: u64 = 64 << 10;

impl Scan {
    /// Where the first record ends that is the last of its batch.
    fn batch_end_in(&self, bytes: &[u8], start: Position) -> Option<Position> {
        (0..bytes.len()).step_by(record::ALIGN as usize).find_map(|at| {
            let rest = &bytes[at..];
            let (stored, said) = rest.split_first_chunk()?;
            if said.first()? & record::LAST == 0 || said[0] == record::LAST {
                return None;
            }
            let shape = record::parse_header(rest)?;
            if shape.bytes() > SOUGHT_BYTES_MAX || shape.bytes() > rest.len() as u64 {
                return None;
            }
            let position = start + at as u64;
            let crc = raw::crc(0, &rest[4..shape.content() as usize]);
            (crc ^ record::mix32(self.volume_id, position) == u32::from_le_bytes(*stored))
                .then_some(position + shape.bytes())
        })
    }
}

/// Whether a segment's file has nothing from a position on.
fn all_zero(segment: &Segment, from: Position) -> bool {
    let at = from - segment.start();
    let bytes = raw::bytes(&segment.memory, at, segment.allocated().saturating_sub(at));
    bytes.iter().all(|byte| *byte == 0)
}
