//! Reading in order.

use hozo_traits::{Error, ErrorKind, Result};

use super::record::MARK;
use super::{Log, Position, Record, damaged};

/// The records from a position on, up to where the head was when the walk
/// began.
pub struct Walk<'a> {
    log: &'a Log,
    position: Position,
    head: Position,
}

impl Log {
    /// The records from `position` on, which is a record's or the tail. The
    /// caller's duty is the same as for [`read`](Log::read).
    pub fn records_from(&self, position: Position) -> Walk<'_> {
        // Who has met all of a segment is at its end, and the segment may be gone.
        Walk { log: self, position: position.max(self.tail()), head: self.head() }
    }
}

impl<'a> Walk<'a> {
    /// Where the walk goes on: all records below have been answered.
    pub fn position(&self) -> Position {
        self.position
    }

    fn step(&mut self) -> Result<Option<Record<'a>>> {
        loop {
            if self.position >= self.head {
                return Ok(None);
            }
            let number = self.position >> self.log.segment_log2;
            let segment = match self.log.window.get(number) {
                Some(segment) if segment.numbers().contains(&number) => segment,
                _ => return Err(self.lost()),
            };
            self.position = self.position.max(segment.first());
            if self.position >= segment.end() {
                let next = self.log.first_after(segment.header.number);
                self.position = next.ok_or_else(|| self.lost())?;
                continue;
            }
            let record = self.log.read(self.position)?;
            self.position += record.bytes;
            if self.position > segment.end() {
                return Err(damaged(
                    segment,
                    record.position,
                    "a record reaches beyond its segment",
                ));
            }
            if record.kind != MARK {
                return Ok(Some(record));
            }
        }
    }

    fn lost(&self) -> Error {
        Error::new(ErrorKind::Corrupt, "the log has no segment where one has to be")
            .with("position", self.position)
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<Record<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if let Some(Err(_)) = step {
            // What comes after something unreadable cannot be found.
            self.position = self.head;
        }
        step
    }
}

impl Log {
    /// Where the records of the segment after `number` begin.
    fn first_after(&self, number: u64) -> Option<Position> {
        let segments = self.segments.lock();
        segments.range(number + 1..).next().map(|(_, segment)| segment.first())
    }
}
