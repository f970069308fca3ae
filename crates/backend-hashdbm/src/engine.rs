//! The engine of pages: ordered spaces over a log, a tree and a table.
//!
//! A batch is one batch of the log, then a change of the index while nobody
//! reads it. Reads hold the gate, search the index, and copy what they found
//! out of the log's mapped memory.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use hozo_log::disk::Disk;
use hozo_log::{Entry, Record};
use hozo_ordered::{KeyRange, Limits, LocalEngine, NotApplied, Op, Overhead, Pair, Scan, Space};
use hozo_traits::{Error, ErrorKind, Result};

use crate::index::PAGE_BYTES;
use crate::index::table::SHARDS;
use crate::index::tree::{Cursor, Direction};
use crate::volume::{Core, Opening, Volume, VolumeOptions};

mod index;
mod key;
mod kind;
mod place;
mod state;
#[cfg(test)]
mod tests;

use self::index::PageIndex;
use self::key::TreeKey;
use self::place::Place;
use self::state::State;

/// The longest key that a step of a batch may have.
const KEY_BYTES_MAX: usize = crate::index::tree::KEY_BYTES_MAX - 1;
/// Bytes of one batch, so that it is not in memory more than is needed.
const BATCH_BYTES_MAX: usize = 256 << 20;
/// The longest value.
const VALUE_BYTES_MAX: usize = 128 << 20;

/// Pages that an entry of the table of newest versions may take: a copy of its
/// page and of the neighbours that it is shared out to, and new ones.
const NEWEST_PAGES: usize = 6;
/// Up to so many pages, the steps of a batch are taken to need the most that
/// each could.
const COUNTED_APART_MAX: usize = 64;
/// What a slot of a tree's node takes beside its key, generously.
const SLOT_BYTES: usize = 32;
/// Entries that a page of the table gets before it is divided again, at least.
const TABLE_ENTRIES: usize = 64;

/// Ordered spaces in a volume of their own.
pub(crate) struct Engine {
    volume: Volume<PageIndex>,
}

impl Engine {
    /// Opens the volume in a directory; an empty one becomes a new volume.
    pub(crate) fn open(disk: Arc<dyn Disk>, options: VolumeOptions) -> Result<(Self, Opening)> {
        let (volume, opening) = Volume::open(disk, options)?;
        Ok((Engine { volume }, opening))
    }

    /// The volume underneath.
    #[cfg(test)]
    fn volume(&self) -> &Volume<PageIndex> {
        &self.volume
    }

    fn core(&self) -> &Core {
        self.volume.core()
    }

    /// The index, to read; an error if it is behind the log.
    fn state(&self) -> Result<parking_lot::RwLockReadGuard<'_, State>> {
        self.core().refuse_if_broken()?;
        let state = self.volume.index().state.read();
        self.core().refuse_if_broken()?;
        Ok(state)
    }

    /// Reads with the gate held.
    fn read<T>(&self, read: impl FnOnce(&State) -> Result<T>) -> Result<T> {
        let answer = self.state().and_then(|state| read(&state));
        answer.map_err(|error| self.volume.failed(error))
    }

    /// Appends a batch and lets the index follow.
    fn write(&self, ops: &[Op]) -> Result<u64, NotApplied> {
        let core = self.core();
        let entries: Vec<Entry<'_>> = ops.iter().map(kind::entry).collect();
        refuse_long_keys(&entries).map_err(NotApplied::Refused)?;
        let index = self.volume.index();
        core.refuse_if_broken().map_err(NotApplied::Refused)?;
        let mut state = index.state.write();
        core.refuse_if_broken()?;
        // Before anything is said: afterwards the index has to follow. And an
        // append that finds no space has appended nothing.
        let reserved = core.pager.reserve(pages_for(core, &state, &entries));
        let positions =
            reserved.and_then(|()| core.log.append_batch(&entries)).map_err(NotApplied::Refused)?;
        let mut written = 0;
        for (entry, position) in entries.iter().zip(positions) {
            let Entry { kind, key, value } = *entry;
            let changed = core.log.peek(position).and_then(|peek| {
                written += peek.bytes;
                let record = Record { position, kind, key, value, bytes: peek.bytes };
                state.change(core, &record)
            });
            // What is in the log is done: an index that cannot follow is made
            // to, from the log, when the store is opened the next time.
            changed.map_err(|e| core.break_with(e))?;
        }
        index.live.store(state.live, Relaxed);
        Ok(written)
    }
}

fn refuse_long_keys(entries: &[Entry<'_>]) -> Result<()> {
    match entries.iter().find(|entry| entry.key.len() > KEY_BYTES_MAX) {
        Some(entry) => Err(Error::new(ErrorKind::TooLarge, "a key is longer than keys may be")
            .with("bytes", entry.key.len())
            .with("at most", KEY_BYTES_MAX)),
        None => Ok(()),
    }
}

/// Pages of the index that a batch takes at most. Each step may copy the nodes
/// on its way and divide them; but what there is is copied once and divided
/// once, and what is new is not divided before it has been filled by half.
fn pages_for(core: &Core, state: &State, entries: &[Entry<'_>]) -> usize {
    let each = state.tree.pages_for_change() + NEWEST_PAGES;
    let apart = entries.len() * each;
    if apart <= COUNTED_APART_MAX {
        return apart;
    }
    let keys: usize = entries.iter().map(|entry| entry.key.len() + SLOT_BYTES).sum();
    let divided = keys / (PAGE_BYTES / 4) + entries.len() / TABLE_ENTRIES;
    let there = usize::try_from(core.pager.pages_used()).unwrap_or(usize::MAX / 4);
    // A shard of the table that had nothing gets its first page.
    apart.min(3 * there + divided + SHARDS + each)
}

fn value(record: &Record<'_>) -> Bytes {
    Bytes::copy_from_slice(record.value)
}

fn pair(record: &Record<'_>) -> Pair {
    (Bytes::copy_from_slice(record.key), value(record))
}

impl LocalEngine for Engine {
    fn backend(&self) -> &'static str {
        crate::NAME
    }

    fn persistent(&self) -> bool {
        true
    }

    fn limits(&self) -> Limits {
        Limits {
            key_bytes_max: KEY_BYTES_MAX,
            value_bytes_max: VALUE_BYTES_MAX,
            batch_bytes_max: BATCH_BYTES_MAX,
            overhead: Overhead::NONE,
            pointers_max: usize::MAX,
        }
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        self.read(|state| Ok(state.get(self.core(), space, key)?.map(|record| value(&record))))
    }

    fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>> {
        self.read(|state| {
            let one = |key: &Vec<u8>| Ok(state.get(self.core(), space, key)?.map(|r| value(&r)));
            keys.iter().map(one).collect()
        })
    }

    fn last_in(&self, space: Space, start: &[u8], end: &[u8]) -> Result<Option<Pair>> {
        let mut room = Vec::new();
        self.read(|state| {
            let found = state.last_in(self.core(), space, start, end, &mut room)?;
            Ok(found.map(|record| pair(&record)))
        })
    }

    fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>> {
        let mut room = Vec::new();
        self.read(|state| {
            let one = |range: &KeyRange| {
                let found =
                    state.last_in(self.core(), space, &range.start, &range.end, &mut room)?;
                Ok(found.map(|record| pair(&record)))
            };
            ranges.iter().map(one).collect()
        })
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>> {
        let mut pairs = Vec::new();
        if scan.start >= scan.end {
            return Ok(pairs);
        }
        let (start, end) =
            (TreeKey::new(scan.space, scan.start), TreeKey::new(scan.space, scan.end));
        let direction = if scan.reverse { Direction::Down } else { Direction::Up };
        let mut cursor = Cursor::new(start.as_slice(), Some(end.as_slice()), direction);
        let core = self.core();
        self.read(|state| {
            let mut bytes = 0;
            while pairs.len() < scan.limit
                && let Some((_, place)) = cursor.next(&state.tree, &core.pager)?
            {
                let found = pair(&core.log.read(Place(place).position(&core.log))?);
                bytes += found.0.len() + found.1.len();
                pairs.push(found);
                if bytes >= scan.bytes_max {
                    break;
                }
            }
            Ok(pairs)
        })
    }

    fn apply(&self, ops: &[Op]) -> Result<(), NotApplied> {
        match self.write(ops) {
            Ok(written) => {
                self.volume.tend(written);
                Ok(())
            }
            Err(NotApplied::Refused(error)) => Err(NotApplied::Refused(self.volume.failed(error))),
            Err(NotApplied::Failed(error)) => Err(NotApplied::Failed(self.volume.failed(error))),
        }
    }

    fn sync(&self) -> Result<()> {
        self.volume.sync()
    }
}
