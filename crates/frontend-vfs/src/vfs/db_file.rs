//! A database, for C.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use hozo_traits::{Error, ErrorKind};

use super::host::{HostCell, SqliteHost};
use super::shell::{guard, log, report};
use super::{Names, Registered, control};
use crate::code::Failure;
use crate::connection::{Connection, Level};
use crate::ffi::{self, sqlite3_file, sqlite3_io_methods};
use crate::process;
use crate::resolver::Opened;

/// What SQLite's `sqlite3_file` is for a database.
#[repr(C)]
pub(super) struct DbFile {
    base: sqlite3_file,
    state: *mut State,
}

pub(super) struct State {
    pub(super) vfs: &'static Registered,
    pub(super) host: Arc<HostCell>,
    pub(super) connection: Arc<Mutex<Connection>>,
    pub(super) names: &'static Names,
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) mmap_bytes_max: AtomicI64,
}

/// Makes `file` a database of ours.
///
/// # Safety
/// `file` must be what SQLite passed to xOpen.
pub(super) unsafe fn open(
    file: *mut sqlite3_file,
    vfs: &'static Registered,
    name: &str,
    opened: Opened,
    readonly: bool,
) {
    let host = HostCell::new(vfs.api);
    let limits = vfs.options.limits();
    let connection =
        Connection::open(opened, readonly, Box::new(SqliteHost(Arc::clone(&host))), limits);
    let names = vfs.names();
    names.opened(name);
    let state = State {
        vfs,
        host,
        connection,
        names,
        name: name.to_owned(),
        generation: process::generation(),
        mmap_bytes_max: AtomicI64::new(0),
    };
    // SAFETY: SQLite reserved szOsFile bytes, which are at least these.
    unsafe {
        file.cast::<DbFile>().write(DbFile {
            base: sqlite3_file { pMethods: &METHODS },
            state: Box::into_raw(Box::new(state)),
        });
    }
}

pub(super) static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(control::file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    // Without shared memory SQLite does not go into WAL mode
    // (`sqlite3PagerWalSupported`).
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

/// # Safety
/// `file` must be one that [`open`] made and that is not closed.
pub(super) unsafe fn state<'a>(file: *mut sqlite3_file) -> &'a State {
    // SAFETY: SQLite calls these methods on files that `open` made, between
    // xOpen and xClose.
    unsafe { &*(*file.cast::<DbFile>()).state }
}

impl State {
    /// Runs `call` on the connection, if it may be used at all.
    pub(super) fn with(
        &self,
        what: &str,
        call: impl FnOnce(&mut Connection) -> Result<c_int, Failure>,
    ) -> c_int {
        guard(self.vfs.api, || {
            if self.generation != process::generation() {
                // Its locks and its store's threads are the parent's.
                let line = "hozo: a database that was opened before fork() cannot be used in \
                            the child; open it there anew";
                log(self.vfs.api, ffi::SQLITE_IOERR, line);
                return ffi::SQLITE_IOERR;
            }
            let Ok(mut connection) = self.connection.lock() else {
                return ffi::SQLITE_IOERR;
            };
            match call(&mut connection) {
                Ok(code) => code,
                Err(failure) => {
                    connection.note_error(&failure);
                    drop::<MutexGuard<'_, _>>(connection);
                    report(self.vfs.api, &format!("{what} {}", self.name), &failure)
                }
            }
        })
    }
}

fn invalid(what: &'static str) -> Failure {
    Error::new(ErrorKind::Invalid, what).into()
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: as in `state`; SQLite calls this once, last.
    let state = unsafe { Box::from_raw((*file.cast::<DbFile>()).state) };
    let api = state.vfs.api;
    guard(api, || {
        if state.generation == process::generation() {
            state.names.closed(&state.name);
            drop(state);
        } else {
            // To end the connection would use locks that another thread of the
            // parent may have held at the fork.
            std::mem::forget(state);
        }
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    state.with("reading", |connection| {
        let (Ok(n), Ok(at)) = (usize::try_from(n), u64::try_from(at)) else {
            return Err(invalid("a read at a negative offset"));
        };
        // SAFETY: SQLite gives `n` bytes to write to.
        let buf = unsafe { std::slice::from_raw_parts_mut(to.cast::<u8>(), n) };
        let there = connection.read(at, buf)?;
        // SQLite wants zeros after a short read.
        buf[there..].fill(0);
        Ok(if there == n { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHORT_READ })
    })
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    n: c_int,
    at: i64,
) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    state.with("writing", |connection| {
        let (Ok(n), Ok(at)) = (usize::try_from(n), u64::try_from(at)) else {
            return Err(invalid("a write at a negative offset"));
        };
        // SAFETY: SQLite gives `n` bytes to read from.
        let data = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), n) };
        connection.write(at, data)?;
        Ok(ffi::SQLITE_OK)
    })
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    state.with("truncating", |connection| {
        let size = u64::try_from(size).map_err(|_| invalid("a negative size"))?;
        connection.truncate(size)?;
        Ok(ffi::SQLITE_OK)
    })
}

unsafe extern "C" fn sync(_: *mut sqlite3_file, _: c_int) -> c_int {
    // SQLITE_FCNTL_SYNC came just before and did all that there is to do.
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    state.with("sizing", |connection| {
        let bytes = i64::try_from(connection.size()?).map_err(|_| invalid("the size overflows"))?;
        // SAFETY: SQLite gives a place for the size.
        unsafe { *size = bytes };
        Ok(ffi::SQLITE_OK)
    })
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    state.with("locking", |connection| {
        let level = match level {
            ffi::SQLITE_LOCK_NONE => return Ok(ffi::SQLITE_OK),
            ffi::SQLITE_LOCK_SHARED => Level::Shared,
            ffi::SQLITE_LOCK_RESERVED => Level::Reserved,
            _ => Level::Exclusive,
        };
        connection.lock(level)?;
        Ok(ffi::SQLITE_OK)
    })
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    state.with("unlocking", |connection| {
        let none = level == ffi::SQLITE_LOCK_NONE;
        connection.unlock(if none { Level::None } else { Level::Shared });
        Ok(ffi::SQLITE_OK)
    })
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, locked: *mut c_int) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    state.with("looking at", |connection| {
        // SQLite asks only to tell a hot journal from one in use, and ours are
        // private: what others hold does not matter.
        // SAFETY: SQLite gives a place for the answer.
        unsafe { *locked = c_int::from(connection.level() >= Level::Reserved) };
        Ok(ffi::SQLITE_OK)
    })
}

unsafe extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    // Not used with POWERSAFE_OVERWRITE (`setSectorSize`).
    512
}

unsafe extern "C" fn device_characteristics(_: *mut sqlite3_file) -> c_int {
    // A commit is atomic and its order is the store's, so a power cut neither
    // tears nor reorders writes. Atomic writes are not claimed: SQLite would
    // then commit without a journal, and could not roll back a conflict.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
        | ffi::SQLITE_IOCAP_SAFE_APPEND
        | ffi::SQLITE_IOCAP_SEQUENTIAL
        | ffi::SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN
        | ffi::SQLITE_IOCAP_SUBPAGE_READ
}

unsafe extern "C" fn fetch(
    file: *mut sqlite3_file,
    at: i64,
    n: c_int,
    to: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    // SAFETY: SQLite gives a place for the pointer; null makes it read instead.
    unsafe { *to = std::ptr::null_mut() };
    if state.mmap_bytes_max.load(Ordering::Relaxed) <= 0 {
        return ffi::SQLITE_OK;
    }
    state.with("reading", |connection| {
        let (Ok(n), Ok(at)) = (usize::try_from(n), u64::try_from(at)) else {
            return Err(invalid("a read at a negative offset"));
        };
        if let Some(address) = connection.fetch(at, n)? {
            // SAFETY: as above. SQLite does not write there, and the memory
            // stays until xUnfetch or the end of the connection.
            unsafe { *to = address as *mut c_void };
        }
        Ok(ffi::SQLITE_OK)
    })
}

unsafe extern "C" fn unfetch(file: *mut sqlite3_file, _: i64, pointer: *mut c_void) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    if pointer.is_null() {
        // Asks to drop mappings that nobody uses; there are none.
        return ffi::SQLITE_OK;
    }
    state.with("reading", |connection| {
        connection.unfetch(pointer as usize);
        Ok(ffi::SQLITE_OK)
    })
}
