//! Who holds a store: at most one process, and there at most one opening.
//!
//! The lock is a POSIX record lock on a file in the store's directory. Such a
//! lock tells who holds it, and it is gone when its process is, however that
//! ended; a child that was forked does not inherit it. Its weakness is that
//! closing *any* descriptor of the file in the process gives it up, which is
//! why the registry below comes first: a store that this process has open is
//! refused before its file is touched.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use hozo_traits::{Error, ErrorKind, Result};
use rustix::fs::{FlockOperation, OFlags, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};

use crate::io_error;

/// How long to sleep between tries while another process holds the store.
const RETRY_EVERY: Duration = Duration::from_millis(10);
/// Bytes of the holder's command line that an error shows.
const COMMAND_BYTES_MAX: usize = 200;

/// The device and inode of each directory that is open, and the process that
/// opened it: a forked child inherits the entries, and they mean nothing there.
static OPEN: Mutex<BTreeMap<(u64, u64), u32>> = Mutex::new(BTreeMap::new());

/// The right to use a store's directory; given up when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    entry: Entry,
}

/// A directory's place in the registry.
#[derive(Debug)]
struct Entry {
    directory: (u64, u64),
    pid: u32,
    /// While it is open, the inode is no other directory's, though this one may have
    /// been removed. It is closed after the entry is gone: with the file of the lock
    /// closed and the entry still there, a new directory could seem to be open.
    _held: File,
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
    /// Takes the directory by a lock on this file in it, which is made if it is
    /// not there, waiting up to `timeout` for another process.
    ///
    /// [`Busy`](ErrorKind::Busy) if it is held, naming the process where the
    /// system tells; at once if it is this one.
    pub fn acquire(directory: &Path, file: &str, timeout: Duration) -> Result<Lock> {
        let entry = Entry::register(directory)?;
        let path = directory.join(file);
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
                Ok(()) => return Ok(Lock { _file: file, entry }),
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

impl Lock {
    /// [`Unsupported`](ErrorKind::Unsupported) in a forked child of the process
    /// that took it: the child does not hold it.
    pub fn refuse_child(&self) -> Result<()> {
        if self.entry.pid == std::process::id() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "the store was opened before this process was forked; open it after forking",
        )
        .with("opened by pid", self.entry.pid))
    }
}

impl Entry {
    fn register(directory: &Path) -> Result<Entry> {
        let unreadable = |e| io_error(e, "the store's directory cannot be read", directory);
        // Only as a place: that needs no right to list it.
        let place = (OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC).bits();
        let held = OpenOptions::new()
            .read(true)
            .custom_flags(place as i32)
            .open(directory)
            .map_err(unreadable)?;
        let about = held.metadata().map_err(unreadable)?;
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
        Ok(Entry { directory: key, pid, _held: held })
    }
}

fn held(directory: &Path, file: &File, waited: Duration) -> Error {
    let mut error = Error::new(ErrorKind::Busy, "another process has the store open")
        .with("path", directory.display());
    if let Ok(Some(Flock { pid: Some(pid), .. })) =
        fcntl_getlk(file, &Flock::from(FlockType::WriteLock))
    {
        let pid = pid.as_raw_nonzero().get().unsigned_abs();
        error = error.with("pid", pid);
        if let Some(command) = command_of(pid) {
            error = error.with("command", command);
        }
    }
    error.with("waited ms", waited.as_millis())
}

/// The command line of a process, where the system shows it, as a line of text.
pub fn command_of(pid: u32) -> Option<String> {
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
