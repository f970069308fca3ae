//! Versions, errors and the network.

use std::ffi::{c_char, c_int};
use std::sync::{Mutex, PoisonError};

use super::bytes;
use crate::{codes, network};

/// Network options that were set, as `CODE=VALUE` with a space between each two:
/// for tests, which ask with `hozo_double_network_options`.
pub(super) static OPTIONS: Mutex<String> = Mutex::new(String::new());

#[unsafe(no_mangle)]
pub extern "C" fn fdb_get_error(code: c_int) -> *const c_char {
    codes::message(code).as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn fdb_error_predicate(predicate_test: c_int, code: c_int) -> c_int {
    c_int::from(codes::predicate(predicate_test, code))
}

#[unsafe(no_mangle)]
pub extern "C" fn fdb_get_max_api_version() -> c_int {
    network::api_version_max()
}

#[unsafe(no_mangle)]
pub extern "C" fn fdb_get_client_version() -> *const c_char {
    c"0.0.0,double,fdb00000000000000".as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn fdb_select_api_version_impl(runtime: c_int, header: c_int) -> c_int {
    network::select_api_version(runtime, header)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_network_set_option(
    option: c_int,
    value: *const u8,
    length: c_int,
) -> c_int {
    let configurable = network::check_configurable();
    if configurable != 0 {
        return configurable;
    }
    // Those of `fdb.options`, from local_address to client_tmp_dir.
    if !(10..=91).contains(&option) {
        return codes::INVALID_OPTION;
    }
    // SAFETY: the caller's promise.
    let value = unsafe { bytes(value, length) };
    let mut options = OPTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    options.push_str(&format!("{option}={} ", String::from_utf8_lossy(&value)));
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn fdb_setup_network() -> c_int {
    network::set_up()
}

#[unsafe(no_mangle)]
pub extern "C" fn fdb_run_network() -> c_int {
    network::run()
}

#[unsafe(no_mangle)]
pub extern "C" fn fdb_stop_network() -> c_int {
    network::stop()
}
