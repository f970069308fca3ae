//! What every function that C calls needs.

use std::ffi::{CStr, CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::api::SqliteApi;
use crate::code::Failure;
use crate::ffi;

/// Runs what a C function does; a panic in it becomes an I/O error.
pub(super) fn guard(api: &SqliteApi, call: impl FnOnce() -> c_int) -> c_int {
    // What a panic leaves half-changed is behind a mutex, which it poisons, and
    // a poisoned connection answers I/O errors only.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        log(api, ffi::SQLITE_IOERR, "hozo: a defect: the call panicked");
        ffi::SQLITE_IOERR
    })
}

/// Writes a line to SQLite's error log (`SQLITE_CONFIG_LOG`).
pub(super) fn log(api: &SqliteApi, code: c_int, line: &str) {
    // A NUL inside would end the line early, nothing worse.
    let line = CString::new(line.replace('\0', "?")).unwrap_or_default();
    // SAFETY: both are C strings, and the format takes one of them.
    unsafe { (api.log)(code, c"%s".as_ptr(), line.as_ptr()) };
}

/// The code of a failure, having logged it. Conflicts and waits for others are
/// part of normal work and are not logged.
pub(super) fn report(api: &SqliteApi, what: &str, failure: &Failure) -> c_int {
    let code = failure.code();
    let primary = code & 0xff;
    if primary != ffi::SQLITE_BUSY && primary != ffi::SQLITE_INTERRUPT {
        log(api, code, &format!("hozo: {what}: {failure}"));
    }
    code
}

/// A C string as text; `None` if it is null or not UTF-8.
///
/// # Safety
/// `text` must be null or a C string that lives as long as the answer is used.
pub(super) unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// A copy of `text` in memory that SQLite frees; null if there is none.
pub(crate) fn sqlite_string(api: &SqliteApi, text: &str) -> *mut c_char {
    let Ok(len) = c_int::try_from(text.len() + 1) else { return std::ptr::null_mut() };
    // SAFETY: any length may be asked for; null is checked.
    let copy = unsafe { (api.malloc)(len) }.cast::<u8>();
    if !copy.is_null() {
        // SAFETY: `copy` has room for the text and a NUL, and is new.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
            *copy.add(text.len()) = 0;
        }
    }
    copy.cast()
}
