//! Reading records by range.

use std::ops::Bound;

use hozo_traits::{KvPart, KvScan, Result};

use super::dbm::OrderedKv;
use super::layout::{self, PREFIX_BYTES, Stored};
use crate::{OrderedEngine, Scan, Space, keys};

/// Records and bytes that the engine is asked for at a time.
const PART_RECORDS_MAX: usize = 4096;
const PART_BYTES_MAX: usize = 4 << 20;

impl<E: OrderedEngine> OrderedKv<E> {
    /// The engine's key from which on the records of a bound are, or up to
    /// which: the first that is beyond what the bound includes.
    fn edge(&self, key: &[u8], beyond: bool) -> Vec<u8> {
        // No record has a longer key: all beyond a part of it are beyond it.
        let fits = key.len() <= self.key_bytes_max();
        let edge = layout::record(self.number, &key[..key.len().min(self.key_bytes_max())]);
        if beyond || !fits { keys::after(edge) } else { edge }
    }

    pub(super) async fn read_range(&self, scan: KvScan<'_>) -> Result<KvPart> {
        let mut start = match scan.start {
            Bound::Unbounded => layout::record(self.number, b""),
            Bound::Included(key) => self.edge(key, false),
            Bound::Excluded(key) => self.edge(key, true),
        };
        let mut end = match scan.end {
            Bound::Unbounded => layout::records_end(self.number),
            Bound::Included(key) => self.edge(key, true),
            Bound::Excluded(key) => self.edge(key, false),
        };
        let mut part = KvPart::default();
        let mut bytes = 0usize;
        while part.records.len() < scan.limit && start < end {
            let limit = (scan.limit - part.records.len()).min(PART_RECORDS_MAX);
            let bytes_max = (scan.bytes_max.saturating_sub(bytes)).min(PART_BYTES_MAX);
            let (space, reverse) = (Space::Records, scan.reverse);
            let asked = Scan { space, start: &start, end: &end, reverse, limit, bytes_max };
            let found = self.engine.scan(&asked).await?;
            let read: usize = found.iter().map(|(key, value)| key.len() + value.len()).sum();
            let exhausted = found.len() < limit && read < bytes_max;
            if let Some((last, _)) = found.last() {
                if reverse { end = last.to_vec() } else { start = keys::after(last.to_vec()) }
            }
            for (key, stored) in found {
                let key = key.slice(PREFIX_BYTES..);
                let value = match Stored::parse(&stored)? {
                    _ if !scan.values => Some(bytes::Bytes::new()),
                    Stored::Inline(value) => Some(value),
                    Stored::Chunked(chunks) => self.read_large(&key, chunks).await?,
                };
                // One that was removed meanwhile need not be answered.
                let Some(value) = value else { continue };
                bytes = bytes.saturating_add(key.len() + value.len());
                part.records.push((key, value));
                if bytes >= scan.bytes_max {
                    part.more = true;
                    return Ok(part);
                }
            }
            if exhausted {
                return Ok(part);
            }
        }
        part.more = scan.limit > 0 && start < end;
        Ok(part)
    }
}
