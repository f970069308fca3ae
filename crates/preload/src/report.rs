//! Facts for `hozo doctor`: see the crate's documentation for the protocol.

use std::collections::BTreeSet;
use std::ffi::{CStr, c_char};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::dl::{self, Object};
use crate::scan;
use crate::site::Site;

/// Where the facts go.
pub(crate) const VARIABLE: &str = "HOZO_DOCTOR_REPORT";

/// What became of an open.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was not for a namespace, and went on as it was.
    Plain,
    /// It was for a namespace, which was opened.
    Ours,
    /// It is, or may be, for a namespace that could not be opened.
    Refused(String),
}

/// Objects whose SQLite an open reached.
static REACHED: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// The file, as the environment said when the library was loaded: a program may
/// change its environment, and PHP frees it before it ends.
static FILE: OnceLock<PathBuf> = OnceLock::new();

/// Whether anybody wants to know, from now on.
pub(crate) fn asked() -> bool {
    let file = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
    file.is_some_and(|path| FILE.set(PathBuf::from(path)).is_ok())
}

/// Tells that the library is in this process.
pub(crate) fn loaded() {
    let program = std::fs::read_link("/proc/self/exe");
    let program = program.map(|path| path.to_string_lossy().into_owned()).ok();
    tell(json!({
        "fact": "loaded",
        "program": program,
        "version": env!("CARGO_PKG_VERSION"),
        "config": crate::store::config_file().map(|path| path.to_string_lossy().into_owned()),
    }));
    copies();
}

/// Tells that the program ends, and which copies of SQLite it then had.
pub(crate) fn ended() {
    copies();
    tell(json!({ "fact": "ended" }));
}

/// Tells about an open.
pub(crate) fn open(site: &Site, name: impl Fn() -> Option<String>, outcome: &Outcome, code: i32) {
    if FILE.get().is_none() {
        return;
    }
    let copy = site.symbol(c"sqlite3_libversion").and_then(|f| {
        let object = Object::at(f.as_ptr())?;
        // SAFETY: SQLite's function of this name.
        let version: unsafe extern "C" fn() -> *const c_char =
            unsafe { std::mem::transmute(f.as_ptr()) };
        // SAFETY: it answers a constant C string.
        let version = unsafe { CStr::from_ptr(version()) }.to_string_lossy().into_owned();
        Some((object, version))
    });
    if let Some((object, _)) = &copy {
        REACHED.lock().unwrap_or_else(PoisonError::into_inner).insert(object.id);
    }
    let (outcome, why) = match outcome {
        Outcome::Plain => ("plain", None),
        Outcome::Ours => ("ours", None),
        Outcome::Refused(why) => ("refused", Some(why)),
    };
    tell(json!({
        "fact": "open",
        "name": name(),
        "outcome": outcome,
        "why": why,
        "code": code,
        "caller": site.caller().map(Object::display),
        "sqlite": copy.as_ref().map(|(object, _)| object.display()),
        "sqlite_version": copy.as_ref().map(|(_, version)| version),
    }));
}

/// Tells about a name that SQLite asked the VFS for without an open that came
/// through here: `ATTACH`, or a program that calls SQLite past this library.
pub(crate) fn asked_of_vfs(name: &str, why_not: Option<&str>) {
    tell(json!({
        "fact": "open",
        "name": name,
        "outcome": if why_not.is_none() { "ours" } else { "refused" },
        "why": why_not,
    }));
}

/// Tells what registering from the constructor came to.
pub(crate) fn registered(library: &str, why_not: Option<&str>) {
    tell(json!({ "fact": "registered", "library": library, "why_not": why_not }));
}

/// Tells which loaded objects have an SQLite in them.
fn copies() {
    let own = Object::own().map(|object| object.id);
    let reached = REACHED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for object in dl::loaded().into_iter().filter(|object| Some(object.id) != own) {
        let exports = object.handle().and_then(|handle| handle.symbol(c"sqlite3_vfs_register"));
        let exports = exports
            .and_then(|f| Object::at(f.as_ptr()))
            .is_some_and(|exporter| exporter.id == object.id);
        if exports || scan::has_sqlite(&object) {
            tell(json!({
                "fact": "sqlite",
                "object": object.display(),
                "exports": exports,
                "reached": reached.contains(&object.id),
            }));
        }
    }
}

/// Appends one line, in one write, so that processes do not mix theirs.
fn tell(mut fact: Value) {
    let Some(path) = FILE.get() else { return };
    fact["pid"] = json!(std::process::id());
    let line = format!("{fact}\n");
    // Whoever asked for the report sees that it is not there.
    let file = OpenOptions::new().append(true).create(true).open(path);
    let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
}
