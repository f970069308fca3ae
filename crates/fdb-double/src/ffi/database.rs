//! Databases.

use std::ffi::{CStr, c_char, c_int};
use std::sync::{Arc, Mutex, PoisonError};

use super::{bytes, code, give, number, share, take};
use crate::cluster::Cluster;
use crate::codes::{self, Code};
use crate::network;
use crate::transaction::{Options, Transaction};

/// A database: a cluster, and what its transactions begin with.
pub struct Database {
    cluster: Arc<Cluster>,
    options: Mutex<Options>,
}

fn open(connection: &str) -> Result<*mut Database, Code> {
    match network::check_set_up() {
        0 => {
            let cluster = Cluster::named(connection)?;
            Ok(give(Arc::new(Database { cluster, options: Mutex::default() })))
        }
        code => Err(code),
    }
}

/// # Safety
///
/// `text` is a C string, and there is a place at `out`.
unsafe fn open_at(
    text: *const c_char,
    out: *mut *mut Database,
    connection: impl FnOnce(&str) -> Result<String, Code>,
) -> c_int {
    // SAFETY: promised by the caller.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    match connection(&text).and_then(|connection| open(&connection)) {
        Ok(database) => {
            // SAFETY: promised by the caller.
            unsafe { *out = database };
            0
        }
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_create_database(
    path: *const c_char,
    out: *mut *mut Database,
) -> c_int {
    if path.is_null() {
        return codes::NO_CLUSTER_FILE;
    }
    // SAFETY: the caller's promise.
    unsafe {
        open_at(path, out, |path| std::fs::read_to_string(path).map_err(|_| codes::NO_CLUSTER_FILE))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_create_database_from_connection_string(
    connection: *const c_char,
    out: *mut *mut Database,
) -> c_int {
    if connection.is_null() {
        return codes::CONNECTION_STRING_INVALID;
    }
    // SAFETY: the caller's promise.
    unsafe { open_at(connection, out, |connection| Ok(connection.to_owned())) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_database_destroy(d: *mut Database) {
    // SAFETY: the caller's handle, which it gives up.
    drop(unsafe { take(d) });
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_database_set_option(
    d: *mut Database,
    option: c_int,
    value: *const u8,
    length: c_int,
) -> c_int {
    // SAFETY: the caller's handle and bytes.
    let (database, value) = unsafe { (share(d), bytes(value, length)) };
    let mut options = database.options.lock().unwrap_or_else(PoisonError::into_inner);
    code(match option {
        // As of a transaction: what it is by default.
        500..=503 => super::set_option(&mut options, option, &value),
        10 | 20 if number(&value).is_none() => Err(codes::INVALID_OPTION_VALUE),
        10 | 20 | 21 | 22 | 26 | 27 | 405 | 504..=506 | 700..=702 => Ok(()),
        _ => Err(codes::INVALID_OPTION),
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_database_create_transaction(
    d: *mut Database,
    out: *mut *mut Transaction,
) -> c_int {
    // SAFETY: the caller's handle.
    let database = unsafe { share(d) };
    let options = *database.options.lock().unwrap_or_else(PoisonError::into_inner);
    let transaction = Arc::new(Transaction::new(Arc::clone(&database.cluster), options));
    // SAFETY: a place for it, from the caller.
    unsafe { *out = give(transaction) };
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_database_get_main_thread_busyness(_: *mut Database) -> f64 {
    0.0
}
