//! What SQLite calls when it loads the library.

use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use hozo_frontend_vfs::ffi::sqlite3;
use hozo_frontend_vfs::{SqliteApi, Vfs, register_functions};

use crate::store::Lazy;

const OK: c_int = 0;
const ERROR: c_int = 1;
/// The extension is not unloaded when the connection that loaded it closes.
const OK_LOAD_PERMANENTLY: c_int = 256;

/// `sqlite3_auto_extension` in `sqlite3_api_routines`. It came with 3.8.7, and
/// [`SqliteApi::from_extension`] refuses all before 3.14.
const AUTO_EXTENSION: usize = 192;

type Entry = unsafe extern "C" fn(*mut sqlite3, *mut *mut c_char, *const c_void) -> c_int;
type AutoExtensionFn = unsafe extern "C" fn(Entry) -> c_int;

/// A copy of SQLite that loaded this library.
#[derive(Clone, Copy)]
struct Copy {
    /// The address of the functions that it hands to extensions.
    routines: usize,
    api: &'static SqliteApi,
    /// Whether its VFS `hozo` is this library's, and not one that was there.
    ours: bool,
}

/// All of them. A process has one or two; each stays.
static COPIES: Mutex<Vec<Copy>> = Mutex::new(Vec::new());

/// The entry point that SQLite looks for in a library called `hozo`.
///
/// # Safety
/// Called by SQLite, as it documents for extensions.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sqlite3_hozo_init(
    db: *mut sqlite3,
    error: *mut *mut c_char,
    routines: *const c_void,
) -> c_int {
    guarded(error, routines, || load(db, routines)).map_or(ERROR, |()| OK_LOAD_PERMANENTLY)
}

/// The entry point that SQLite looks for first, whatever the library's name.
///
/// # Safety
/// Called by SQLite, as it documents for extensions.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sqlite3_extension_init(
    db: *mut sqlite3,
    error: *mut *mut c_char,
    routines: *const c_void,
) -> c_int {
    // SAFETY: the same call.
    unsafe { sqlite3_hozo_init(db, error, routines) }
}

/// What every later connection calls.
unsafe extern "C" fn connected(
    db: *mut sqlite3,
    error: *mut *mut c_char,
    routines: *const c_void,
) -> c_int {
    guarded(error, routines, || functions(db, routines)).map_or(ERROR, |()| OK)
}

/// The caller is C: neither a panic nor a Rust error goes further than here.
fn guarded(
    error: *mut *mut c_char,
    routines: *const c_void,
    work: impl FnOnce() -> Result<(), String>,
) -> Option<()> {
    let result = catch_unwind(AssertUnwindSafe(work));
    match result.unwrap_or_else(|_| Err("a defect of Hozo: it panicked".to_owned())) {
        Ok(()) => Some(()),
        Err(why) => {
            // SAFETY: SQLite's own pointers, as it gave them.
            unsafe { explain(error, routines, &why) };
            None
        }
    }
}

fn load(db: *mut sqlite3, routines: *const c_void) -> Result<(), String> {
    let mut copies = COPIES.lock().unwrap_or_else(PoisonError::into_inner);
    if !copies.iter().any(|copy| copy.routines == routines as usize) {
        // SAFETY: what SQLite handed to this extension; it is a constant of that
        // copy, which stays loaded while its connections are in use.
        let api = unsafe { SqliteApi::from_extension(routines) }.map_err(|e| e.to_string())?;
        let api: &'static SqliteApi = Box::leak(Box::new(api));
        // SAFETY: a C string.
        let ours = unsafe { (api.vfs_find)(c"hozo".as_ptr()) }.is_null();
        if ours {
            Vfs::register(api, Arc::new(Lazy), "hozo").map_err(|e| e.to_string())?;
        }
        copies.push(Copy { routines: routines as usize, api, ours });
    }
    drop(copies);
    functions(db, routines)?;
    // SAFETY: SQLite's function in this slot; it takes an entry point once,
    // however often it is given.
    let added = unsafe {
        let slot = *routines.cast::<*const c_void>().add(AUTO_EXTENSION);
        std::mem::transmute::<*const c_void, AutoExtensionFn>(slot)(connected)
    };
    if added == OK { Ok(()) } else { Err(format!("sqlite3_auto_extension answered {added}")) }
}

/// Adds the SQL functions to a connection.
fn functions(db: *mut sqlite3, routines: *const c_void) -> Result<(), String> {
    let copies = COPIES.lock().unwrap_or_else(PoisonError::into_inner);
    let copy = copies.iter().find(|copy| copy.routines == routines as usize).copied();
    drop(copies);
    match copy {
        // The functions of another library's VFS are that library's to add.
        Some(copy) if copy.ours => {
            // SAFETY: a live connection of this copy.
            unsafe { register_functions(copy.api, db) }.map_err(|e| e.to_string())
        }
        _ => Ok(()),
    }
}

/// Hands `why` to SQLite in memory of SQLite's own, which it frees.
///
/// # Safety
/// `error` is null or writable, `routines` what SQLite handed over.
unsafe fn explain(error: *mut *mut c_char, routines: *const c_void, why: &str) {
    /// `sqlite3_malloc` in `sqlite3_api_routines`, in every version.
    const MALLOC: usize = 68;
    type MallocFn = unsafe extern "C" fn(c_int) -> *mut c_void;
    if error.is_null() {
        return;
    }
    // SAFETY: SQLite's function in this slot.
    let malloc = unsafe {
        let slot = *routines.cast::<*const c_void>().add(MALLOC);
        std::mem::transmute::<*const c_void, Option<MallocFn>>(slot)
    };
    let Some(malloc) = malloc else { return };
    let text = format!("hozo: {}\0", why.replace('\0', " "));
    let Ok(size) = c_int::try_from(text.len()) else { return };
    // SAFETY: as much memory as is then written, or null.
    unsafe {
        let memory = malloc(size).cast::<u8>();
        if !memory.is_null() {
            memory.copy_from_nonoverlapping(text.as_ptr(), text.len());
            *error = memory.cast();
        }
    }
}
