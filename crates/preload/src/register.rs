//! What happens when the library is loaded: nothing, unless asked for.

use std::ffi::{CString, c_int, c_void};

use crate::copy;
use crate::refuse;
use crate::report;
use crate::site::Site;
use crate::store;

/// Asks for the VFS to be registered when the library is loaded: `1`, or a
/// list of SQLite libraries.
const VARIABLE: &str = "HOZO_PRELOAD_REGISTER";

/// The system's SQLite, as programs that load it at run time call it.
const SYSTEM: &str = "libsqlite3.so.0";

unsafe extern "C" {
    /// Not `atexit`, whose registrations `exit.rs` forgets.
    safe fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

extern "C" fn at_exit(_status: c_int, _: *mut c_void) {
    let _ = std::panic::catch_unwind(report::ended);
}

/// The constructor. It runs in every child process of a program, so it looks
/// at three environment variables and otherwise reads, prints and starts nothing.
pub(crate) fn at_load() {
    store::remember_config();
    if report::asked() {
        report::loaded();
        on_exit(at_exit, std::ptr::null_mut());
    }
    let Ok(libraries) = std::env::var(VARIABLE) else { return };
    if libraries.is_empty() || libraries == "0" || !store::configured() {
        return;
    }
    if libraries == "1" {
        // The copy that the program was linked with or has in itself; else the
        // system's, which the program then finds loaded.
        match Site::of_program() {
            Some(site) => register("the main program", &site),
            None => library(SYSTEM),
        }
        return;
    }
    for name in libraries.split(':').filter(|name| !name.is_empty()) {
        library(name);
    }
}

fn library(name: &str) {
    let Ok(c_name) = CString::new(name) else { return };
    match Site::of_library(&c_name) {
        Ok(site) => register(name, &site),
        Err(lost) => failed(name, &lost.0),
    }
}

fn register(name: &str, site: &Site) {
    match copy::of(site) {
        Ok(_) => report::registered(name, None),
        Err(why) => failed(name, &why),
    }
}

fn failed(name: &str, why: &str) {
    refuse::say(&format!("{VARIABLE}: {name}: {why}"));
    report::registered(name, Some(why));
}
