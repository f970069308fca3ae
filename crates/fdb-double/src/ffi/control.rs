//! What tests do to the double.

use std::ffi::c_int;
use std::sync::PoisonError;

use super::network::OPTIONS;
use crate::cluster::Cluster;
use crate::faults::{self, Done, Fault};
use crate::network;

/// How many calls of the cluster there were: reads, commits, watches.
#[unsafe(no_mangle)]
pub extern "C" fn hozo_double_calls() -> u64 {
    faults::calls()
}

/// Makes the call fail that comes after `after` others. With `done` 1, a commit is
/// made and its answer is the error; with 2 and more, it is on its way then, and is
/// judged when one less than so many other things were done.
#[unsafe(no_mangle)]
pub extern "C" fn hozo_double_inject(after: u64, code: c_int, done: c_int) {
    faults::plan(after, Fault { code, done: Done::from_code(done) });
}

/// Forgets the failures that did not come, and answers how many those were.
#[unsafe(no_mangle)]
pub extern "C" fn hozo_double_clear() -> u64 {
    faults::clear()
}

/// Lets versions go by in all clusters: a million a second, as in a real one.
#[unsafe(no_mangle)]
pub extern "C" fn hozo_double_advance(versions: i64) {
    Cluster::all().iter().for_each(|cluster| cluster.state().advance(versions));
}

/// Cuts the network, with 1, or joins it again, with 0. Meanwhile transactions
/// with a timeout end with 1031, and all else waits.
#[unsafe(no_mangle)]
pub extern "C" fn hozo_double_cut(cut: c_int) {
    network::cut(cut != 0);
}

/// Writes the network options that were set, as `CODE=VALUE` with spaces between,
/// and answers how many bytes there are.
///
/// # Safety
///
/// `room` bytes can be written at `out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hozo_double_network_options(out: *mut u8, room: usize) -> usize {
    let options = OPTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = options.as_bytes();
    let length = bytes.len().min(room);
    // SAFETY: promised by the caller.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), out, length) };
    bytes.len()
}
