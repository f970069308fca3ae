//! xFileControl of a database: commits, pragmas, and what SQLite tells us.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use hozo_traits::{Error, ErrorKind};

use super::db_file::{METHODS, state};
use super::pragma;
use super::shell::{guard, sqlite_string, text};
use crate::api::SqliteApi;
use crate::connection::{Connection, Level};
use crate::ffi::{self, sqlite3, sqlite3_file, sqlite3_io_methods};
use crate::process;

/// Asks a file whether it is ours, and for its connection.
const FCNTL_CONNECTION: c_int = 0x486f_7a6f;

/// The argument of [`FCNTL_CONNECTION`].
#[repr(C)]
struct ConnectionQuery {
    /// The address of [`METHODS`] of who asks: another copy of this library in
    /// the process has other layouts.
    asked_by: *const sqlite3_io_methods,
    answer: Option<Arc<Mutex<Connection>>>,
}

/// The connection behind one of a database handle's databases, if it is ours.
///
/// # Safety
/// `db` must be a live connection of `api`'s SQLite, used by this thread.
pub(crate) unsafe fn connection_of(
    api: &SqliteApi,
    db: *mut sqlite3,
    schema: &CStr,
) -> Option<Arc<Mutex<Connection>>> {
    let mut query = ConnectionQuery { asked_by: &METHODS, answer: None };
    let arg = (&raw mut query).cast::<c_void>();
    // SAFETY: by the caller's promise; a file that is not ours does not know
    // the operation and answers SQLITE_NOTFOUND.
    unsafe { (api.file_control)(db, schema.as_ptr(), FCNTL_CONNECTION, arg) };
    query.answer
}

/// xFileControl.
pub(super) unsafe extern "C" fn file_control(
    file: *mut sqlite3_file,
    op: c_int,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: SQLite calls this on a file of ours.
    let state = unsafe { state(file) };
    let api = state.vfs.api;
    match op {
        ffi::SQLITE_FCNTL_SYNC => state.with("committing", |connection| {
            // SAFETY: null or the name of the super-journal.
            let group = match unsafe { text(arg.cast::<c_char>()) } {
                None => None,
                Some(name) => Some(state.names.groups.get(name).ok_or_else(|| {
                    Error::new(
                        ErrorKind::Unsupported,
                        "the main database is not opened through this VFS, so a transaction \
                         cannot write several databases",
                    )
                })?),
            };
            connection.sync(group.as_ref())?;
            Ok(ffi::SQLITE_OK)
        }),
        ffi::SQLITE_FCNTL_BUSYHANDLER => guard(api, || {
            // SAFETY: SQLite passes two pointers.
            let [handler, handler_arg] = unsafe { *arg.cast::<[*mut c_void; 2]>() };
            state.host.set_busy(handler, handler_arg);
            ffi::SQLITE_OK
        }),
        ffi::SQLITE_FCNTL_PDB => guard(api, || {
            state.host.set_db(arg.cast());
            ffi::SQLITE_OK
        }),
        ffi::SQLITE_FCNTL_PRAGMA => {
            let in_transaction = state.host.in_transaction();
            state.with("a pragma on", |connection| {
                // SAFETY: SQLite passes an answer, a name and an argument.
                Ok(unsafe { pragma_control(api, connection, in_transaction, arg.cast()) })
            })
        }
        ffi::SQLITE_FCNTL_MMAP_SIZE => guard(api, || {
            // SAFETY: SQLite passes the new limit, or a negative number to ask.
            let size = unsafe { &mut *arg.cast::<i64>() };
            let limit = &state.mmap_bytes_max;
            *size = if *size >= 0 {
                limit.swap(*size, Ordering::Relaxed)
            } else {
                limit.load(Ordering::Relaxed)
            };
            ffi::SQLITE_OK
        }),
        ffi::SQLITE_FCNTL_VFSNAME => guard(api, || {
            let name = sqlite_string(api, &state.vfs.name.to_string_lossy());
            // SAFETY: SQLite passes a place for the string and frees it.
            unsafe { *arg.cast::<*mut c_char>() = name };
            ffi::SQLITE_OK
        }),
        ffi::SQLITE_FCNTL_LOCKSTATE => state.with("looking at", |connection| {
            let level = match connection.level() {
                Level::None => ffi::SQLITE_LOCK_NONE,
                Level::Shared => ffi::SQLITE_LOCK_SHARED,
                Level::Reserved => ffi::SQLITE_LOCK_RESERVED,
                Level::Exclusive => ffi::SQLITE_LOCK_EXCLUSIVE,
            };
            // SAFETY: SQLite passes a place for the answer.
            unsafe { *arg.cast::<c_int>() = level };
            Ok(ffi::SQLITE_OK)
        }),
        ffi::SQLITE_FCNTL_HAS_MOVED => {
            // A renamed namespace stays the one that was opened.
            // SAFETY: SQLite passes a place for the answer.
            unsafe { *arg.cast::<c_int>() = 0 };
            ffi::SQLITE_OK
        }
        FCNTL_CONNECTION => guard(api, || {
            // SAFETY: nobody else uses this number, except another copy of this
            // library, whose query begins with the same field.
            unsafe {
                if *arg.cast::<*const sqlite3_io_methods>() != &raw const METHODS {
                    return ffi::SQLITE_NOTFOUND;
                }
                if state.generation != process::generation() {
                    return ffi::SQLITE_IOERR;
                }
                (*arg.cast::<ConnectionQuery>()).answer = Some(Arc::clone(&state.connection));
            }
            ffi::SQLITE_OK
        }),
        _ => ffi::SQLITE_NOTFOUND,
    }
}

/// `SQLITE_FCNTL_PRAGMA`.
///
/// # Safety
/// `arg` must point to SQLite's three strings: a place for the answer, the
/// pragma's name, and its argument or null.
unsafe fn pragma_control(
    api: &SqliteApi,
    connection: &mut Connection,
    in_transaction: bool,
    arg: *mut *mut c_char,
) -> c_int {
    // SAFETY: by the caller's promise.
    let (name, value) = unsafe { (text(*arg.add(1)), text(*arg.add(2))) };
    let Some(name) = name else { return ffi::SQLITE_NOTFOUND };
    let answer = pragma::answer(connection, in_transaction, name, value);
    let (code, line) = match answer {
        pragma::Answer::NotOurs => return ffi::SQLITE_NOTFOUND,
        pragma::Answer::Instead(value) => {
            // SAFETY: the argument is SQLite's own copy of a token
            // (`sqlite3Pragma`), at least as long as this, and nobody reads it
            // until we return.
            unsafe { replace(*arg.add(2), value) };
            return ffi::SQLITE_NOTFOUND;
        }
        pragma::Answer::Row(line) => (ffi::SQLITE_OK, line),
        pragma::Answer::Error(line) => (ffi::SQLITE_ERROR, line),
    };
    // SAFETY: SQLite takes the string and frees it.
    unsafe { *arg = sqlite_string(api, &line) };
    code
}

/// Writes `value` over the C string at `place`.
///
/// # Safety
/// `place` must point to a writable C string that is not shorter than `value`.
unsafe fn replace(place: *mut c_char, value: &str) {
    // SAFETY: by the caller's promise there is room for the bytes and the null.
    unsafe {
        std::ptr::copy_nonoverlapping(value.as_ptr(), place.cast::<u8>(), value.len());
        *place.add(value.len()) = 0;
    }
}
