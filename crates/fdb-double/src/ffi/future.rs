//! Futures.

use std::ffi::{c_char, c_int, c_void};

use super::{share, take};
use crate::codes;
use crate::future::{Answer, Future, RawKey, RawPair};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_destroy(f: *mut Future) {
    // SAFETY: the caller's handle, which it gives up.
    let future = unsafe { take(f) };
    future.set(Err(codes::OPERATION_CANCELLED));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_cancel(f: *mut Future) {
    // SAFETY: the caller's handle.
    unsafe { share(f) }.set(Err(codes::OPERATION_CANCELLED));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_release_memory(_: *mut Future) {}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_is_ready(f: *mut Future) -> c_int {
    // SAFETY: the caller's handle.
    c_int::from(unsafe { share(f) }.is_ready())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_block_until_ready(f: *mut Future) -> c_int {
    // SAFETY: the caller's handle.
    unsafe { share(f) }.wait();
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_set_callback(
    f: *mut Future,
    callback: Option<unsafe extern "C" fn(*mut Future, *mut c_void)>,
    parameter: *mut c_void,
) -> c_int {
    let Some(callback) = callback else { return codes::INVALID_OPERATION };
    // SAFETY: the caller's handle.
    unsafe { share(f) }.set_callback((callback, parameter))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_get_error(f: *mut Future) -> c_int {
    // SAFETY: the caller's handle.
    unsafe { share(f) }.error()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_get_int64(f: *mut Future, out: *mut i64) -> c_int {
    // SAFETY: the caller's handle, and a place for the number.
    unsafe { share(f) }.look(|answer| match answer {
        Answer::Number(number) => {
            // SAFETY: as above.
            unsafe { *out = *number };
            Some(())
        }
        _ => None,
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_get_key(
    f: *mut Future,
    out: *mut *const u8,
    length: *mut c_int,
) -> c_int {
    // SAFETY: the caller's handle.
    unsafe { share(f) }.look(|answer| match answer {
        Answer::Key(key) => {
            // SAFETY: places for both, from the caller.
            unsafe { (*out, *length) = (key.as_ptr(), key.len() as c_int) };
            Some(())
        }
        _ => None,
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_get_value(
    f: *mut Future,
    present: *mut c_int,
    out: *mut *const u8,
    length: *mut c_int,
) -> c_int {
    // SAFETY: the caller's handle.
    unsafe { share(f) }.look(|answer| match answer {
        Answer::Value(value) => {
            let bytes = value.as_deref().unwrap_or_default();
            // SAFETY: places for all three, from the caller.
            unsafe {
                *present = c_int::from(value.is_some());
                (*out, *length) = (bytes.as_ptr(), bytes.len() as c_int);
            }
            Some(())
        }
        _ => None,
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_get_keyvalue_array(
    f: *mut Future,
    out: *mut *const RawPair,
    count: *mut c_int,
    more: *mut c_int,
) -> c_int {
    // SAFETY: the caller's handle.
    unsafe { share(f) }.look(|answer| match answer {
        Answer::Pairs(pairs) => {
            // SAFETY: places for all three, from the caller.
            unsafe {
                (*out, *count) = (pairs.laid_out.as_ptr(), pairs.laid_out.len() as c_int);
                *more = c_int::from(pairs.more);
            }
            Some(())
        }
        _ => None,
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_get_key_array(
    f: *mut Future,
    out: *mut *const RawKey,
    count: *mut c_int,
) -> c_int {
    // SAFETY: the caller's handle.
    unsafe { share(f) }.look(|answer| match answer {
        Answer::Keys(keys) => {
            // SAFETY: places for both, from the caller.
            unsafe { (*out, *count) = (keys.laid_out.as_ptr(), keys.laid_out.len() as c_int) };
            Some(())
        }
        _ => None,
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_future_get_string_array(
    f: *mut Future,
    out: *mut *const *const c_char,
    count: *mut c_int,
) -> c_int {
    // SAFETY: the caller's handle.
    unsafe { share(f) }.look(|answer| match answer {
        Answer::Strings(strings) => {
            let laid_out = &strings.laid_out;
            // SAFETY: places for both, from the caller.
            unsafe { (*out, *count) = (laid_out.as_ptr(), laid_out.len() as c_int) };
            Some(())
        }
        _ => None,
    })
}
