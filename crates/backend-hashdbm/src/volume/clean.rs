//! The cleaner: takes the log's tail away.
//!
//! It walks from where it stopped. What is still the newest is appended again
//! at the head, the rest needs nothing; when a whole segment is behind it and a
//! checkpoint knows that, the segment goes. So each byte that is written costs
//! at most a small constant of bytes copied, and nothing is searched for.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use hozo_log::{Position, Record};
use hozo_traits::Result;

use super::{Index, Inner, Volume};
use crate::index::PAGE_BYTES;

/// Bytes of the log that are looked at in one go: what a writer that waits for
/// a lock of the index waits for at most, but for one longer record.
const SLICE_BYTES: u64 = 256 << 10;
/// Records in one go.
const SLICE_RECORDS: usize = 1024;
/// Space comes back a segment at a time: so many are no reason to clean.
const SEGMENTS_SPARED: u64 = 2;

/// Cleaning begins when the log is so many percent of what is live in it, and
/// [`SEGMENTS_SPARED`] more...
const BEGIN_PERCENT: u64 = 150;
/// ...and goes on until it is so many.
const END_PERCENT: u64 = 125;
/// Above this whoever writes helps.
const HELP_PERCENT: u64 = 165;
/// Tombstones do not count, as long as they are not so many percent of what is
/// live: where much is removed, all will be garbage soon, and need not be moved.
const TOMBSTONES_PERCENT: u64 = 100;
/// When so many percent of what is live are cleaned and not given back yet,
/// writers wait a moment for the disk.
const WAIT_PERCENT: u64 = 15;
/// Half as much more, and they wait for it, but no more moments than this.
const MOMENTS_MAX: u32 = 200;
/// So many bytes are cleaned by who helps for one that it wrote.
const HELP_FACTOR: u64 = 2;
/// On a full disk cleaning begins, and ends, here.
const PRESSED_PERCENT: (u64, u64) = (120, 110);

/// So much is read again soon enough, whatever the size of the index...
const REPLAYED_BYTES: u64 = 16 << 20;
/// ...and so many times the index, so that checkpoints cost less than what they
/// are for.
const INDEX_PARTS: u64 = 4;

/// Where the cleaner is.
pub(super) struct Cleaner {
    /// Everything below was met.
    pub(super) at: Position,
}

impl Cleaner {
    pub(super) fn at(at: Position) -> Self {
        Cleaner { at }
    }
}

fn percent(bytes: u64, percent: u64) -> u64 {
    bytes / 100 * percent + bytes % 100 * percent / 100
}

impl<I: Index> Volume<I> {
    /// Appends the live records of the whole log anew and gives all else back:
    /// the log is then what the records take.
    pub(crate) fn rebuild(&self) -> Result<()> {
        let inner = &self.inner;
        inner.core.refuse_if_broken()?;
        let end = inner.core.log.head();
        // Segments go on the way, so that room for one walk is not needed.
        let step = inner.options.checkpoint_bytes.max(inner.options.segment_bytes);
        loop {
            let mut met = 0;
            while met < step {
                inner.keeper.refuse_if_closing()?;
                let slice = inner.clean_slice(end, SLICE_BYTES)?;
                if slice == 0 {
                    break;
                }
                met += slice;
            }
            inner.make_checkpoint()?;
            if met < step {
                return Ok(());
            }
        }
    }
}

impl<I: Index> Inner<I> {
    /// What the log takes beyond what is cleaned, with no more tombstones than
    /// count, and what is live of it.
    fn used_and_live(&self) -> (u64, u64) {
        let cleaned = self.cleaned.load(Acquire);
        // Read after: `live` never includes what `used` does not by much.
        let used = self.core.log.head().saturating_sub(cleaned);
        let live = self.index.live_bytes();
        if self.keeper.is_pressed() {
            return (used, live);
        }
        let tombstones = self.core.log.tombstone_bytes().min(percent(live, TOMBSTONES_PERCENT));
        (used.saturating_sub(tombstones), live)
    }

    /// Whether the cleaner has work.
    pub(super) fn should_clean(&self) -> bool {
        let left = self.left_percent.load(Relaxed);
        let (used, live) = self.used_and_live();
        let piece = self.core.log.piece_bytes();
        if self.keeper.is_pressed() {
            let least = PRESSED_PERCENT.0.max(left + left / 8);
            return used > percent(live, least).saturating_add(piece);
        }
        let begin = BEGIN_PERCENT.max(left + left / 4);
        used > percent(live, begin).saturating_add(SEGMENTS_SPARED * piece)
    }

    fn is_clean(&self) -> bool {
        let (used, live) = self.used_and_live();
        let end = if self.keeper.is_pressed() { PRESSED_PERCENT.1 } else { END_PERCENT };
        used <= percent(live, end).max(self.core.log.piece_bytes())
    }

    /// Cleans until it is clean, or everything was met once, or `stop`. Makes
    /// checkpoints on the way, which let segments go.
    pub(super) fn clean(&self, stop: impl Fn() -> bool) -> Result<()> {
        let end = self.core.log.head();
        let cleaned = loop {
            if stop() {
                return Ok(());
            }
            if self.is_clean() {
                break Ok(());
            }
            match self.clean_slice(end, SLICE_BYTES) {
                Ok(0) => {
                    let (used, live) = self.used_and_live();
                    let left = used.saturating_mul(100) / live.max(1);
                    self.left_percent.store(left.clamp(100, 100_000), Relaxed);
                    break Ok(());
                }
                Ok(_) if self.much_waits() => self.let_segments_go(0)?,
                Ok(_) => {}
                // On a full disk: what goes now is space to go on with.
                Err(error) => break Err(error),
            }
        };
        self.let_segments_go(0)?;
        cleaned
    }

    /// Makes a checkpoint if that lets more than `bytes` of whole segments go.
    pub(super) fn let_segments_go(&self, bytes: u64) -> Result<()> {
        if self.segments_wait(bytes) {
            let mut last = self.checkpoint.lock();
            // Somebody else may have done it meanwhile.
            if self.segments_wait(bytes) {
                self.make_checkpoint_locked(&mut last)?;
                self.keeper.has_progressed();
            }
        }
        Ok(())
    }

    /// Whether a checkpoint is worth it for the segments that it would let go.
    pub(super) fn much_waits(&self) -> bool {
        let live = self.index.live_bytes();
        let least = (live / 8).max(self.worth_a_checkpoint(live));
        self.segments_wait(least + self.core.log.piece_bytes())
    }

    /// Whether a checkpoint would let more than `bytes` of whole segments go.
    fn segments_wait(&self, bytes: u64) -> bool {
        // As a checkpoint discards them.
        self.core.log.whole_below(self.cleaned.load(Acquire) - 1) > bytes
    }

    /// If the log takes far too much, does what a writer of `bytes` has to.
    pub(super) fn help(&self, bytes: u64) {
        let (used, live) = self.used_and_live();
        let spared = SEGMENTS_SPARED * self.core.log.piece_bytes();
        let log = &self.core.log;
        let waiting = || {
            // Who removes and writes little makes nothing grow.
            let grown = log.head().saturating_sub(self.gave_back.load(Acquire));
            if grown <= spared { 0 } else { self.cleaned.load(Acquire).saturating_sub(log.tail()) }
        };
        let ready = percent(live, WAIT_PERCENT).max(2 * self.worth_a_checkpoint(live));
        let ready = ready.saturating_add(2 * spared);
        if waiting() > ready {
            // What is cleaned comes back when it is synced, and the disk takes
            // as long for that as it takes.
            let moments = if waiting() > ready / 2 * 3 { MOMENTS_MAX } else { 1 };
            self.keeper.wait_moments(moments, || waiting() <= ready);
        }
        if used <= percent(live, HELP_PERCENT).saturating_add(spared) {
            return;
        }
        let end = self.core.log.head();
        let mut left = bytes.saturating_mul(HELP_FACTOR);
        while left > 0 {
            // What fails here fails in the cleaner's thread, too, which knows
            // what to do; what was written is written.
            match self.clean_slice(end, left.min(SLICE_BYTES)) {
                Ok(met) if met > 0 => left = left.saturating_sub(met),
                _ => break,
            }
        }
    }

    /// Meets some records below `end`; answers how many bytes they are, 0 when
    /// there are none left.
    fn clean_slice(&self, end: Position, bytes: u64) -> Result<u64> {
        let mut cleaner = self.cleaner.lock();
        self.core.refuse_if_broken()?;
        let begin = cleaner.at;
        let from = self.core.log.skip_garbage(begin);
        let mut records: Vec<Record<'_>> = Vec::with_capacity(SLICE_RECORDS);
        let mut walk = self.core.log.records_from(from);
        while walk.position() < end
            && walk.position() - from < bytes
            && records.len() < SLICE_RECORDS
            && let Some(record) = walk.next()
        {
            records.push(record?);
        }
        let mut reached = walk.position();
        let relocated = self.index.relocate(&self.core, &records);
        if relocated.is_err() {
            // As far as it goes: garbage needs no space to go.
            let stays = records.iter().find(|record| {
                self.index.relocate(&self.core, std::slice::from_ref(record)).is_err()
            });
            reached = stays.map_or(reached, |record| record.position);
        }
        cleaner.at = reached;
        self.core.log.passed(begin, reached);
        self.cleaned.store(reached, Release);
        if reached == begin { relocated.map(|()| 0) } else { Ok(reached - begin) }
    }

    /// Whether much would be replayed after a crash: much for what the index
    /// is, since a checkpoint may have to write all of it. Where nobody syncs,
    /// a checkpoint would be what brings the log to the disk, and waits longer.
    pub(super) fn checkpoint_is_due(&self) -> bool {
        let (log, complete) = (&self.core.log, self.complete.load(Relaxed));
        let much = (INDEX_PARTS * self.index_bytes()).max(REPLAYED_BYTES);
        let most = self.options.checkpoint_bytes;
        log.durable().saturating_sub(complete) >= much.min(most)
            || log.head().saturating_sub(complete) >= most
    }

    fn index_bytes(&self) -> u64 {
        self.core.pager.pages_used() * PAGE_BYTES as u64
    }

    /// A checkpoint may write all of the index: for less of the log it is not
    /// made, as long as that keeps the log in proportion.
    fn worth_a_checkpoint(&self, live: u64) -> u64 {
        let index = self.index_bytes();
        index.min((live / 5).max(4 * self.core.log.piece_bytes()).max(index / 4))
    }
}
