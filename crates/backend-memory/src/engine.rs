//! The engine: sorted maps behind one lock.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use hozo_ordered::{KeyRange, Limits, LocalEngine, NotApplied, Op, Overhead, Pair, Scan, Space};
use hozo_traits::Result;

/// Bytes that one batch may have. The engine itself has no limit; this one
/// keeps a commit of many pages from being in memory twice.
const BATCH_BYTES_MAX: usize = 256 << 20;

type Map = BTreeMap<Bytes, Bytes>;

/// Sorted maps in memory.
#[derive(Default)]
pub struct Memory {
    /// One lock for all, so that a batch appears at once in all of them.
    maps: RwLock<[Map; Space::ALL.len()]>,
}

impl Memory {
    fn maps(&self) -> RwLockReadGuard<'_, [Map; Space::ALL.len()]> {
        // A writer can only panic where memory has run out.
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pair((key, value): (&Bytes, &Bytes)) -> Pair {
    (key.clone(), value.clone())
}

fn last_in(map: &Map, start: &[u8], end: &[u8]) -> Option<Pair> {
    if start > end {
        return None;
    }
    map.range::<[u8], _>((Included(start), Included(end))).next_back().map(pair)
}

impl LocalEngine for Memory {
    fn backend(&self) -> &'static str {
        crate::NAME
    }

    fn persistent(&self) -> bool {
        false
    }

    fn limits(&self) -> Limits {
        Limits {
            key_bytes_max: usize::MAX,
            value_bytes_max: usize::MAX,
            batch_bytes_max: BATCH_BYTES_MAX,
            overhead: Overhead::NONE,
            pointers_max: usize::MAX,
        }
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.maps()[space as usize].get(key).cloned())
    }

    fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>> {
        let maps = self.maps();
        let map = &maps[space as usize];
        Ok(keys.iter().map(|key| map.get(key.as_slice()).cloned()).collect())
    }

    fn last_in(&self, space: Space, start: &[u8], end: &[u8]) -> Result<Option<Pair>> {
        Ok(last_in(&self.maps()[space as usize], start, end))
    }

    fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>> {
        let maps = self.maps();
        let map = &maps[space as usize];
        Ok(ranges.iter().map(|range| last_in(map, &range.start, &range.end)).collect())
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>> {
        if scan.start >= scan.end {
            return Ok(Vec::new());
        }
        let maps = self.maps();
        let range = (Included(scan.start), Excluded(scan.end));
        let range = maps[scan.space as usize].range::<[u8], _>(range).map(pair);
        let range: Box<dyn Iterator<Item = Pair>> =
            if scan.reverse { Box::new(range.rev()) } else { Box::new(range) };
        let mut pairs = Vec::new();
        let mut bytes = 0;
        for (key, value) in range.take(scan.limit) {
            bytes += key.len() + value.len();
            pairs.push((key, value));
            if bytes >= scan.bytes_max {
                break;
            }
        }
        Ok(pairs)
    }

    fn apply(&self, ops: &[Op]) -> Result<(), NotApplied> {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        for op in ops {
            match op {
                Op::Put { space, key, value } => {
                    maps[*space as usize].insert(key.clone(), value.clone());
                }
                Op::Delete { space, key } => {
                    maps[*space as usize].remove(key);
                }
                Op::DeleteRange { space, start, end } => {
                    let map = &mut maps[*space as usize];
                    if start < end {
                        let mut out = map.split_off(start);
                        map.append(&mut out.split_off(end));
                    }
                }
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}
