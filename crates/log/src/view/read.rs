//! Reading in order.

use std::collections::VecDeque;

use super::super::record::{self, ALIGN, LAST, MARK, Shape};
use super::super::survey::Gap;
use super::super::{BATCH_BYTES_MAX, Record};
use super::buffer::Buffer;
use super::*;

/// How often the files are looked at anew before something counts as damaged.
const TRIES_MAX: u32 = 3;
/// Behind damage any bytes may look like the head of a record. Those that would
/// be longer than this are looked at...
const LONG_BYTES: u64 = 64 << 10;
/// ...until so many bytes were looked at for nothing.
const SEARCH_BYTES_MAX: u64 = 8 << 30;

/// What comes next in a log.
#[derive(Debug)]
pub enum Step<'a> {
    /// A record, whose batch is whole.
    Record(Record<'a>),
    /// A part that cannot be read, though it was on stable storage.
    Damage(Gap),
}

/// Reads a log in order.
pub struct Reading {
    view: View,
    part: Option<Part>,
    position: Position,
    /// The batch that is being read is whole up to here.
    batch_end: Position,
    /// To be said first.
    gaps: VecDeque<Gap>,
    /// How often it was looked at this position anew.
    tries: u32,
    searched: u64,
    end: Position,
    passed_over: u64,
    /// To be said before anything else.
    failed: Option<Error>,
}

/// The file that is being read.
struct Part {
    number: u64,
    start: Position,
    /// Where the log goes on in another file, if it does.
    end: Option<Position>,
    bytes: Buffer,
}

enum Found {
    Record(Shape),
    Damage(Gap),
    End,
}

impl Reading {
    pub(super) fn new(view: View) -> Reading {
        let mut reading = Reading {
            part: None,
            position: 0,
            batch_end: 0,
            gaps: VecDeque::new(),
            tries: 0,
            searched: 0,
            end: 0,
            passed_over: 0,
            failed: None,
            view,
        };
        for file in reading.view.files.iter().filter(|file| file.stranger) {
            let what = "the file is a segment of another log";
            reading.gaps.push_back(reading.header_gap(file.number, what));
        }
        reading.begin();
        reading
    }

    /// At the first record of the first file that has one.
    fn begin(&mut self) {
        let first = (0..self.view.files.len()).find(|i| self.usable(*i));
        if let Some(first) = first {
            self.enter(first);
        }
    }

    pub(super) fn go_to(&mut self, position: Position) {
        let holds = |i: &usize| {
            let (first, limit) = self.view.span(*i);
            self.usable(*i) && (first..limit).contains(&position)
        };
        if let Some(file) = (0..self.view.files.len()).find(holds) {
            self.enter(file);
            self.position = position;
        }
    }

    /// Where the log ends, as far as it is whole; for after the last step. What a
    /// crash has torn off may be behind it, or what is just being written, or
    /// anything: files are used again.
    pub fn end(&self) -> Position {
        self.end
    }

    /// How often the owner had discarded something that was to be read: the
    /// reading went on behind it.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// Up to where it has read.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next record, or what is damaged; `None` at the end of the log.
    pub fn step(&mut self) -> Result<Option<Step<'_>>> {
        let shape = match self.find()? {
            Found::End => return Ok(None),
            Found::Damage(gap) => return Ok(Some(Step::Damage(gap))),
            Found::Record(shape) => shape,
        };
        let at = self.position;
        self.advance(at + shape.bytes());
        let part = self.part.as_ref().expect("a record is in a file");
        let content = part.bytes.here(at - part.start, shape.content() as usize);
        let content = content.expect("it was looked at");
        let (key, value) = content[shape.header as usize..].split_at(shape.key as usize);
        let kind = shape.kind & !LAST;
        Ok(Some(Step::Record(Record { position: at, kind, key, value, bytes: shape.bytes() })))
    }

    fn advance(&mut self, position: Position) {
        self.position = position;
        self.tries = 0;
    }

    /// Finds what comes next; a record is in memory then.
    fn find(&mut self) -> Result<Found> {
        loop {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if let Some(gap) = self.gaps.pop_front() {
                return Ok(Found::Damage(gap));
            }
            let Some(part) = &self.part else { return Ok(Found::End) };
            if part.end == Some(self.position) {
                self.follow();
                continue;
            }
            if self.batch_end <= self.position {
                match self.batch(self.position) {
                    Some(end) => self.batch_end = end,
                    None => self.stuck()?,
                }
                continue;
            }
            match self.record(self.position) {
                Some(shape) if shape.kind & !LAST == MARK => {
                    self.advance(self.position + shape.bytes());
                }
                Some(shape) => return Ok(Found::Record(shape)),
                // The file became another one's meanwhile.
                None => self.batch_end = self.position,
            }
        }
    }

    /// Where the batch at a position ends, if it is whole.
    fn batch(&mut self, from: Position) -> Option<Position> {
        let mut at = from;
        loop {
            let shape = self.record(at)?;
            if shape.kind & !LAST == MARK && at != from {
                return None;
            }
            at += shape.bytes();
            if shape.last() {
                return Some(at);
            }
            if at - from > BATCH_BYTES_MAX {
                return None;
            }
        }
    }

    fn record(&mut self, at: Position) -> Option<Shape> {
        let volume_id = self.view.volume_id;
        let part = self.part.as_mut()?;
        let bytes_max = part.end.map_or(u64::MAX, |end| end.saturating_sub(at));
        part.bytes.record(volume_id, part.start, at - part.start, bytes_max)
    }

    /// Whether a file can be read as a segment: one without a header, if the
    /// first record says so.
    fn usable(&self, file: usize) -> bool {
        let seen = &self.view.files[file];
        !seen.stranger && (seen.header.is_some() || self.has_record(seen.number))
    }

    fn has_record(&self, number: u64) -> bool {
        let start = number << self.view.segment_log2;
        let file = self.view.disk.open(&segment::file_name(number));
        file.is_ok_and(|file| {
            let mut bytes = Buffer::new(file);
            bytes.record(self.view.volume_id, start, HEADER_BYTES, u64::MAX).is_some()
        })
    }

    /// Goes on at the first record of a file. Without one it is found out when
    /// it is read.
    fn enter(&mut self, file: usize) {
        let seen = &self.view.files[file];
        if seen.header.is_none() {
            self.gaps.push_back(self.header_gap(seen.number, "the segment's header is damaged"));
        }
        let (first, _) = self.view.span(file);
        self.batch_end = first;
        self.advance(first);
        match self.part_of(file) {
            Ok(part) => self.part = Some(part),
            Err(error) if error.kind() == ErrorKind::NotFound => self.discarded(),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) {
        self.failed = Some(error);
        self.part = None;
    }

    fn part_of(&self, file: usize) -> Result<Part> {
        let number = self.view.files[file].number;
        let next = self.view.next_of(file).and_then(|next| self.view.files[next].header);
        let open = self.view.disk.open(&segment::file_name(number))?;
        let (start, end) = (number << self.view.segment_log2, next.map(|next| next.follows));
        Ok(Part { number, start, end, bytes: Buffer::new(open) })
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        self.view.files.iter().position(|file| file.number == number)
    }

    /// Goes on in the next file, as headers say.
    fn follow(&mut self) {
        let number = self.part.take().map(|part| part.number);
        let here = number.and_then(|number| self.index_of(number));
        match here.and_then(|here| self.view.next_of(here)) {
            Some(next) => self.enter(next),
            None => self.end = self.position,
        }
    }

    /// Nothing can be read here: why?
    fn stuck(&mut self) -> Result<()> {
        let at = self.position;
        let Some(part) = &mut self.part else { return Ok(()) };
        let number = part.number;
        if self.tries == 0 {
            // It may have been written since.
            part.bytes.forget();
            self.tries = 1;
            return Ok(());
        }
        match self.view.disk.open(&segment::file_name(number)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.discarded();
                return Ok(());
            }
            file => part.bytes = Buffer::new(file?),
        }
        let durable = self.durable_above(number, at);
        if durable <= at {
            // Where another file says that it follows, it was lost with this.
            self.end = at;
            self.part = None;
            return Ok(());
        }
        if self.tries < TRIES_MAX {
            self.tries += 1;
            self.view = self.view.again()?;
            if let Some(file) = self.index_of(number)
                && let Ok(part) = self.part_of(file)
            {
                self.part = Some(part);
            }
            return Ok(());
        }
        self.skip(durable);
        Ok(())
    }

    /// The owner discarded what was to be read: goes on behind it.
    fn discarded(&mut self) {
        self.part = None;
        self.passed_over += 1;
        let at = self.position;
        match self.view.again() {
            Ok(view) => self.view = view,
            Err(error) => return self.fail(error),
        }
        match (0..self.view.files.len()).find(|i| self.usable(*i) && self.view.span(*i).0 > at) {
            Some(file) => self.enter(file),
            None => self.end = at,
        }
    }

    /// Goes on behind what is damaged.
    fn skip(&mut self, durable: Position) {
        let at = self.position;
        let Some(part) = &mut self.part else { return };
        let (number, start, end) = (part.number, part.start, part.end);
        let len = part.bytes.file_len();
        let limit = end.map_or(len, |end| end - start);
        let mut gap = Gap {
            file: segment::file_name(number),
            offset: at - start,
            from: at,
            to: at,
            what: "no record can be read",
            header: false,
        };
        if at - start >= len {
            gap.what = "the file is too short";
        }
        if let Some(found) = self.search(at - start + ALIGN, limit) {
            gap.to = start + found;
        } else if let Some(end) = end {
            gap.to = end;
        } else if let Some(next) = self
            .index_of(number)
            .and_then(|here| (here + 1..self.view.files.len()).find(|next| self.usable(*next)))
        {
            let seen = &self.view.files[next];
            gap.to = self.view.span(next).0;
            match seen.header {
                Some(header) => {
                    gap.what = "the segment's file is missing";
                    let missing = header.follows.saturating_sub(1) >> self.view.segment_log2;
                    (gap.file, gap.offset) = (segment::file_name(missing), 0);
                    self.gaps.push_back(gap);
                    self.enter(next);
                }
                // Which is said when it is entered.
                None => self.enter(next),
            }
            return;
        } else {
            gap.what = "the log ends before where it was on stable storage";
            gap.to = durable;
            self.end = at;
            self.part = None;
            self.gaps.push_back(gap);
            return;
        }
        self.batch_end = gap.to;
        self.advance(gap.to);
        self.gaps.push_back(gap);
    }

    /// The first offset from here on at which a record is.
    fn search(&mut self, from: u64, to: u64) -> Option<u64> {
        let volume_id = self.view.volume_id;
        let part = self.part.as_mut()?;
        search(&mut part.bytes, volume_id, part.start, from..to, &mut self.searched)
    }

    /// Up to where the log was on stable storage, as what is from a position on
    /// says, in its file and in those behind it.
    fn durable_above(&mut self, number: u64, at: Position) -> Position {
        let mut durable = self.view.durable.unwrap_or(0);
        let in_doubt = self.view.durable.is_none();
        for seen in self.view.files.iter().filter(|seen| seen.number >= number && !seen.stranger) {
            let start = seen.number << self.view.segment_log2;
            let Ok(file) = self.view.disk.open(&segment::file_name(seen.number)) else { continue };
            let mut bytes = Buffer::new(file);
            let from = if seen.number == number { at - start } else { HEADER_BYTES };
            durable = durable.max(marks(&mut bytes, self.view.volume_id, start, from));
            if in_doubt && durable <= at {
                let range = from..bytes.file_len();
                let volume_id = self.view.volume_id;
                let found = search(&mut bytes, volume_id, start, range, &mut self.searched);
                durable = durable.max(found.map_or(0, |found| start + found + ALIGN));
            }
        }
        durable
    }

    fn header_gap(&self, number: u64, what: &'static str) -> Gap {
        let start = number << self.view.segment_log2;
        let file = segment::file_name(number);
        Gap { file, offset: 0, from: start, to: start + HEADER_BYTES, what, header: true }
    }
}

fn search(
    bytes: &mut Buffer,
    volume_id: u64,
    start: Position,
    range: std::ops::Range<u64>,
    searched: &mut u64,
) -> Option<u64> {
    let mut at = range.start;
    while let Some(word) = bytes.next_word(at, range.end) {
        at = word + ALIGN;
        let Some(shape) = bytes.shape(word, range.end - word) else { continue };
        if shape.bytes() > LONG_BYTES {
            if *searched > SEARCH_BYTES_MAX {
                continue;
            }
            *searched += shape.bytes();
        }
        if bytes.record(volume_id, start, word, range.end - word).is_some() {
            return Some(word);
        }
    }
    None
}

/// The highest of the marks from an offset on.
fn marks(bytes: &mut Buffer, volume_id: u64, start: Position, from: u64) -> Position {
    let (mut highest, mut at) = (0, from);
    while let Some(word) = bytes.next_word(at, u64::MAX) {
        at = word + ALIGN;
        let here = bytes.get(word, record::MARK_BYTES as usize);
        if here.get(4..7) != Some(&[MARK | LAST, 0, 8]) {
            continue;
        }
        let said = here.get(7..).and_then(|rest| rest.first_chunk());
        let durable = said.map_or(0, |said| u64::from_le_bytes(*said));
        if bytes.record(volume_id, start, word, u64::MAX).is_some() && durable <= start + word {
            highest = highest.max(durable);
        }
    }
    highest
}
