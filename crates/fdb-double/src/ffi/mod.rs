//! The C functions.
//!
//! Handles are reference counts: what is asked of the network holds its own, so a
//! handle may be destroyed at any time. All follow the contract of `fdb_c.h`: a
//! handle is one that was given out and not destroyed, lengths are those of what
//! the pointers point to, and out parameters can be written.
#![expect(missing_docs, clippy::missing_safety_doc, reason = "they are documented in fdb_c.h")]

mod control;
mod database;
mod future;
mod network;
mod transaction;

use std::ffi::c_int;
use std::sync::Arc;

pub use control::*;
pub use database::*;
pub use future::*;
pub use network::*;
pub use transaction::*;

use crate::codes::Code;

/// The bytes that a caller hands over.
///
/// # Safety
///
/// `length` bytes can be read at `bytes`, or it is 0.
unsafe fn bytes(bytes: *const u8, length: c_int) -> Vec<u8> {
    match usize::try_from(length) {
        Ok(length) if length > 0 && !bytes.is_null() => {
            // SAFETY: promised by the caller.
            unsafe { std::slice::from_raw_parts(bytes, length) }.to_vec()
        }
        _ => Vec::new(),
    }
}

/// The value of an option that is a number.
fn number(value: &[u8]) -> Option<i64> {
    value.try_into().ok().map(i64::from_ne_bytes)
}

/// A handle for C.
fn give<T>(what: Arc<T>) -> *mut T {
    Arc::into_raw(what).cast_mut()
}

/// Another reference to what a handle is about.
///
/// # Safety
///
/// The handle was given out and not taken back.
unsafe fn share<T>(handle: *mut T) -> Arc<T> {
    // SAFETY: it came from `give`, and its own reference is still there.
    unsafe {
        Arc::increment_strong_count(handle);
        Arc::from_raw(handle)
    }
}

/// The reference that a handle is; the handle is nothing afterwards.
///
/// # Safety
///
/// The handle was given out and not taken back.
unsafe fn take<T>(handle: *mut T) -> Arc<T> {
    // SAFETY: it came from `give`.
    unsafe { Arc::from_raw(handle) }
}

fn code(result: Result<(), Code>) -> Code {
    result.err().unwrap_or(0)
}
