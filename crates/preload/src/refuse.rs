//! Saying why an open failed.
//!
//! A connection whose open failed is one that SQLite refuses to touch, and its
//! error text is always "unable to open database file". So the program gets
//! another one: a connection to an empty, read-only database in memory whose
//! last error is ours, and on which every statement is denied. The open still
//! answers the error, and a program that goes on regardless reads nothing and
//! loses nothing.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use crate::dl::Address;
use crate::entry::Db;
use crate::hook::OpenV2Fn;
use crate::site::Site;

/// `SQLITE_CANTOPEN`.
pub(crate) const CANTOPEN: c_int = 14;

const OK: c_int = 0;
const DENY: c_int = 1;
const OPEN_READONLY: c_int = 0x1;
const UTF8: c_int = 1;

type Code = c_int;
type CloseFn = unsafe extern "C" fn(*mut Db) -> Code;
type ExecFn = unsafe extern "C" fn(
    *mut Db,
    *const c_char,
    *const c_void,
    *mut c_void,
    *mut *mut c_char,
) -> Code;
type ScalarFn = unsafe extern "C" fn(*mut c_void, c_int, *mut *mut c_void);
type CreateFunctionFn = unsafe extern "C" fn(
    *mut Db,
    *const c_char,
    c_int,
    c_int,
    *mut c_void,
    Option<ScalarFn>,
    *const c_void,
    *const c_void,
    Option<unsafe extern "C" fn(*mut c_void)>,
) -> Code;
type AuthorizerFn = unsafe extern "C" fn(
    *mut c_void,
    c_int,
    *const c_char,
    *const c_char,
    *const c_char,
    *const c_char,
) -> Code;
type SetAuthorizerFn = unsafe extern "C" fn(*mut Db, Option<AuthorizerFn>, *mut c_void) -> Code;
type ResultErrorFn = unsafe extern "C" fn(*mut c_void, *const c_char, c_int);
type ResultErrorCodeFn = unsafe extern "C" fn(*mut c_void, c_int);

/// A function of the caller's SQLite.
///
/// # Safety
/// `F` must be the type that SQLite documents for the function of this name, as
/// a function pointer.
unsafe fn function<F: Copy>(site: &Site, name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<Address>()) };
    let address = site.symbol(name)?;
    // SAFETY: of one size, and by the caller's promise of this type.
    Some(unsafe { std::mem::transmute_copy::<Address, F>(&address) })
}

/// What the failing SQL function says, and with what.
struct Reason {
    code: c_int,
    text: CString,
    result_error: ResultErrorFn,
    result_error_code: ResultErrorCodeFn,
}

thread_local! {
    /// What [`fail`] says while [`prepare`] runs on this thread; null otherwise.
    static REASON: Cell<*const Reason> = const { Cell::new(ptr::null()) };
}

/// Tells a person. In one write and without the standard library's lock, which
/// a forked child may have inherited locked.
pub(crate) fn say(text: &str) {
    let line = format!("hozo: {text}\n");
    // SAFETY: as many bytes as the line has. A program may have no standard
    // error; that is no reason to fail.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

/// Closes a connection, if there is one.
pub(crate) fn close(site: &Site, db: *mut Db) {
    // SAFETY: the function's documented type.
    if let Some(close) = unsafe { function::<CloseFn>(site, c"sqlite3_close") } {
        // SAFETY: a connection of this copy, or null, that nobody else has.
        unsafe { close(db) };
    }
}

/// Runs SQL whose failure does not matter.
pub(crate) fn exec(site: &Site, db: *mut Db, sql: &CStr) {
    // SAFETY: the function's documented type.
    if let Some(exec) = unsafe { function::<ExecFn>(site, c"sqlite3_exec") } {
        // SAFETY: a connection of this copy, and a C string.
        unsafe { exec(db, sql.as_ptr(), ptr::null(), ptr::null_mut(), ptr::null_mut()) };
    }
}

/// The connection that says `why`; null if none can be made, which SQLite too
/// answers where it has no memory, and which programs must expect.
pub(crate) fn connection(site: &Site, code: c_int, why: &str) -> *mut Db {
    let mut db = ptr::null_mut();
    match prepare(site, &mut db, code, why) {
        Some(()) => db,
        None => {
            close(site, db);
            ptr::null_mut()
        }
    }
}

fn prepare(site: &Site, db: &mut *mut Db, code: c_int, why: &str) -> Option<()> {
    // SAFETY: the functions' documented types.
    let (open, create_function, set_authorizer, result_error, result_error_code) = unsafe {
        (
            function::<OpenV2Fn>(site, c"sqlite3_open_v2")?,
            function::<CreateFunctionFn>(site, c"sqlite3_create_function_v2")?,
            function::<SetAuthorizerFn>(site, c"sqlite3_set_authorizer")?,
            function::<ResultErrorFn>(site, c"sqlite3_result_error")?,
            function::<ResultErrorCodeFn>(site, c"sqlite3_result_error_code")?,
        )
    };
    let text = CString::new(why.replace('\0', " ")).ok()?;
    let reason = Reason { code, text, result_error, result_error_code };
    let (no_data, no_function) = (ptr::null_mut(), ptr::null());
    // SAFETY: C strings and an out-pointer. A null VFS is the default one, which
    // a database in memory asks for nothing but random bytes.
    if unsafe { open(c":memory:".as_ptr(), db, OPEN_READONLY, ptr::null()) } != OK {
        return None;
    }
    let name = c"hozo_refuse";
    // SAFETY: a live connection, a C string, and a function without data.
    let made = unsafe {
        let fail: ScalarFn = fail;
        create_function(
            *db,
            name.as_ptr(),
            0,
            UTF8,
            no_data,
            Some(fail),
            no_function,
            no_function,
            None,
        )
    };
    if made != OK {
        return None;
    }
    REASON.set(&raw const reason);
    exec(site, *db, c"SELECT hozo_refuse()");
    REASON.set(ptr::null());
    // SAFETY: a live connection. This leaves its last error as it is.
    unsafe { set_authorizer(*db, Some(deny), ptr::null_mut()) };
    Some(())
}

unsafe extern "C" fn fail(context: *mut c_void, _: c_int, _: *mut *mut c_void) {
    // SAFETY: null, or the reason that `prepare` holds while it waits for this.
    let Some(reason) = (unsafe { REASON.get().as_ref() }) else { return };
    // SAFETY: SQLite's own context and functions; the text is copied. The text
    // comes first, since the code replaces only a text that is not there.
    unsafe {
        (reason.result_error)(context, reason.text.as_ptr(), -1);
        (reason.result_error_code)(context, reason.code);
    }
}

unsafe extern "C" fn deny(
    _: *mut c_void,
    _: c_int,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
) -> c_int {
    DENY
}
