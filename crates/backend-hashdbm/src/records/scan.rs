//! Reading records in the order of scans: by the part of the hash that the
//! index keeps, and where that is the same, by key.

use std::ops::Bound;

use bytes::Bytes;
use hozo_traits::{Error, ErrorKind, KvPart, KvScan, Result};

use super::Records;
use super::shard::Run;
use crate::index::table::{SHARDS, tag_of};

/// A place in the order of scans.
#[derive(Clone, Copy)]
struct Place {
    shard: usize,
    tag: u32,
}

impl Records {
    /// The records from `place` on, a page's worth at a time, until `visit`
    /// says no. They can be read while it is called; no lock is held.
    ///
    /// Who goes on from a record's place later meets everything that was there
    /// all the time once.
    fn runs(&self, from: Place, mut visit: impl FnMut(&Run) -> Result<bool>) -> Result<()> {
        let core = self.volume.core();
        let mut run = Run::default();
        let mut next = from.tag;
        for shard in from.shard..SHARDS {
            let mut tag = Some(std::mem::take(&mut next));
            while let Some(from) = tag {
                core.refuse_if_broken()?;
                let locked = self.volume.index().read(shard);
                core.refuse_if_broken()?;
                tag = run.fill(core, &locked, from)?;
                // What was found stays readable without the lock.
                let _pin = core.pin();
                drop(locked);
                if !visit(&run)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Calls `with` for each record, in the order of scans, until it answers
    /// false. It may read and write the store, but not rebuild it. What is
    /// written meanwhile may be met or not.
    pub fn for_each(&self, mut with: impl FnMut(&[u8], &[u8]) -> bool) -> Result<()> {
        let log = &self.volume.core().log;
        let walked = self.runs(Place { shard: 0, tag: 0 }, |run| {
            // The records lie anywhere in the log. Here one load does not wait
            // for another, as it would among the visits.
            for (_, position) in run.entries() {
                std::hint::black_box(log.peek(*position).is_ok());
            }
            for (_, position) in run.entries() {
                let record = log.read(*position)?;
                if !with(record.key, record.value) {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        walked.map_err(|error| self.volume.failed(error))
    }

    pub(super) fn scan_now(&self, scan: &KvScan<'_>) -> Result<KvPart> {
        let unordered = |what| {
            Err(Error::new(ErrorKind::Unsupported, "the scan needs a store that is `ordered`")
                .with("backend", crate::NAME)
                .with("because of", what))
        };
        if scan.reverse {
            return unordered("its direction");
        }
        if scan.end != Bound::Unbounded {
            return unordered("its end");
        }
        let mut part = KvPart::default();
        if scan.limit == 0 {
            return Ok(part);
        }
        let (start, after) = match scan.start {
            Bound::Unbounded => (None, false),
            Bound::Included(key) => (Some(key), false),
            Bound::Excluded(key) => (Some(key), true),
        };
        let shards = self.volume.index();
        let from = start.map_or(Place { shard: 0, tag: 0 }, |key| {
            let hash = shards.hash(key);
            Place { shard: shards.shard_of(hash), tag: tag_of(hash) }
        });
        let log = &self.volume.core().log;
        // Ties with the key of the start come before or after it.
        let mut ties = start.map(|_| from.tag);
        let mut bytes = 0;
        self.runs(from, |run| {
            for &(tag, position) in run.entries() {
                let record = log.read(position)?;
                if ties == Some(tag)
                    && let Some(start) = start
                    && (record.key < start || after && record.key == start)
                {
                    continue;
                }
                if part.records.len() >= scan.limit
                    || !part.records.is_empty() && bytes >= scan.bytes_max
                {
                    part.more = true;
                    return Ok(false);
                }
                let value = if scan.values { record.value } else { &[] };
                bytes += record.key.len() + value.len();
                part.records
                    .push((Bytes::copy_from_slice(record.key), Bytes::copy_from_slice(value)));
            }
            // The tag may come again in other shards.
            ties = None;
            Ok(true)
        })?;
        Ok(part)
    }
}
