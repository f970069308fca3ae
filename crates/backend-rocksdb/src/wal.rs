//! Judging the log before RocksDB reads it.
//!
//! After a crash the log's end may be torn, and dropping a torn end is right:
//! nobody was told that it is durable. Damage further in is another matter.
//! RocksDB's recovery modes cannot tell the two apart: one that stops at the
//! first bad record (`PointInTime`) silently loses every commit after a damaged
//! byte, and one that accepts no bad record (`AbsoluteConsistency`) does not
//! open after a power cut.
//!
//! So each batch carries a [mark]: the last sequence number that was on
//! stable storage when the batch was written. Before RocksDB opens the store,
//! [`check`] reads the log. If what is readable does not go on without a gap,
//! and a later batch, or the [seal](crate::directory::Seal), says that what is
//! missing was durable, the store is refused, unchanged. If nothing says so,
//! the log is cut where the gap begins, and RocksDB then gets a log without a
//! flaw and is told to accept nothing less.
//!
//! **Detected**: a bad, missing or overwritten byte in a batch that was synced
//! before any batch written later, or before the store was last opened or
//! closed. **Not detected**: damage to the very last synced batches of a
//! process that was killed, with nothing written after them; it looks exactly
//! like a torn end. Missing whole files are left to RocksDB, which knows the
//! oldest that it needs, and notes in each file which one it follows.
//!
//! After a power cut the disk may have kept a later block of the log and lost
//! an earlier one, neither synced. The cut removes the later one too, so what
//! is left is a prefix.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hozo_directory::io_error;
use hozo_traits::{Error, ErrorKind, Result};

pub(crate) mod manifest;
mod record;

use record::{BLOCK_BYTES, Reader, Record, Step};

/// The mark's first byte; whatever else is in a batch's log data is not ours.
const MARK_TAG: u8 = b'H';
/// Bytes in a mark.
pub(crate) const MARK_BYTES: usize = 9;

/// What a batch carries as log data: everything up to `synced` was on stable
/// storage when it was written.
pub(crate) fn mark(synced: u64) -> [u8; MARK_BYTES] {
    let mut bytes = [MARK_TAG; MARK_BYTES];
    bytes[1..].copy_from_slice(&synced.to_le_bytes());
    bytes
}

fn mark_of(log_data: &[u8]) -> Option<u64> {
    let (tag, synced) = log_data.split_first()?;
    (*tag == MARK_TAG).then_some(u64::from_le_bytes(synced.try_into().ok()?))
}

/// What the log holds, after [`check`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Log {
    /// Files, empty ones included.
    pub(crate) files: usize,
    /// Bytes in them.
    pub(crate) bytes: u64,
    /// Whether an end was cut off that was not all zeros.
    pub(crate) torn: bool,
}

/// Checks the log files of a store that nobody has open, and leaves them
/// without a flaw and on stable storage. `sealed` is known to be durable.
pub(crate) fn check(directory: &Path, sealed: u64) -> Result<Log> {
    let files = log_files(directory)?;
    let mut walk = Walk { sealed, expected: None, hole: None, newest: 0, before: None };
    let mut kept = Vec::with_capacity(files.len());
    for (number, path) in &files {
        let keep = walk.file(path)?;
        walk.before = Some(Before { number: *number, file: path.clone(), bytes: keep.bytes });
        kept.push(keep);
    }
    // Only now is it known that nothing durable is behind the hole, if any.
    // What a killed process wrote may be in the page cache only, and whoever
    // reads it from here on may rely on it: it is synced.
    let unused = passed_over(&files, &kept);
    let unsynced = walk.newest > sealed || !unused.is_empty();
    let mut log = Log { files: files.len(), ..Log::default() };
    // The newest first: being interrupted must not leave a gap between files.
    for (i, ((_, path), keep)) in files.iter().zip(&kept).enumerate().rev() {
        if unused.contains(&i) {
            std::fs::remove_file(path)
                .map_err(|e| io_error(e, "an empty log file cannot be removed", path))?;
            log.files -= 1;
            continue;
        }
        log.bytes += keep.bytes;
        log.torn |= keep.torn;
        if keep.bytes < keep.length || unsynced {
            cut(path, keep).map_err(|e| io_error(e, "a log file cannot be cut", path))?;
        }
    }
    if unsynced {
        hozo_directory::sync(directory)?;
    }
    Ok(log)
}

/// Which files hold no batch and are not what their successor says that it
/// follows. On a full disk RocksDB makes a log, cannot use it, and goes on with
/// the next; later it takes the one between for a sign of damage.
fn passed_over(files: &[(u64, PathBuf)], kept: &[Keep]) -> Vec<usize> {
    let mut unused = Vec::new();
    for (i, keep) in kept.iter().enumerate() {
        let Some(follows) = keep.follows else { continue };
        let between = (0..i).rev().take_while(|j| files[*j].0 > follows);
        unused.extend(between.filter(|j| !kept[*j].batches && !kept[*j].torn));
    }
    unused
}

/// The number of a log file and its path, oldest first.
pub(crate) fn log_files(directory: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let list = || -> io::Result<Vec<(u64, PathBuf)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let number =
                path.file_name().and_then(|n| n.to_str()?.strip_suffix(".log")?.parse().ok());
            if let Some(number) = number {
                files.push((number, path));
            }
        }
        files.sort();
        Ok(files)
    };
    list().map_err(|e| io_error(e, "the store's directory cannot be read", directory))
}

/// What stays of a file.
struct Keep {
    bytes: u64,
    length: u64,
    torn: bool,
    /// Whether a batch that says something is among it.
    batches: bool,
    /// The file that it says it follows.
    follows: Option<u64>,
}

fn cut(path: &Path, keep: &Keep) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    if keep.bytes < keep.length {
        file.set_len(keep.bytes)?;
    }
    file.sync_all()
}

/// The state of reading one file after the other.
struct Walk {
    sealed: u64,
    /// The sequence number that comes next; `None` before the first batch.
    expected: Option<u64>,
    hole: Option<Hole>,
    /// The newest sequence number that is kept.
    newest: u64,
    before: Option<Before>,
}

/// The file that was read before.
struct Before {
    number: u64,
    file: PathBuf,
    bytes: u64,
}

/// Where reading could not go on.
#[derive(Clone, Debug)]
struct Hole {
    file: PathBuf,
    offset: u64,
    /// The first sequence number that is missing, if any was read before.
    from: Option<u64>,
}

impl Walk {
    fn file(&mut self, path: &Path) -> Result<Keep> {
        let file = File::open(path)
            .map_err(|e| io_error(e, "a log file of the store cannot be read", path))?;
        let unreadable = |e| io_error(e, "a log file of the store cannot be read", path);
        let length = file.metadata().map_err(unreadable)?.len();
        let mut keep = Keep { bytes: 0, length, torn: false, batches: false, follows: None };
        let mut reader = Reader::default();
        let mut block = vec![0; BLOCK_BYTES];
        let mut first = true;
        let mut offset = 0;
        while offset < length {
            let size = BLOCK_BYTES.min(usize::try_from(length - offset).unwrap_or(BLOCK_BYTES));
            file.read_exact_at(&mut block[..size], offset).map_err(unreadable)?;
            let mut step = |step: Step<'_>| -> Result<()> {
                match step {
                    Step::Damage { offset } => {
                        keep.torn = true;
                        self.open_hole(path, offset)
                    }
                    Step::Record(record) => {
                        keep.batches |= record.batch().is_none_or(|batch| batch.count > 0);
                        if self.batch(path, &record, &mut first)? {
                            keep.bytes = record.end;
                        } else {
                            keep.torn = true;
                        }
                        Ok(())
                    }
                    Step::Predecessor { number, bytes, end } => {
                        self.predecessor(number, bytes)?;
                        keep.follows = Some(number);
                        if self.hole.is_none() {
                            keep.bytes = end;
                        }
                        Ok(())
                    }
                    Step::Foreign { kind } => Err(Error::new(
                        ErrorKind::Unsupported,
                        "a log file has records that this version of Hozo does not write",
                    )
                    .with("file", path.display())
                    .with("record type", kind)),
                }
            };
            reader.block(offset, &block[..size], &mut step)?;
            offset += size as u64;
        }
        if let Some(offset) = reader.unfinished() {
            keep.torn = true;
            self.open_hole(path, offset)?;
        }
        Ok(keep)
    }

    /// Whether the batch stays. `first` is whether none came before it in its
    /// file.
    fn batch(&mut self, path: &Path, record: &Record<'_>, first: &mut bool) -> Result<bool> {
        let Some(batch) = record.batch() else {
            self.open_hole(path, record.start)?;
            return Ok(false);
        };
        // RocksDB begins a log with an empty batch that repeats a sequence
        // number: it says nothing.
        if batch.count == 0 {
            return Ok(self.hole.is_none());
        }
        let first = std::mem::take(first);
        if let (None, Some(expected)) = (&self.hole, self.expected) {
            // Whole files may be missing between two: RocksDB deletes those
            // that it no longer needs in any order.
            if batch.sequence > expected && !first {
                self.open_hole(path, record.start)?;
            }
        }
        if let Some(hole) = &self.hole {
            let missing = hole.from.unwrap_or(batch.sequence.saturating_sub(1));
            let mark = mark_of(batch.log_data).unwrap_or(0);
            if mark >= missing {
                return Err(lost(hole, mark));
            }
            if hole.from != Some(batch.sequence) || hole.file == path {
                return Ok(false);
            }
            // An earlier opening went on where the hole begins.
            self.hole = None;
        }
        let last = batch.sequence.saturating_add(u64::from(batch.count) - 1);
        self.expected = Some(last.saturating_add(1));
        self.newest = self.newest.max(last);
        Ok(true)
    }

    /// A file that is shorter than its successor says has lost its end.
    fn predecessor(&mut self, number: u64, bytes: u64) -> Result<()> {
        match &self.before {
            Some(before) if before.number == number && before.bytes < bytes => {
                let (file, offset) = (before.file.clone(), before.bytes);
                self.open_hole(&file, offset)
            }
            _ => Ok(()),
        }
    }

    fn open_hole(&mut self, path: &Path, offset: u64) -> Result<()> {
        if self.hole.is_some() {
            return Ok(());
        }
        let hole = Hole { file: path.to_owned(), offset, from: self.expected };
        if hole.from.is_some_and(|from| self.sealed >= from) {
            return Err(lost(&hole, self.sealed));
        }
        self.hole = Some(hole);
        Ok(())
    }
}

fn lost(hole: &Hole, durable: u64) -> Error {
    let mut error = Error::new(
        ErrorKind::Corrupt,
        "the log is damaged where it holds commits that were on stable storage; \
         nothing was changed, restore the store from a copy",
    )
    .with("file", hole.file.display())
    .with("offset", hole.offset);
    if let Some(from) = hole.from {
        error = error.with("lost from sequence", from);
    }
    error.with("durable up to", durable)
}

#[cfg(test)]
mod tests;
