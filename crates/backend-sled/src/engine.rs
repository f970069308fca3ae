//! The ordered engine over one sled database.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Bound::{Excluded, Included};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hozo_directory::io_error;
use hozo_ordered::{KeyRange, Limits, LocalEngine, NotApplied, Op, Overhead, Pair, Scan, Space};
use hozo_traits::{Error, ErrorKind, Result};
use sled::{Db, IVec};

use crate::Config;
use crate::directory::{self, BLOBS, LOG_FILE};

use self::blobs::Blobs;
use self::error::{Came, Doing, call, is_locked, map, panicked, settle};
use self::keys::{decode, encode};

mod blobs;
mod error;
mod holder;
mod keys;

/// What the engine can take. A batch is in memory several times while it is
/// applied.
const LIMITS: Limits = Limits {
    key_bytes_max: 4 << 10,
    value_bytes_max: 1 << 20,
    batch_bytes_max: 8 << 20,
    overhead: Overhead::NONE,
    pointers_max: usize::MAX,
};
/// How long to sleep between tries while the store is open elsewhere.
const RETRY_EVERY: Duration = Duration::from_millis(10);

/// How much sled may write before its files are synced, unless one batch is
/// larger. sled writes over what it no longer needs once it has asked for the
/// new blocks to be written, which a power cut may still take. It does so a
/// segment of 512 KiB later at the soonest.
const UNSYNCED_BYTES_MAX: u64 = 128 << 10;
/// How many bytes sled writes for each of a batch: it copies whole nodes, of up
/// to 16 keys, every tenth change or so.
const WRITTEN_PER_BYTE: u64 = 4;

/// One open store.
pub(crate) struct Engine {
    path: PathBuf,
    /// `None` only while it is dropped.
    db: Option<Db>,
    /// The log once more, to sync it: sled's flush asks for its blocks to be
    /// written, which is not enough.
    log: File,
    /// Whoever reads more than one key must not see half a batch.
    gate: RwLock<()>,
    blobs: Mutex<Blobs>,
    /// About how many bytes sled has written since its files were synced.
    unsynced: AtomicU64,
    /// Whether sled has panicked or could not write: it is not to be waited for.
    broken: AtomicBool,
    /// Who opened it. A forked child has the memory of an engine, but not its
    /// threads.
    pid: u32,
}

impl Engine {
    /// Opens the store, and makes it if nothing is there.
    pub(crate) fn open(config: &Config) -> Result<Engine> {
        config.check()?;
        directory::prepare(&config.path)?;
        // From here on everything is said by absolute names: the working
        // directory may change.
        let path = config
            .path
            .canonicalize()
            .map_err(|e| io_error(e, "the store's directory cannot be reached", &config.path))?;
        let db = open_sled(config, &path)?;
        let log = path.join(LOG_FILE);
        let log =
            File::open(&log).map_err(|e| io_error(e, "the store's log cannot be opened", &log))?;
        // What sled has made is to be found after a power cut.
        hozo_directory::sync(&path)?;
        Ok(Engine {
            path,
            db: Some(db),
            log,
            gate: RwLock::new(()),
            blobs: Mutex::new(Blobs::unknown()),
            unsynced: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            pid: std::process::id(),
        })
    }

    fn db(&self) -> Result<&Db> {
        if self.pid != std::process::id() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the store was opened before this process was forked; open it after forking",
            )
            .with("path", self.path.display())
            .with("opened by pid", self.pid));
        }
        self.db.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "the store is closed"))
    }

    fn gate(&self) -> RwLockReadGuard<'_, ()> {
        // What a panic of sled leaves is said by its error.
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads, with no batch being applied meanwhile.
    fn read<T>(&self, f: impl FnOnce(&Db) -> sled::Result<T>) -> Result<T> {
        let db = self.db()?;
        let _gate = self.gate();
        settle(call(|| f(db)), Doing::Reading, || self.fail()).map_err(|e| self.here(e))
    }

    fn write<T>(&self, f: impl FnOnce(&Db) -> sled::Result<T>) -> Result<T> {
        let db = self.db()?;
        settle(call(|| f(db)), Doing::Writing, || ()).map_err(|e| {
            self.fail();
            self.here(e)
        })
    }

    fn fail(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn here(&self, error: Error) -> Error {
        error.with("path", self.path.display())
    }

    /// The keys that a batch changes, and what they become.
    fn changes(&self, ops: &[Op]) -> Result<BTreeMap<IVec, Option<IVec>>> {
        let mut changes = BTreeMap::new();
        for op in ops {
            match op {
                Op::Put { space, key, value } => {
                    changes.insert(encode(*space, key).into(), Some(IVec::from(&value[..])));
                }
                Op::Delete { space, key } => {
                    changes.insert(encode(*space, key).into(), None);
                }
                Op::DeleteRange { space, start, end } if start < end => {
                    let range = IVec::from(encode(*space, start))..IVec::from(encode(*space, end));
                    let stored: Vec<IVec> =
                        self.read(|db| db.range(range.clone()).keys().collect())?;
                    changes.extend(stored.into_iter().map(|key| (key, None)));
                    for (_, value) in changes.range_mut(range) {
                        *value = None;
                    }
                }
                Op::DeleteRange { .. } => {}
            }
        }
        Ok(changes)
    }

    /// Syncs what sled has written, if it and a batch of so many bytes would
    /// be too much for a power cut.
    fn sync_before(&self, bytes: u64) -> Result<()> {
        let unsynced = self.unsynced.load(Ordering::Relaxed);
        let after = unsynced.saturating_add(bytes.saturating_mul(WRITTEN_PER_BYTE));
        if unsynced > 0 && after > UNSYNCED_BYTES_MAX { self.sync_files() } else { Ok(()) }
    }

    fn sync_files(&self) -> Result<()> {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let unsynced = self.unsynced.load(Ordering::Relaxed);
        self.log.sync_data().map_err(|e| {
            let log = self.path.join(LOG_FILE);
            io_error(e, "the store's log cannot be synced", &log)
        })?;
        blobs.sync(&self.path.join(BLOBS))?;
        self.unsynced.fetch_sub(unsynced, Ordering::Relaxed);
        Ok(())
    }
}

/// Opens sled, waiting for who has the store open.
fn open_sled(config: &Config, path: &Path) -> Result<Db> {
    let started = Instant::now();
    loop {
        let settings = sled::Config::new()
            .path(path)
            .cache_capacity(config.cache_bytes)
            // Every commit is flushed, and every durable one synced, by us. A
            // thread of sled's that moves data in between has nothing to add,
            // and with it a trial of kills failed once in some thousand rounds.
            .flush_every_ms(None);
        let error = match call(|| settings.open()) {
            Came::Back(Ok(db)) => return Ok(db),
            Came::Down(words) => return Err(panicked(&words).with("path", path.display())),
            Came::Back(Err(error)) => error,
        };
        if !is_locked(&error) {
            return Err(map(error, Doing::Opening).with("path", path.display()));
        }
        let left = config.lock_timeout().saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(holder::busy(path, config.lock_timeout()));
        }
        thread::sleep(left.min(RETRY_EVERY));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(db) = self.db.take() else { return };
        if self.pid != std::process::id() {
            // Closing would wait for threads that this process does not have.
            std::mem::forget(db);
        } else if self.broken.load(Ordering::Relaxed) {
            // Closing flushes, and may wait for ever for what failed before.
            // If no thread can be made, the store stays open with the process.
            let _ = thread::Builder::new().name("hozo-sled-close".into()).spawn(|| drop(db));
        } else {
            // What fails here was not promised to anybody.
            let _ = call(|| {
                drop(db);
                Ok(())
            });
        }
    }
}

fn pair((key, value): (IVec, IVec)) -> Pair {
    (decode(&key), Bytes::copy_from_slice(&value))
}

fn last_in(db: &Db, space: Space, start: &[u8], end: &[u8]) -> sled::Result<Option<Pair>> {
    if start > end {
        return Ok(None);
    }
    let range = (Included(encode(space, start)), Included(encode(space, end)));
    let last = db.range::<Vec<u8>, _>(range).next_back().transpose()?;
    Ok(last.map(pair))
}

impl LocalEngine for Engine {
    fn backend(&self) -> &'static str {
        crate::NAME
    }

    fn persistent(&self) -> bool {
        true
    }

    fn limits(&self) -> Limits {
        LIMITS
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        self.read(|db| Ok(db.get(encode(space, key))?.map(|value| Bytes::copy_from_slice(&value))))
    }

    fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>> {
        self.read(|db| {
            let get = |key: &Vec<u8>| {
                let value = db.get(encode(space, key))?;
                Ok(value.map(|value| Bytes::copy_from_slice(&value)))
            };
            keys.iter().map(get).collect()
        })
    }

    fn last_in(&self, space: Space, start: &[u8], end: &[u8]) -> Result<Option<Pair>> {
        self.read(|db| last_in(db, space, start, end))
    }

    fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>> {
        self.read(|db| {
            ranges.iter().map(|range| last_in(db, space, &range.start, &range.end)).collect()
        })
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>> {
        let mut pairs = Vec::new();
        if scan.start >= scan.end || scan.limit == 0 {
            return Ok(pairs);
        }
        self.read(|db| {
            let range =
                (Included(encode(scan.space, scan.start)), Excluded(encode(scan.space, scan.end)));
            let mut found = db.range::<Vec<u8>, _>(range);
            let mut bytes = 0;
            while let Some(next) = if scan.reverse { found.next_back() } else { found.next() } {
                let (key, value) = pair(next?);
                bytes += key.len() + value.len();
                pairs.push((key, value));
                if pairs.len() >= scan.limit || bytes >= scan.bytes_max {
                    break;
                }
            }
            Ok(pairs)
        })
    }

    fn apply(&self, ops: &[Op]) -> Result<(), NotApplied> {
        let mut batch = sled::Batch::default();
        let mut bytes = 0;
        for (key, value) in self.changes(ops)? {
            bytes += (key.len() + value.as_ref().map_or(0, |value| value.len())) as u64;
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.sync_before(bytes)?;
        {
            let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
            self.write(|db| db.apply_batch(batch))?;
        }
        // sled keeps its log in memory: only a flush puts it into the kernel,
        // where the death of this process does not undo it.
        let flushed = self.write(|db| db.flush())? as u64;
        self.unsynced.fetch_add(flushed.max(bytes * WRITTEN_PER_BYTE), Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.write(|db| db.flush())?;
        self.sync_files()
    }
}

#[cfg(test)]
mod tests;
