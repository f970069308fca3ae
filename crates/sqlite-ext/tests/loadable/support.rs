//! Building the programs that the tests are about.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

pub(crate) use hozo_loaded::kit::{Place, Ran, have, sqlites_in};
use hozo_loaded::kit::{Programs, sqlite_source};

/// The library under test.
pub(crate) fn extension() -> PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| programs().library("libhozo_sqlite_ext.so")).clone()
}

/// Puts the library into a place under another name.
pub(crate) fn install(place: &Place, name: &str) {
    std::os::unix::fs::symlink(extension(), place.path(name)).expect("a link");
}

/// Whose SQLite a program has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sqlite {
    /// The distribution's shared library.
    System,
    /// The one that the workspace bundles, inside the program.
    Current,
}

/// A C program of `tests/c`, with that SQLite or none.
pub(crate) fn built(source: &str, sqlite: Option<Sqlite>) -> PathBuf {
    // One at a time: two tests may want the same.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let out = programs().path(&format!("{source}-{sqlite:?}"));
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Werror", "-o"]).arg(&out);
    cc.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c").join(source));
    match sqlite {
        Some(Sqlite::System) => cc.arg("-l:libsqlite3.so.0"),
        Some(Sqlite::Current) => cc.arg(programs().sqlite(&[])).args(["-lm", "-ldl", "-pthread"]),
        None => cc.arg("-I").arg(sqlite_source()),
    };
    assert!(cc.status().expect("a C compiler is installed").success(), "{source} did not build");
    out
}

fn programs() -> Programs {
    Programs::new(env!("CARGO_TARGET_TMPDIR"), "extension-programs")
}
