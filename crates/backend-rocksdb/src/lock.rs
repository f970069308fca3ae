//! Who holds a store: at most one process, and there at most one opening.
//!
//! The lock is a POSIX record lock on RocksDB's own `LOCK` file, so it keeps
//! RocksDB's tools out as well. Such a lock tells who holds it, and it is gone
//! when its process is, however that ended; a child that was forked does not
//! inherit it. Its weakness is that closing *any* descriptor of the file in
//! the process gives it up, which is why the registry below comes first: a
//! store that this process has open is refused before its file is touched.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use hozo_traits::{Error, ErrorKind, Result};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};

use crate::directory::{LOCK_FILE, io_error};

/// How long to sleep between tries while another process holds the store.
const RETRY_EVERY: Duration = Duration::from_millis(10);
/// Bytes of the holder's command line that an error shows.
const COMMAND_BYTES_MAX: usize = 200;

/// The device and inode of each directory that is open, and the process that
/// opened it: a forked child inherits the entries, and they mean nothing there.
static OPEN: Mutex<BTreeMap<(u64, u64), u32>> = Mutex::new(BTreeMap::new());

/// The right to use a store's directory; given up when dropped.
pub(crate) struct Lock {
    _file: File,
    _entry: Entry,
}

/// A directory's place in the registry.
struct Entry {
    directory: (u64, u64),
    pid: u32,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.pid == std::process::id() {
            registry().remove(&self.directory);
        }
    }
}

fn registry() -> std::sync::MutexGuard<'static, BTreeMap<(u64, u64), u32>> {
    // The map is sound between any two steps, so a panic elsewhere is no matter.
    OPEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Lock {
    /// Takes the directory, waiting up to `timeout` for another process.
    pub(crate) fn acquire(directory: &Path, timeout: Duration) -> Result<Lock> {
        let entry = Entry::register(directory)?;
        let path = directory.join(LOCK_FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| io_error(e, "the store's lock file cannot be opened", &path))?;
        let started = Instant::now();
        loop {
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _file: file, _entry: entry }),
                Err(Errno::AGAIN | Errno::ACCESS) => {}
                Err(e) => {
                    return Err(io_error(e.into(), "the store's lock cannot be taken", &path));
                }
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(held(directory, &file, timeout));
            }
            thread::sleep(left.min(RETRY_EVERY));
        }
    }
}

impl Entry {
    fn register(directory: &Path) -> Result<Entry> {
        let about = std::fs::metadata(directory)
            .map_err(|e| io_error(e, "the store's directory cannot be read", directory))?;
        let key = (about.dev(), about.ino());
        let pid = std::process::id();
        let mut open = registry();
        if open.get(&key) == Some(&pid) {
            return Err(Error::new(
                ErrorKind::Busy,
                "the store is open already, in this same process; share that one",
            )
            .with("path", directory.display()));
        }
        open.insert(key, pid);
        Ok(Entry { directory: key, pid })
    }
}

fn held(directory: &Path, file: &File, waited: Duration) -> Error {
    let mut error = Error::new(ErrorKind::Busy, "another process has the store open")
        .with("path", directory.display());
    if let Ok(Some(Flock { pid: Some(pid), .. })) =
        fcntl_getlk(file, &Flock::from(FlockType::WriteLock))
    {
        let pid = pid.as_raw_nonzero().get();
        error = error.with("pid", pid);
        if let Some(command) = command_of(pid) {
            error = error.with("command", command);
        }
    }
    error.with("waited ms", waited.as_millis())
}

/// The command line of a process, where the system shows it.
fn command_of(pid: i32) -> Option<String> {
    let raw = std::fs::read(PathBuf::from(format!("/proc/{pid}/cmdline"))).ok()?;
    let words: Vec<_> = raw.split(|b| *b == 0).filter(|w| !w.is_empty()).collect();
    let mut line = words.join(&b' ');
    line.truncate(COMMAND_BYTES_MAX);
    // Arguments are any bytes; an error is one line of text.
    let text: String = String::from_utf8_lossy(&line)
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    (!text.is_empty()).then_some(text)
}
