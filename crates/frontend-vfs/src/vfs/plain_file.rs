//! A plain database file, for C: the default VFS's file with one eye on it.
//!
//! A transaction over plain files and databases of ours cannot be atomic, since
//! the two are committed in different places. SQLite says which files take part
//! only by syncing them with the super-journal's name, so that is watched.

use std::ffi::{c_char, c_int, c_void};
use std::mem::size_of;

use super::shell::{guard, report, text};
use super::{Names, Registered};
use crate::api::SqliteApi;
use crate::ffi::{self, sqlite3_file, sqlite3_io_methods};

/// What SQLite's `sqlite3_file` is for a plain database. The default VFS's own
/// file follows it in memory.
#[repr(C)]
pub(super) struct PlainFile {
    base: sqlite3_file,
    state: *mut State,
}

struct State {
    api: &'static SqliteApi,
    names: &'static Names,
    /// Has a method exactly where the file's own table has one.
    methods: sqlite3_io_methods,
}

/// How large a plain file is of which the default VFS wants so many bytes.
pub(super) fn size(plain_bytes: c_int) -> c_int {
    size_of::<PlainFile>() as c_int + plain_bytes
}

unsafe fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: SQLite reserved `size` bytes.
    unsafe { file.cast::<PlainFile>().add(1).cast() }
}

/// Opens a plain database.
///
/// # Safety
/// All must be what SQLite passed to xOpen.
pub(super) unsafe fn open(
    registered: &'static Registered,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let plain = registered.plain;
    // SAFETY: the default VFS gets what SQLite would pass it, and memory of its
    // own. It leaves null methods where the file must not be closed.
    unsafe {
        let inner = inner(file);
        (*inner).pMethods = std::ptr::null();
        let Some(open) = (*plain).xOpen else { return ffi::SQLITE_CANTOPEN };
        let code = open(plain, name, inner, flags, out_flags);
        let Some(theirs) = (*inner).pMethods.as_ref() else { return code };
        let methods = methods_like(theirs);
        let state = State { api: registered.api, names: registered.names(), methods };
        let state = Box::into_raw(Box::new(state));
        let base = sqlite3_file { pMethods: &raw const (*state).methods };
        file.cast::<PlainFile>().write(PlainFile { base, state });
        code
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: `open` made it, and SQLite calls this once, last.
    unsafe {
        let inner = inner(file);
        let code = (*(*inner).pMethods).xClose.map_or(ffi::SQLITE_OK, |close| close(inner));
        drop(Box::from_raw((*file.cast::<PlainFile>()).state));
        code
    }
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, op: c_int, arg: *mut c_void) -> c_int {
    // SAFETY: SQLite calls this on a file that `open` made; of SYNC the argument
    // is null or the super-journal's name.
    unsafe {
        if op == ffi::SQLITE_FCNTL_SYNC && !arg.is_null() {
            let state = &*(*file.cast::<PlainFile>()).state;
            let code = guard(state.api, || {
                let group = text(arg.cast()).and_then(|name| state.names.groups.get(name));
                match group.map_or(Ok(()), |group| group.join_plain()) {
                    Ok(()) => ffi::SQLITE_OK,
                    Err(e) => report(state.api, "committing a plain file", &e.into()),
                }
            });
            if code != ffi::SQLITE_OK {
                return code;
            }
        }
        let inner = inner(file);
        (*(*inner).pMethods)
            .xFileControl
            .map_or(ffi::SQLITE_NOTFOUND, |control| control(inner, op, arg))
    }
}

/// Methods that are the file's own.
macro_rules! forward {
    ($($name:ident $method:ident ($($arg:ident : $type:ty),*) -> $out:ty = $missing:expr;)*) => {
        $(unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $arg: $type)*) -> $out {
            // SAFETY: SQLite calls this on a file that `open` made, and its own
            // method gets what SQLite would pass it.
            unsafe {
                let inner = inner(file);
                match (*(*inner).pMethods).$method {
                    Some(method) => method(inner $(, $arg)*),
                    None => $missing,
                }
            }
        })*
    };
}

forward! {
    read xRead(to: *mut c_void, n: c_int, at: i64) -> c_int = ffi::SQLITE_IOERR;
    write xWrite(from: *const c_void, n: c_int, at: i64) -> c_int = ffi::SQLITE_IOERR;
    truncate xTruncate(size: i64) -> c_int = ffi::SQLITE_IOERR;
    sync xSync(flags: c_int) -> c_int = ffi::SQLITE_IOERR;
    file_size xFileSize(size: *mut i64) -> c_int = ffi::SQLITE_IOERR;
    lock xLock(level: c_int) -> c_int = ffi::SQLITE_IOERR;
    unlock xUnlock(level: c_int) -> c_int = ffi::SQLITE_IOERR;
    check_reserved_lock xCheckReservedLock(locked: *mut c_int) -> c_int = ffi::SQLITE_IOERR;
    sector_size xSectorSize() -> c_int = 0;
    device_characteristics xDeviceCharacteristics() -> c_int = 0;
    shm_map xShmMap(page: c_int, size: c_int, extend: c_int, to: *mut *mut c_void) -> c_int
        = ffi::SQLITE_IOERR;
    shm_lock xShmLock(offset: c_int, n: c_int, flags: c_int) -> c_int = ffi::SQLITE_IOERR;
    shm_barrier xShmBarrier() -> () = ();
    shm_unmap xShmUnmap(delete: c_int) -> c_int = ffi::SQLITE_OK;
    fetch xFetch(at: i64, n: c_int, to: *mut *mut c_void) -> c_int = ffi::SQLITE_IOERR;
    unfetch xUnfetch(at: i64, pointer: *mut c_void) -> c_int = ffi::SQLITE_OK;
}

/// A table that forwards what `theirs` has: SQLite looks at the version and at
/// null methods to learn what a file can do.
fn methods_like(theirs: &sqlite3_io_methods) -> sqlite3_io_methods {
    let (v2, v3) = (theirs.iVersion >= 2, theirs.iVersion >= 3);
    sqlite3_io_methods {
        iVersion: theirs.iVersion.min(3),
        xClose: Some(close),
        xRead: Some(read),
        xWrite: Some(write),
        xTruncate: Some(truncate),
        xSync: Some(sync),
        xFileSize: Some(file_size),
        xLock: Some(lock),
        xUnlock: Some(unlock),
        xCheckReservedLock: Some(check_reserved_lock),
        xFileControl: Some(file_control),
        xSectorSize: Some(sector_size),
        xDeviceCharacteristics: Some(device_characteristics),
        xShmMap: (v2 && theirs.xShmMap.is_some()).then_some(shm_map),
        xShmLock: (v2 && theirs.xShmLock.is_some()).then_some(shm_lock),
        xShmBarrier: (v2 && theirs.xShmBarrier.is_some()).then_some(shm_barrier),
        xShmUnmap: (v2 && theirs.xShmUnmap.is_some()).then_some(shm_unmap),
        xFetch: (v3 && theirs.xFetch.is_some()).then_some(fetch),
        xUnfetch: (v3 && theirs.xUnfetch.is_some()).then_some(unfetch),
    }
}
