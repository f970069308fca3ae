//! Journals and temporary files, for C.

use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, PoisonError};

use super::shell::{guard, report};
use crate::api::SqliteApi;
use crate::ffi::{self, sqlite3_file, sqlite3_io_methods};
use crate::group::Group;
use crate::memfile::MemFile;

/// What SQLite's `sqlite3_file` is for these.
#[repr(C)]
pub(super) struct MemFileHandle {
    base: sqlite3_file,
    state: *mut State,
}

struct State {
    api: &'static SqliteApi,
    what: What,
}

enum What {
    Private(Mutex<MemFile>),
    SuperJournal(Arc<Group>),
}

impl State {
    fn contents(&self) -> &Mutex<MemFile> {
        match &self.what {
            What::Private(contents) => contents,
            What::SuperJournal(group) => &group.contents,
        }
    }
}

/// Makes `file` a private file that ends with it.
///
/// # Safety
/// `file` must be what SQLite passed to xOpen.
pub(super) unsafe fn open_private(file: *mut sqlite3_file, api: &'static SqliteApi, max: usize) {
    // SAFETY: by the caller's promise.
    unsafe { open(file, api, What::Private(Mutex::new(MemFile::new(max)))) };
}

/// Makes `file` a super-journal.
///
/// # Safety
/// As for [`open_private`].
pub(super) unsafe fn open_super(file: *mut sqlite3_file, api: &'static SqliteApi, g: Arc<Group>) {
    // SAFETY: by the caller's promise.
    unsafe { open(file, api, What::SuperJournal(g)) };
}

unsafe fn open(file: *mut sqlite3_file, api: &'static SqliteApi, what: What) {
    let state = Box::into_raw(Box::new(State { api, what }));
    // SAFETY: SQLite reserved szOsFile bytes, which are at least these.
    unsafe {
        file.cast::<MemFileHandle>()
            .write(MemFileHandle { base: sqlite3_file { pMethods: &METHODS }, state });
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

unsafe fn state<'a>(file: *mut sqlite3_file) -> &'a State {
    // SAFETY: SQLite calls these methods on files that `open` made, between
    // xOpen and xClose.
    unsafe { &*(*file.cast::<MemFileHandle>()).state }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: as in `state`; SQLite calls this once, last.
    let state = unsafe { Box::from_raw((*file.cast::<MemFileHandle>()).state) };
    guard(state.api, || {
        drop(state);
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    guard(state.api, || {
        let (Ok(n), Ok(at)) = (usize::try_from(n), u64::try_from(at)) else {
            return ffi::SQLITE_IOERR_READ;
        };
        // SAFETY: SQLite gives `n` bytes to write to.
        let buf = unsafe { std::slice::from_raw_parts_mut(to.cast::<u8>(), n) };
        let contents = state.contents().lock().unwrap_or_else(PoisonError::into_inner);
        match contents.read(at, buf) {
            Ok(there) if there == n => ffi::SQLITE_OK,
            Ok(there) => {
                buf[there..].fill(0);
                ffi::SQLITE_IOERR_SHORT_READ
            }
            Err(e) => report(state.api, "reading a temporary file", &e.into()),
        }
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
    guard(state.api, || {
        let (Ok(n), Ok(at)) = (usize::try_from(n), u64::try_from(at)) else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        // SAFETY: SQLite gives `n` bytes to read from.
        let data = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), n) };
        let mut contents = state.contents().lock().unwrap_or_else(PoisonError::into_inner);
        match contents.write(at, data) {
            Ok(()) => ffi::SQLITE_OK,
            Err(e) => report(state.api, "writing a temporary file", &e.into()),
        }
    })
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    guard(state.api, || {
        let mut contents = state.contents().lock().unwrap_or_else(PoisonError::into_inner);
        match contents.truncate(u64::try_from(size).unwrap_or(0)) {
            Ok(()) => ffi::SQLITE_OK,
            Err(e) => report(state.api, "truncating a temporary file", &e.into()),
        }
    })
}

unsafe extern "C" fn sync(_: *mut sqlite3_file, _: c_int) -> c_int {
    // These files are of no use after a crash.
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    guard(state.api, || {
        let contents = state.contents().lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: SQLite gives a place for the size.
        unsafe { *size = contents.size() as i64 };
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn lock(_: *mut sqlite3_file, _: c_int) -> c_int {
    // Nobody else sees these files.
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_: *mut sqlite3_file, locked: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *locked = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    512
}

unsafe extern "C" fn device_characteristics(_: *mut sqlite3_file) -> c_int {
    // Nothing of these files is there after a crash, so no order of writes can
    // matter. A journal that is open cannot be taken away by its name.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
        | ffi::SQLITE_IOCAP_SAFE_APPEND
        | ffi::SQLITE_IOCAP_SEQUENTIAL
        | ffi::SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN
}
