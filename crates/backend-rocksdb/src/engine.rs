//! The ordered engine over one RocksDB instance.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hozo_directory::{Lock, io_error};
use hozo_ordered::{KeyRange, Limits, LocalEngine, NotApplied, Op, Overhead, Pair, Scan, Space};
use hozo_traits::{Error, ErrorKind, Result};
use rocksdb::{DB, FlushOptions, ReadOptions, WriteBatch, WriteOptions};

use crate::Config;
use crate::directory::{self, Found, LOCK_FILE, Seal};
use crate::wal;

use self::ahead::Ahead;
use self::error::{opening, reading, writing};
use self::read::{current, family, last_in, last_in_options, one_page};

mod ahead;
mod error;
mod options;
mod read;
mod stall;

/// What the engine can take. RocksDB itself would take gigabytes; these keep
/// one batch well within the write buffer, and a log record within memory.
const LIMITS: Limits = Limits {
    key_bytes_max: 64 << 10,
    value_bytes_max: 8 << 20,
    batch_bytes_max: 16 << 20,
    overhead: Overhead::NONE,
    pointers_max: usize::MAX,
};
/// A log of at most so many bytes and files is replayed from where it lies
/// when the store opens; a larger one is first made into tables. Replaying
/// 1000 small commits took 2 ms, making tables of them 8 ms and seven files to
/// be compacted later, and a program that opens, writes a row and exits should
/// not leave that behind each time.
const REPLAY_BYTES_MAX: u64 = 512 << 10;
const REPLAY_FILES_MAX: usize = 8;

/// The process that first used RocksDB, whose background threads serve every
/// instance of a process and do not exist in its forked children.
static THREADS_OF: OnceLock<u32> = OnceLock::new();

/// One open store.
pub(crate) struct Engine {
    path: PathBuf,
    /// `None` only while it is dropped.
    db: Option<DB>,
    /// Who opened it. A forked child has the memory of an engine, but neither
    /// its threads nor its lock.
    pid: u32,
    /// Up to this sequence number everything is on stable storage.
    synced: AtomicU64,
    /// Bytes of the log that was found, and of batches since.
    written: AtomicU64,
    /// What the seal on disk says.
    seal: Seal,
    write_options: WriteOptions,
    ahead: Ahead,
    _lock: Lock,
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
        let lock = Lock::acquire(&path, LOCK_FILE, config.lock_timeout())?;
        let found = directory::inspect(&path)?;
        let pid = std::process::id();
        if THREADS_OF.get().is_some_and(|user| *user != pid) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "RocksDB was in use before this process was forked, and its threads do not \
                 survive a fork; open stores only after forking",
            )
            .with("path", path.display()));
        }
        directory::mark(&path)?;
        let sealed = Seal::read(&path)?;
        if found == Found::Store {
            let now = Seal::observe(&path, 0)?;
            let known = sealed.as_ref().filter(|seal| seal.manifest == now.manifest);
            let bytes = known.map_or(0, |seal| seal.manifest_bytes);
            wal::manifest::check(&path.join(&now.manifest), bytes)?;
        }
        let log = wal::check(&path, sealed.as_ref().map_or(0, |seal| seal.sequence))?;
        let replay = log.files <= REPLAY_FILES_MAX && log.bytes <= REPLAY_BYTES_MAX;
        THREADS_OF.get_or_init(|| pid);
        // The seal is written before anything can be committed.
        let new = sealed.is_none();
        let before_log = new && found == Found::Store && log.files == 0;
        let db = options::open(config, &path, &options::Open { new, before_log, replay })
            .map_err(|e| opening(e, &path))?;
        check_tables(&db, &path)?;
        let sequence = db.latest_sequence_number();
        if let Some(seal) = &sealed {
            seal.check_sequence(&path, sequence)?;
        }
        // Everything that was found is on stable storage: the log was synced
        // where that was not known, tables always are.
        let seal = Seal::observe(&path, sequence)?;
        seal.write(&path)?;
        Ok(Engine {
            ahead: Ahead::new(&path, config.log_ahead_bytes),
            path,
            db: Some(db),
            pid,
            synced: AtomicU64::new(sequence),
            written: AtomicU64::new(if replay { log.bytes } else { 0 }),
            seal,
            write_options: stall::write_options(),
            _lock: lock,
        })
    }

    fn db(&self) -> Result<&DB> {
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
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(db) = self.db.take() else { return };
        if self.pid != std::process::id() {
            // Closing would wait for threads that this process does not have.
            std::mem::forget(db);
            return;
        }
        // What fails here was not promised to anybody: the seal then stays as
        // it was, which is right if old, and the log has everything.
        let sequence = db.latest_sequence_number();
        let synced = sequence == self.synced.load(Ordering::Acquire) || db.flush_wal(true).is_ok();
        if self.written.load(Ordering::Relaxed) > REPLAY_BYTES_MAX && stall::is_healthy(&db) {
            // Cheaper now, from memory, than from the log at the next opening.
            // Where tables cannot be written it would wait for ever.
            let families: Vec<_> = Space::ALL.iter().filter_map(|s| family(&db, *s).ok()).collect();
            let mut options = FlushOptions::default();
            options.set_wait(true);
            let _ = db.flush_cfs_opt(&families, &options);
        }
        drop(db);
        if synced
            && let Ok(seal) = Seal::observe(&self.path, sequence)
            && seal != self.seal
        {
            let _ = seal.write(&self.path);
        }
    }
}

/// Refuses a store whose tables are not all there, as long as they were.
/// RocksDB opens but a few of them, and would find out when it reads the rest.
fn check_tables(db: &DB, path: &Path) -> Result<()> {
    // Compaction may have begun, and must not delete what is being looked at.
    db.disable_file_deletions().map_err(|e| opening(e, path))?;
    let result = check_tables_at_rest(db, path);
    db.enable_file_deletions().map_err(|e| opening(e, path))?;
    result
}

fn check_tables_at_rest(db: &DB, path: &Path) -> Result<()> {
    for table in db.live_files().map_err(|e| opening(e, path))? {
        let file = path.join(table.name.trim_start_matches('/'));
        let there = match file.metadata() {
            Ok(about) => about.len(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
            Err(e) => return Err(io_error(e, "a table cannot be read", &file)),
        };
        if there != table.size as u64 {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "a table of the store is missing or has another length; \
                 restore the store from a copy",
            )
            .with("file", file.display())
            .with("bytes", there)
            .with("were", table.size));
        }
    }
    Ok(())
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
        let db = self.db()?;
        let value = db.get_pinned_cf(family(db, space)?, key).map_err(reading)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>> {
        let db = self.db()?;
        db.batched_multi_get_cf(family(db, space)?, keys, false)
            .into_iter()
            .map(|value| match value {
                Ok(value) => Ok(value.map(|value| Bytes::copy_from_slice(&value))),
                Err(e) => Err(reading(e)),
            })
            .collect()
    }

    fn last_in(&self, space: Space, start: &[u8], end: &[u8]) -> Result<Option<Pair>> {
        let db = self.db()?;
        let mut options = last_in_options(space == Space::Pages && one_page(start, end));
        // Stops a backward walk over removed keys.
        options.set_iterate_lower_bound(start);
        let mut iterator = db.raw_iterator_cf_opt(family(db, space)?, options);
        last_in(&mut iterator, start, end)
    }

    fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>> {
        let db = self.db()?;
        let in_pages = |range: &KeyRange| one_page(&range.start, &range.end);
        let options = last_in_options(space == Space::Pages && ranges.iter().all(in_pages));
        let mut iterator = db.raw_iterator_cf_opt(family(db, space)?, options);
        ranges.iter().map(|range| last_in(&mut iterator, &range.start, &range.end)).collect()
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>> {
        let db = self.db()?;
        let mut pairs = Vec::new();
        if scan.start >= scan.end || scan.limit == 0 {
            return Ok(pairs);
        }
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        options.set_iterate_lower_bound(scan.start);
        options.set_iterate_upper_bound(scan.end);
        let mut iterator = db.raw_iterator_cf_opt(family(db, scan.space)?, options);
        if scan.reverse {
            iterator.seek_to_last();
        } else {
            iterator.seek_to_first();
        }
        let mut bytes = 0;
        while let Some((key, value)) = current(&iterator)? {
            bytes += key.len() + value.len();
            pairs.push((key, value));
            if pairs.len() >= scan.limit || bytes >= scan.bytes_max {
                break;
            }
            if scan.reverse {
                iterator.prev();
            } else {
                iterator.next();
            }
        }
        Ok(pairs)
    }

    fn apply(&self, ops: &[Op]) -> Result<(), NotApplied> {
        let db = self.db()?;
        let batch = || {
            let mut batch = WriteBatch::default();
            batch.put_log_data(wal::mark(self.synced.load(Ordering::Acquire)));
            for op in ops {
                match op {
                    Op::Put { space, key, value } => batch.put_cf(family(db, *space)?, key, value),
                    Op::Delete { space, key } => batch.delete_cf(family(db, *space)?, key),
                    Op::DeleteRange { space, start, end } if start < end => {
                        batch.delete_range_cf(family(db, *space)?, start, end);
                    }
                    // RocksDB refuses a range that is the wrong way round.
                    Op::DeleteRange { .. } => {}
                }
            }
            Ok(batch)
        };
        let first = batch()?;
        self.ahead.before_write(first.size_in_bytes());
        self.written.fetch_add(first.size_in_bytes() as u64, Ordering::Relaxed);
        // Without sync this is one write to the log file: in the kernel, so
        // the death of this process does not undo it.
        Ok(stall::write(db, &self.write_options, first, batch)?)
    }

    fn sync(&self) -> Result<()> {
        let db = self.db()?;
        let sequence = db.latest_sequence_number();
        // One fdatasync of the log file; of the one before as well if it has
        // just been changed.
        db.flush_wal(true).map_err(writing)?;
        self.synced.fetch_max(sequence, Ordering::AcqRel);
        self.ahead.after_sync();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
