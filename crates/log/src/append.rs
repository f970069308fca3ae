//! Writing at the head.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hozo_traits::{Error, ErrorKind, Result};
use parking_lot::MutexGuard;

use super::record::{self, HEADER_BYTES_MAX, LAST, MARK, MARK_BYTES, Shape};
use super::segment::{HEADER_BYTES, Segment};
use super::{BATCH_BYTES_MAX, Entry, Log, Position, WINDOW_BYTES, raw, space};

/// Records up to this size are put together on the stack and copied at once.
const SMALL_BYTES: usize = 64;
/// Values from this size on are written with a system call: a mapping would
/// cost a fault for each page, and the space would be zeroed before.
const LARGE_BYTES: u64 = 256 << 10;

/// Where appends go.
pub(super) struct Tail {
    pub(super) segment: Arc<Segment>,
    pub(super) head: Position,
    /// Up to here there is space that may be written through the mapping.
    ready: Position,
    /// What the last mark says.
    marked: Position,
    /// A segment was created whose name may not be on stable storage.
    pub(super) dir_dirty: bool,
    /// How many records the segment has, marks aside, if it was begun since the
    /// log was opened.
    records: Option<u64>,
}

impl Tail {
    pub(super) fn new(segment: Arc<Segment>, head: Position) -> Tail {
        let ready = segment.start() + segment.allocated();
        // The first append says by a mark that all before it is durable.
        Tail { segment, head, ready, marked: 0, dir_dirty: false, records: None }
    }

    /// Sends every further append to where it finds that the log is poisoned.
    pub(super) fn close(&mut self) {
        self.ready = self.head;
    }
}

/// A record but for its position.
struct Encoded<'a> {
    shape: Shape,
    header: [u8; HEADER_BYTES_MAX],
    crc: u32,
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Encoded<'a> {
    fn new(entry: &Entry<'a>, last: bool) -> Result<Encoded<'a>> {
        let kind = if last { entry.kind | LAST } else { entry.kind };
        let shape = shape(kind, entry.key, entry.value)?;
        let mut header = [0; HEADER_BYTES_MAX];
        shape.write_header(&mut header);
        let crc = record::checksum(&header[..shape.header as usize], entry.key, entry.value);
        Ok(Encoded { shape, header, crc, key: entry.key, value: entry.value })
    }
}

#[inline]
fn shape(kind: u8, key: &[u8], value: &[u8]) -> Result<Shape> {
    debug_assert!(kind & !LAST > MARK, "kinds 0 and 1 are the log's own");
    if key.len().saturating_add(value.len()) as u64 > BATCH_BYTES_MAX {
        return Err(too_large(key.len().saturating_add(value.len()) as u64));
    }
    Ok(Shape::new(kind, key.len() as u32, value.len() as u32))
}

#[cold]
fn too_large(bytes: u64) -> Error {
    Error::new(ErrorKind::TooLarge, "too much for one update")
        .with("bytes", bytes)
        .with("limit", BATCH_BYTES_MAX)
}

impl Log {
    /// Appends one record, which is a batch of its own. When it answers, the
    /// record can be read; [`sync`](Log::sync) makes it durable.
    #[inline]
    pub fn append(&self, kind: u8, key: &[u8], value: &[u8]) -> Result<Position> {
        let shape = shape(kind | LAST, key, value)?;
        let content = shape.content() as usize;
        if content > SMALL_BYTES {
            return self.append_large(&Entry { kind, key, value });
        }
        let mut bytes = [0; SMALL_BYTES];
        shape.write_header(&mut bytes);
        let key_at = shape.header as usize;
        let value_at = key_at + key.len();
        bytes[key_at..value_at].copy_from_slice(key);
        bytes[value_at..content].copy_from_slice(value);
        let crc = raw::crc(0, &bytes[4..content]);

        let mut tail = self.tail.lock();
        let position = self.room(&mut tail, shape.bytes(), true)?;
        let crc = crc ^ record::mix32(self.volume_id, position);
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        let at = position - tail.segment.start();
        raw::write(&tail.segment.memory, at, &bytes[..shape.bytes() as usize]);
        self.advance(&mut tail, position + shape.bytes(), 1);
        Ok(position)
    }

    fn append_large(&self, entry: &Entry<'_>) -> Result<Position> {
        let encoded = Encoded::new(entry, true)?;
        let bytes = encoded.shape.bytes();
        if bytes > BATCH_BYTES_MAX {
            return Err(too_large(bytes));
        }
        let mut tail = self.tail.lock();
        let position = self.room(&mut tail, bytes, bytes < LARGE_BYTES)?;
        self.put_all(&tail, position, std::slice::from_ref(&encoded))?;
        self.advance(&mut tail, position + bytes, 1);
        Ok(position)
    }

    /// Appends records that exist after a crash all or not at all. No entries
    /// are no batch.
    pub fn append_batch(&self, entries: &[Entry<'_>]) -> Result<Vec<Position>> {
        let mut encoded = Vec::with_capacity(entries.len());
        let mut bytes = 0u64;
        for (i, entry) in entries.iter().enumerate() {
            let one = Encoded::new(entry, i + 1 == entries.len())?;
            bytes += one.shape.bytes();
            if bytes > BATCH_BYTES_MAX {
                return Err(too_large(bytes));
            }
            encoded.push(one);
        }
        if encoded.is_empty() {
            return Ok(Vec::new());
        }
        let mut tail = self.tail.lock();
        let first = self.room(&mut tail, bytes, bytes < LARGE_BYTES)?;
        self.put_all(&tail, first, &encoded)?;
        self.advance(&mut tail, first + bytes, encoded.len() as u64);
        drop(tail);
        let mut position = first;
        Ok(encoded
            .iter()
            .map(|one| {
                let this = position;
                position += one.shape.bytes();
                this
            })
            .collect())
    }

    #[inline]
    fn advance(&self, tail: &mut MutexGuard<'_, Tail>, head: Position, records: u64) {
        tail.head = head;
        if let Some(counted) = &mut tail.records {
            *counted += records;
        }
        self.head.store(head, Ordering::Release);
    }

    /// Where a batch of `bytes` goes: they fit into the segment, and when
    /// `allocate` says so they have space. After an error nothing has changed
    /// but that there may be a new segment with nothing in it.
    #[inline]
    fn room(&self, tail: &mut Tail, bytes: u64, allocate: bool) -> Result<Position> {
        let marked = tail.marked >= self.durable.load(Ordering::Relaxed);
        if marked && tail.head + bytes <= tail.ready {
            return Ok(tail.head);
        }
        self.make_room(tail, bytes, allocate)
    }

    #[cold]
    fn make_room(&self, tail: &mut Tail, bytes: u64, allocate: bool) -> Result<Position> {
        self.alive()?;
        let durable = self.durable();
        let mark = if tail.marked < durable { MARK_BYTES } else { 0 };
        if tail.head + mark + bytes > tail.segment.limit() {
            let next = self.next_segment(tail, mark + bytes)?;
            tail.dir_dirty = true;
            tail.records = Some(0);
            tail.head = next.first();
            tail.ready = next.start() + next.allocated();
            tail.segment = next;
            self.head.store(tail.head, Ordering::Release);
        }
        let needed = tail.head + mark + if allocate { bytes } else { 0 };
        if needed > tail.ready {
            space::grow(&tail.segment, needed - tail.segment.start())?;
        }
        tail.ready = tail.segment.start() + tail.segment.allocated();
        if mark > 0 {
            self.mark(tail, durable);
        }
        Ok(tail.head)
    }

    /// Says in the log that what was synced is durable, if there is space for
    /// it: the next append does otherwise. So damage of what was synced last is
    /// told from what a power cut leaves, also when nothing is appended any more.
    pub fn say_durable(&self) {
        let mut tail = self.tail.lock();
        let durable = self.durable();
        if tail.marked < durable && tail.head + MARK_BYTES <= tail.ready {
            self.mark(&mut tail, durable);
        }
    }

    /// Writes a mark at the head, where there is space.
    fn mark(&self, tail: &mut Tail, durable: Position) {
        write_mark(self.volume_id, &tail.segment, tail.head, durable);
        tail.marked = durable;
        tail.head += MARK_BYTES;
        self.head.store(tail.head, Ordering::Release);
    }

    /// Writes a batch at its place. After an error the file gives back the
    /// space it took for nothing.
    fn put_all(&self, tail: &Tail, first: Position, batch: &[Encoded<'_>]) -> Result<()> {
        let segment = &*tail.segment;
        let mut position = first;
        for one in batch {
            if let Err(error) = self.put(segment, position, one) {
                space::give_back(segment);
                return Err(error);
            }
            position += one.shape.bytes();
        }
        Ok(())
    }

    fn put(&self, segment: &Segment, position: Position, one: &Encoded<'_>) -> Result<()> {
        let crc = one.crc ^ record::mix32(self.volume_id, position);
        let mut header = one.header;
        header[..4].copy_from_slice(&crc.to_le_bytes());
        let header = &header[..one.shape.header as usize];
        let padding = &[0; 8][..(one.shape.bytes() - one.shape.content()) as usize];
        let at = position - segment.start();
        let end = at + one.shape.bytes();
        let large = one.shape.bytes() >= LARGE_BYTES;
        let _growing = large.then(|| segment.growing.lock());
        if !large {
            space::grow(segment, end)?;
        }
        let content = at + header.len() as u64;
        let value = content + one.key.len() as u64;
        let rest = value + one.value.len() as u64;
        // The header last: before that there is no record, wherever it fails.
        let parts = [(content, one.key), (value, one.value), (rest, padding), (at, header)];
        for (at, part) in parts {
            if large {
                segment.file.write_at(at, part)?;
            } else {
                raw::write(&segment.memory, at, part);
            }
        }
        segment.set_allocated(end);
        Ok(())
    }

    /// The segment after the current one, which ends where the head is, with
    /// room for `bytes`.
    fn next_segment(&self, tail: &Tail, bytes: u64) -> Result<Arc<Segment>> {
        let follows = tail.head;
        let spans = (bytes + HEADER_BYTES).div_ceil(self.segment_bytes()).max(self.next_spans());
        // Let go at once: who discards takes `spares`, then this. The last one
        // stays the last, since the caller holds the tail.
        let last = self.segments.lock().last_key_value().map(|(_, last)| Arc::clone(last));
        let last = last.expect("a log has a segment");
        let number = self.number_for(last.header.number + u64::from(last.header.spans), spans);
        self.check_window(number + spans)?;
        let next = Arc::new(self.new_segment(number, spans as u32, follows)?);
        last.seal(follows, tail.records);
        self.segments.lock().insert(number, Arc::clone(&next));
        self.window.set(&next);
        Ok(next)
    }

    /// The first number from `number` on for a segment of so many. A turn of
    /// granules begins with a segment's header, so that no record is at its
    /// first granule, which in an index means that there is no entry.
    pub(super) fn number_for(&self, number: u64, spans: u64) -> u64 {
        let turn = WINDOW_BYTES >> self.segment_log2;
        let next = number.next_multiple_of(turn);
        if number < next && number + spans > next { next } else { number }
    }

    /// An error when a log up to this segment number is larger than can be
    /// told apart.
    pub(super) fn check_window(&self, limit: u64) -> Result<()> {
        let first = self.tail() >> self.segment_log2;
        let segments = self.window.len();
        if limit - first > segments {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "the log has as many segments as it can have; remove something, \
                 or make a new log with larger segments",
            )
            .with("segments", segments)
            .with("segment_bytes", self.segment_bytes()));
        }
        Ok(())
    }
}

fn write_mark(volume_id: u64, segment: &Segment, position: Position, durable: Position) {
    raw::write(&segment.memory, position - segment.start(), &mark(volume_id, position, durable));
}

/// The bytes of a mark.
pub(super) fn mark(
    volume_id: u64,
    position: Position,
    durable: Position,
) -> [u8; MARK_BYTES as usize] {
    let mut bytes = [0; MARK_BYTES as usize];
    Shape::new(MARK | LAST, 0, 8).write_header(&mut bytes);
    bytes[7..15].copy_from_slice(&durable.to_le_bytes());
    let crc = raw::crc(0, &bytes[4..15]) ^ record::mix32(volume_id, position);
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
    bytes
}
