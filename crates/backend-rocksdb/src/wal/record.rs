//! RocksDB's log format, as far as it must be known to judge a log. The
//! manifest has it, too.
//!
//! A file is a row of 32 KiB blocks. A physical record lies within one block:
//! masked CRC-32C (4 bytes) of type and payload, payload length (2), type (1),
//! payload; all little-endian. Where fewer than 7 bytes are left in a block
//! there are zeros. A record proper is one full physical record, or a first,
//! any number of middle and a last one. In a log it is a batch: a sequence
//! number (8), the count of its entries (4), the entries; our mark is the
//! first: tag 3, a length, the bytes. A log that follows another in the same opening begins with a
//! record of its predecessor: number (8), length (8), last sequence number (8).
//! The format is RocksDB's `db/log_format.h`, which only ever grew.

use hozo_traits::Result;

pub(crate) const BLOCK_BYTES: usize = 32 << 10;
const HEADER_BYTES: usize = 7;
const BATCH_HEADER_BYTES: usize = 12;
/// Enough of a batch to hold its header, and a mark.
const HEAD_BYTES: usize = BATCH_HEADER_BYTES + 2 + super::MARK_BYTES;
const LOG_DATA_TAG: u8 = 3;

const ZERO: u8 = 0;
const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
/// What the log before this one was.
const PREDECESSOR: u8 = 130;
/// RocksDB skips a type that it does not know if this bit is set.
const SAFE_TO_SKIP: u8 = 1 << 7;

/// A record that is whole.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    /// Where it begins in the file.
    pub(crate) start: u64,
    /// Where it ends.
    pub(crate) end: u64,
    head: &'a [u8],
}

/// What a record of a log is.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// The sequence number of its first entry.
    pub(crate) sequence: u64,
    /// How many sequence numbers it uses.
    pub(crate) count: u32,
    /// The log data that it begins with, if any.
    pub(crate) log_data: &'a [u8],
}

/// What a reader comes across.
pub(crate) enum Step<'a> {
    /// Something that is no record begins here, with records behind it, or
    /// something that is neither a record nor blank.
    Damage { offset: u64 },
    /// A record.
    Record(Record<'a>),
    /// The log before this one has this number and this many bytes.
    Predecessor { number: u64, bytes: u64, end: u64 },
    /// A sound record of a kind that our settings never produce.
    Foreign { kind: u8 },
}

/// Reads a log file, block by block.
#[derive(Default)]
pub(crate) struct Reader {
    /// A record whose end has not come yet.
    open: Option<Open>,
    /// Where there are zeros instead of a record, and no record since.
    blank: Option<u64>,
}

struct Open {
    start: u64,
    head: Head,
}

/// The first bytes of a record.
#[derive(Default)]
struct Head {
    bytes: [u8; HEAD_BYTES],
    length: usize,
}

impl Head {
    fn push(&mut self, payload: &[u8]) {
        let take = payload.len().min(HEAD_BYTES - self.length);
        self.bytes[self.length..self.length + take].copy_from_slice(&payload[..take]);
        self.length += take;
    }
}

impl<'a> Record<'a> {
    /// The batch that it is, or `None` if it cannot be one.
    pub(crate) fn batch(&self) -> Option<Batch<'a>> {
        let (header, rest) = self.head.split_at_checked(BATCH_HEADER_BYTES)?;
        let sequence = u64::from_le_bytes(header[..8].try_into().ok()?);
        let count = u32::from_le_bytes(header[8..].try_into().ok()?);
        let log_data = match rest {
            // A length below 128 is one byte, and a mark's is.
            [LOG_DATA_TAG, length, rest @ ..] => rest.get(..usize::from(*length)).unwrap_or(&[]),
            _ => &[],
        };
        Some(Batch { sequence, count, log_data })
    }
}

struct Physical<'a> {
    kind: u8,
    payload: &'a [u8],
}

/// The record at the beginning of `bytes`, if it is sound.
fn physical(bytes: &[u8]) -> Option<Physical<'_>> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
    let payload = rest.get(..length)?;
    let kind = header[6];
    if kind == ZERO {
        return None;
    }
    let stored = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload);
    (stored == masked(sum)).then_some(Physical { kind, payload })
}

/// RocksDB stores checksums rotated and offset, so that one over data that
/// contains checksums is no weaker.
pub(super) fn masked(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

impl Reader {
    /// Reads one block, which begins at `offset` in the file; only the last of
    /// a file may be short. Looks for records behind damage as well.
    pub(crate) fn block(
        &mut self,
        offset: u64,
        block: &[u8],
        step: &mut dyn FnMut(Step<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut at = 0;
        let mut damaged = false;
        while at < block.len() {
            let here = offset + at as u64;
            let rest = &block[at..];
            if let Some(record) = physical(rest) {
                damaged = false;
                if let Some(offset) = self.blank.take() {
                    self.open = None;
                    step(Step::Damage { offset })?;
                }
                at += HEADER_BYTES + record.payload.len();
                self.record(here, offset + at as u64, &record, step)?;
                continue;
            }
            // A short rest of a whole block is filled with zeros, and what was
            // written ahead of the log's end is zeros, too. The first is
            // followed by records, the second must not be.
            if !damaged && rest.iter().all(|b| *b == 0) {
                if rest.len() >= HEADER_BYTES {
                    self.blank.get_or_insert(here);
                }
                return Ok(());
            }
            if !damaged {
                damaged = true;
                self.open = None;
                step(Step::Damage { offset: here })?;
            }
            at += 1;
        }
        Ok(())
    }

    fn record(
        &mut self,
        start: u64,
        end: u64,
        record: &Physical<'_>,
        step: &mut dyn FnMut(Step<'_>) -> Result<()>,
    ) -> Result<()> {
        // A record that does not go on where the one before left off means
        // that something is missing between them.
        let goes_on = matches!(record.kind, MIDDLE | LAST);
        match (goes_on, self.open.take()) {
            (true, Some(mut open)) => {
                open.head.push(record.payload);
                if record.kind == MIDDLE {
                    self.open = Some(open);
                    return Ok(());
                }
                finish(&open, end, step)
            }
            (true, None) => step(Step::Damage { offset: start }),
            (false, open) => {
                if let Some(open) = open {
                    step(Step::Damage { offset: open.start })?;
                }
                let mut open = Open { start, head: Head::default() };
                open.head.push(record.payload);
                match record.kind {
                    FULL => finish(&open, end, step),
                    FIRST => {
                        self.open = Some(open);
                        Ok(())
                    }
                    PREDECESSOR => step(predecessor(record.payload, start, end)),
                    kind if kind & SAFE_TO_SKIP != 0 => Ok(()),
                    kind => step(Step::Foreign { kind }),
                }
            }
        }
    }

    /// Where a record begins whose end the file does not have.
    pub(crate) fn unfinished(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.start)
    }
}

fn predecessor(payload: &[u8], start: u64, end: u64) -> Step<'_> {
    let field = |at: usize| -> Option<u64> {
        Some(u64::from_le_bytes(payload.get(at..at + 8)?.try_into().ok()?))
    };
    match (field(0), field(8)) {
        (Some(number), Some(bytes)) => Step::Predecessor { number, bytes, end },
        _ => Step::Damage { offset: start },
    }
}

fn finish(open: &Open, end: u64, step: &mut dyn FnMut(Step<'_>) -> Result<()>) -> Result<()> {
    let head = &open.head.bytes[..open.head.length];
    step(Step::Record(Record { start: open.start, end, head }))
}

/// Whether these last bytes of a file, which are no sound record, may be the
/// beginning of one: `at` is where they begin.
pub(crate) fn may_be_cut_short(at: u64, bytes: &[u8]) -> bool {
    if bytes.len() < HEADER_BYTES {
        return true;
    }
    let length = HEADER_BYTES + usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
    let room = BLOCK_BYTES - usize::try_from(at % BLOCK_BYTES as u64).unwrap_or(0);
    matches!(bytes[6], FULL..=LAST) && length > bytes.len() && length <= room
}
