//! Reading on behind damage.

use super::super::Record;
use super::*;

/// How much is read from the disk at once, and how much is given up where that
/// fails.
const READ_BYTES: usize = 1 << 20;
const SECTOR_BYTES: usize = 4096;
/// What stands in memory for what the disk does not give: no record, and not
/// space that was never written.
const UNREADABLE: u8 = 0xee;
/// Behind damage any bytes may look like the head of a record. Those that would
/// be longer than this are looked at...
const LONG_BYTES: u64 = 64 << 10;
/// ...until so many bytes were looked at for nothing.
const SEARCH_BYTES_MAX: u64 = 8 << 30;

/// Records that are there all or not at all.
pub type Batch<'a> = [Record<'a>];

/// Is shown what a log has, in its order.
pub trait Visit {
    /// A batch that is whole.
    fn batch(&mut self, batch: &Batch<'_>) -> Result<()>;

    /// Records that are whole, of a batch that is not, or may not be.
    fn part(&mut self, records: &Batch<'_>) -> Result<()>;

    /// A part that cannot be read; `bytes` are those that are there.
    fn gap(&mut self, gap: Gap, bytes: &[u8]) -> Result<()>;

    /// What was not whole ends here: what comes is of other batches.
    fn ended(&mut self) -> Result<()> {
        Ok(())
    }

    /// So many bytes more were read.
    fn progress(&mut self, bytes: u64);
}

/// Where the reading is.
struct Reading {
    /// The durable end was looked for in all that is above.
    knows_durable: bool,
    durable: Position,
    searched: u64,
    end: End,
}

impl Survey {
    /// Shows all that is there.
    pub fn read(&self, visit: &mut dyn Visit) -> Result<End> {
        let mut reading = Reading {
            knows_durable: false,
            durable: self.durable,
            searched: 0,
            end: End { head: self.tail(), torn_bytes: 0 },
        };
        for (i, part) in self.parts.iter().enumerate() {
            if part.file.is_none() {
                let from = if i == 0 { part.start + HEADER_BYTES } else { reading.end.head };
                let to = part.end.unwrap_or(from);
                let what = "the segment's file is missing";
                let (file, offset) = (part.name.clone(), 0);
                visit.gap(Gap { file, offset, from, to, what, header: false }, &[])?;
                reading.end.head = to;
                continue;
            }
            let bytes = self.load(part);
            let whole = self.read_part(i, &bytes, &mut reading, visit)?;
            visit.progress(part.len);
            if !whole {
                return Ok(reading.end);
            }
        }
        self.read_missing_end(&reading, visit)?;
        reading.end.head = reading.end.head.max(reading.durable);
        Ok(reading.end)
    }

    /// Files that are missing at the end.
    fn read_missing_end(&self, reading: &Reading, visit: &mut dyn Visit) -> Result<()> {
        let (from, to) = (reading.end.head, reading.durable);
        if from >= to {
            return Ok(());
        }
        let file = segment::file_name((to - 1) >> self.segment_log2);
        let what = "the log ends before where it was on stable storage";
        visit.gap(Gap { file, offset: 0, from, to, what, header: false }, &[])
    }

    /// The file's bytes, with those that the disk does not give made nonsense.
    fn load(&self, part: &Part) -> Vec<u8> {
        let mut bytes = vec![0; part.len as usize];
        let Some(file) = &part.file else { return bytes };
        for (i, piece) in bytes.chunks_mut(READ_BYTES).enumerate() {
            let at = i * READ_BYTES;
            if file.read_at(at as u64, piece).is_ok() {
                continue;
            }
            for (i, sector) in piece.chunks_mut(SECTOR_BYTES).enumerate() {
                if file.read_at((at + i * SECTOR_BYTES) as u64, sector).is_err() {
                    sector.fill(UNREADABLE);
                }
            }
        }
        bytes
    }

    /// Shows a part; whether the log goes on behind it.
    fn read_part(
        &self,
        number: usize,
        bytes: &[u8],
        reading: &mut Reading,
        visit: &mut dyn Visit,
    ) -> Result<bool> {
        let part = &self.parts[number];
        let last = number + 1 == self.parts.len();
        let limit = part.end.map_or(u64::MAX, |end| end - part.start);
        let bytes = &bytes[..bytes.len().min(usize::try_from(limit).unwrap_or(usize::MAX))];
        let mut at = HEADER_BYTES;
        let mut batch: Vec<Record<'_>> = Vec::new();
        // Behind damage nobody knows whether a batch begins here.
        let mut cut = false;
        loop {
            if part.end.is_some() && at >= limit {
                visit_part(&mut batch, visit)?;
                reading.end.head = part.start + at;
                return Ok(true);
            }
            let begun = batch.first().map_or(part.start + at, |record| record.position);
            if let Some(shape) = self.record(bytes, part.start, at) {
                let is_mark = shape.kind & !LAST == MARK;
                if !is_mark || batch.is_empty() || cut {
                    let record = to_record(bytes, part.start, at, &shape);
                    at += shape.bytes();
                    if is_mark {
                        if std::mem::take(&mut cut) {
                            visit_part(&mut batch, visit)?;
                            visit.ended()?;
                        }
                        let durable = record.value.first_chunk().map(|v| u64::from_le_bytes(*v));
                        reading.durable = reading.durable.max(durable.unwrap_or(0));
                        reading.end.head = part.start + at;
                        continue;
                    }
                    batch.push(record);
                    if shape.last() {
                        if std::mem::take(&mut cut) {
                            visit_part(&mut batch, visit)?;
                            visit.ended()?;
                        } else {
                            visit.batch(&batch)?;
                            batch.clear();
                        }
                        reading.end.head = part.start + at;
                    }
                    continue;
                }
            }
            self.find_durable(number, bytes, at, reading);
            if reading.durable <= begun {
                reading.end.torn_bytes += part.start + at - begun;
                reading.end.head = begun;
                return Ok(false);
            }
            visit_part(&mut batch, visit)?;
            let found = self.search(bytes, part.start, at + ALIGN, &mut reading.searched);
            if found.is_none() && !last && part.end.is_none() {
                // The next header is damaged, and the log may have ended here.
                reading.end.head = part.start + at;
                return Ok(true);
            }
            let nothing = if last {
                (reading.durable - part.start).clamp(at + ALIGN, self.limit(part))
            } else {
                limit
            };
            let to = found.unwrap_or(nothing);
            cut = !self.ends_batch(bytes, part.start, at, to);
            let gap = Gap {
                file: part.name.clone(),
                offset: at,
                from: part.start + at,
                to: part.start + to,
                what: if at >= bytes.len() as u64 {
                    "the file is too short"
                } else {
                    "no record can be read"
                },
                header: false,
            };
            let there = at.min(bytes.len() as u64) as usize..to.min(bytes.len() as u64) as usize;
            visit.gap(gap, &bytes[there])?;
            if !cut {
                visit.ended()?;
            }
            at = to;
            reading.end.head = part.start + at;
            if found.is_none() && last {
                return Ok(true);
            }
        }
    }

    fn limit(&self, part: &Part) -> u64 {
        part.len.max(self.segment_bytes())
    }

    /// The record at an offset, if it is whole.
    pub(super) fn record(&self, bytes: &[u8], start: Position, at: u64) -> Option<Shape> {
        let shape = shape(bytes, at)?;
        let content = &bytes[at as usize..(at + shape.content()) as usize];
        let crc = raw::crc(0, &content[4..]) ^ record::mix32(self.volume_id, start + at);
        let fits = match shape.kind & !LAST {
            0 => false,
            MARK => shape.last() && shape.key == 0 && shape.value == 8,
            kind => (self.kinds)(kind),
        };
        (fits && crc == shape.stored).then_some(shape)
    }

    /// The first offset from here on at which a record is.
    fn search(&self, bytes: &[u8], start: Position, at: u64, searched: &mut u64) -> Option<u64> {
        (at..bytes.len() as u64).step_by(ALIGN as usize).find(|at| {
            let Some(shape) = shape(bytes, *at) else { return false };
            let kind = shape.kind & !LAST;
            if kind != MARK && !(self.kinds)(kind) {
                return false;
            }
            if shape.bytes() > LONG_BYTES {
                if *searched > SEARCH_BYTES_MAX {
                    return false;
                }
                *searched += shape.bytes();
            }
            self.record(bytes, start, *at).is_some()
        })
    }

    /// Whether the damaged record at an offset was the last of its batch, and
    /// is all that is damaged up to `to`.
    fn ends_batch(&self, bytes: &[u8], start: Position, at: u64, to: u64) -> bool {
        let Some(shape) = shape(bytes, at).filter(|shape| shape.last()) else { return false };
        let kind = shape.kind & !LAST;
        if at + shape.bytes() != to || (kind != MARK && !(self.kinds)(kind)) {
            return false;
        }
        // Unless it is this bit that is damaged.
        let mut content = bytes[at as usize..(at + shape.content()) as usize].to_vec();
        content[4] ^= LAST;
        raw::crc(0, &content[4..]) ^ record::mix32(self.volume_id, start + at) != shape.stored
    }

    /// Looks for marks in all that comes behind an offset of a part. Without
    /// roots, which every log has, whatever is whole there was durable: more
    /// may be saved then than was promised.
    fn find_durable(&self, number: usize, bytes: &[u8], at: u64, reading: &mut Reading) {
        if std::mem::replace(&mut reading.knows_durable, true) {
            return;
        }
        let here = bytes.get(at as usize..).unwrap_or_default();
        let mut durable = self.marks(here, self.parts[number].start + at);
        let mut whole = self.last_record(bytes, self.parts[number].start, at, reading);
        for part in &self.parts[number + 1..] {
            let bytes = self.load(part);
            durable = durable.max(self.marks(&bytes, part.start));
            whole = self.last_record(&bytes, part.start, HEADER_BYTES, reading).or(whole);
        }
        if !self.knows_complete {
            durable = durable.max(whole.unwrap_or(0));
        }
        reading.durable = reading.durable.max(durable);
    }

    /// Where the last record that ends a batch ends.
    fn last_record(
        &self,
        bytes: &[u8],
        start: Position,
        mut at: u64,
        reading: &mut Reading,
    ) -> Option<Position> {
        let mut last = None;
        while !self.knows_complete
            && let Some(found) = self.search(bytes, start, at, &mut reading.searched)
        {
            let shape = shape(bytes, found)?;
            at = found + shape.bytes();
            if shape.last() {
                last = Some(start + at);
            }
        }
        last
    }

    /// The highest of the marks in these bytes.
    fn marks(&self, bytes: &[u8], start: Position) -> Position {
        let mut highest = 0;
        for at in (0..bytes.len() as u64).step_by(ALIGN as usize) {
            let here = &bytes[at as usize..];
            if here.len() >= MARK_BYTES as usize
                && here[4..7] == [MARK | LAST, 0, 8]
                && self.record(bytes, start, at).is_some()
            {
                let durable = u64::from_le_bytes(*here[7..].first_chunk().expect("16 bytes"));
                if durable <= start + at {
                    highest = highest.max(durable);
                }
            }
        }
        highest
    }
}

fn visit_part(batch: &mut Vec<Record<'_>>, visit: &mut dyn Visit) -> Result<()> {
    if !batch.is_empty() {
        visit.part(batch)?;
        batch.clear();
    }
    Ok(())
}

/// The header at an offset, if a record can be there.
fn shape(bytes: &[u8], at: u64) -> Option<Shape> {
    let rest = bytes.get(usize::try_from(at).ok()?..)?;
    let shape = record::parse_header(&rest[..rest.len().min(record::HEADER_BYTES_MAX)])?;
    (shape.kind != 0 && shape.bytes() <= rest.len() as u64 && shape.bytes() <= BATCH_BYTES_MAX)
        .then_some(shape)
}

fn to_record<'a>(bytes: &'a [u8], start: Position, at: u64, shape: &Shape) -> Record<'a> {
    let content = &bytes[at as usize..(at + shape.content()) as usize];
    let (key, value) = content[shape.header as usize..].split_at(shape.key as usize);
    Record { position: start + at, kind: shape.kind & !LAST, key, value, bytes: shape.bytes() }
}

/// The key in the bytes of a damaged record, if they still look like one.
pub fn key_in(bytes: &[u8]) -> Option<&[u8]> {
    let shape = shape(bytes, 0)?;
    bytes.get(shape.header as usize..(shape.header + shape.key) as usize)
}

/// The kind and the key of the damaged record that these bytes are, if its
/// header says that it is all of them.
pub fn lone_record(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let shape = shape(bytes, 0).filter(|shape| shape.bytes() == bytes.len() as u64)?;
    Some((shape.kind & !LAST, key_in(bytes)?))
}
