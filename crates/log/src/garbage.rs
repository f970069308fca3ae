//! What nobody needs any more: counted for each segment, so that one in which
//! there is nothing else can go without a look at its records.
//!
//! Counts are those of this opening. A segment from before it is never said to
//! be garbage: it is walked.

use std::sync::atomic::Ordering;

use super::{Log, Position};

impl Log {
    /// Says that nobody will ask for the record at a position any more. To be
    /// said once, when the index has let go of it, and under the lock of the
    /// index that guarded it, so that no checkpoint comes between.
    ///
    /// Where it is not said, the record's segment is walked before it goes.
    #[inline]
    pub fn forget(&self, position: Position) {
        if let Some(segment) = self.window.get(position >> self.segment_log2) {
            segment.add_garbage();
        }
    }

    /// The same for a record of so many bytes that only says of others that
    /// they are gone: nobody ever asks for it.
    #[inline]
    pub fn forget_tombstone(&self, position: Position, bytes: u64) {
        if let Some(segment) = self.window.get(position >> self.segment_log2) {
            segment.add_tombstone(bytes);
            self.tombstones.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Says that everything below a position, which is a record's, is garbage.
    pub fn forget_before(&self, position: Position) {
        self.garbage_below.fetch_max(position, Ordering::Release);
    }

    /// Bytes of tombstones in the log, but for those in segments that
    /// [`passed`](Self::passed) was told of.
    pub fn tombstone_bytes(&self) -> u64 {
        self.tombstones.load(Ordering::Relaxed)
    }

    /// To be told by the cleaner what it has met. Segments that lie wholly
    /// below `to`, but not below `from`, are not counted any more.
    pub fn passed(&self, from: Position, to: Position) {
        let begin = from >> self.segment_log2;
        if begin == to >> self.segment_log2 {
            return;
        }
        let segments = self.segments.lock();
        let first = segments.range(..=begin).next_back().map_or(begin, |(number, _)| *number);
        let rest = segments.range(first..).map(|(_, segment)| segment);
        let passed = rest.take_while(|segment| segment.limit() <= to);
        let bytes = passed.map(|segment| segment.tombstone_bytes()).sum();
        self.tombstones.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The first position from `position` on that may have something which is
    /// not garbage: itself, or a segment's first.
    pub fn skip_garbage(&self, position: Position) -> Position {
        let mut position = position.max(self.garbage_below.load(Ordering::Acquire));
        let segments = self.segments.lock();
        let from = segments.range(..=position >> self.segment_log2).next_back();
        let from = from.map_or(0, |(number, _)| *number);
        let mut rest = segments.range(from..).map(|(_, segment)| segment).peekable();
        while let Some(segment) = rest.next()
            && segment.is_garbage()
            && let Some(next) = rest.peek()
        {
            position = position.max(next.first());
        }
        position
    }
}

#[cfg(any(test, feature = "sim"))]
impl Log {
    /// Segments whose records are counted, from their first position to their
    /// end, and how many of their records are not garbage.
    pub fn counted(&self) -> Vec<(std::ops::Range<Position>, u64)> {
        let garbage_below = self.garbage_below.load(Ordering::Acquire);
        let segments = self.segments.lock();
        let counted = segments.values().filter(|segment| segment.first() >= garbage_below);
        let counted = counted.filter_map(|segment| {
            let needed = segment.records_needed()?;
            Some((segment.first()..segment.end(), needed))
        });
        counted.collect()
    }
}
