//! A process that opens none of our names notices nothing.

use std::path::Path;

use crate::support::{Build, Place, Preloaded as _, built, have, preload, sqlites_in};

const PLAIN: [&str; 10] = [
    "counts",
    "open",
    "./plain.db",
    "sql",
    "CREATE TABLE t(x)",
    "counts",
    "close",
    "open",
    ":memory:",
    "counts",
];

#[test]
fn no_threads_and_no_files() {
    let (with, without) = (Place::new(), Place::new());
    let expected = without.run_bare(&[], built(Build::System), &PLAIN).quiet().to_owned();
    assert_eq!(with.run(built(Build::System), &PLAIN).quiet(), expected);
    assert_eq!(with.files(), without.files());
    assert!(!with.path("store").exists());
}

/// Every system call but the linker's, which loads the library and what it needs.
#[test]
fn no_file_is_opened_and_no_thread_started() {
    if !have("strace") {
        return;
    }
    let place = Place::new();
    let program = built(Build::System);
    let library = format!("LD_PRELOAD={}", preload().display());
    let config = format!("HOZO_CONFIG={}", place.path("hozo.toml").display());
    let program = program.display().to_string();
    let mut args = vec![
        "-f",
        "-qq",
        "-e",
        "trace=openat,open,clone,clone3,socket,connect,eventfd2,timerfd_create",
        "-o",
        "trace",
        "-E",
        &library,
        "-E",
        &config,
        &program,
    ];
    args.extend(PLAIN);
    let ran = place.run_bare(&[], "strace", &args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let trace = std::fs::read_to_string(place.path("trace")).expect("strace wrote it");
    let directory = place.path("");
    let directory = directory.to_string_lossy();
    let directory = format!("\"{}\"", directory.trim_end_matches('/'));
    let unexpected: Vec<&str> = trace
        .lines()
        .filter(|line| !line.contains("ENOENT") && !line.contains("+++ exited"))
        .filter(|line| !line.contains(".so") && !line.contains("/etc/ld.so.cache"))
        // What the program does itself: SQLite opens the file's directory to
        // sync it.
        .filter(|line| !line.contains("plain.db") && !line.contains(&directory))
        .filter(|line| !line.contains("/proc/self/") && !line.contains("/dev/urandom"))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert!(trace.contains("plain.db"), "the trace shows nothing: {trace}");
}

#[test]
fn a_broken_config_does_not_matter() {
    let place = Place::new();
    place.write("hozo.toml", "this is [not TOML");
    let expected = Place::new().run_bare(&[], built(Build::System), &PLAIN).quiet().to_owned();
    assert_eq!(place.run(built(Build::System), &PLAIN).quiet(), expected);
}

#[test]
fn programs_without_sqlite() {
    let place = Place::new();
    let ran = place.run("sh", &["-c", "echo one | cat && ls hozo.toml"]);
    assert_eq!(ran.quiet(), "one\nhozo.toml\n");
}

/// Another SQLite must not come in through the back door, nor functions of
/// ours into the program's scope.
#[test]
fn what_the_library_brings() {
    if !have("readelf") {
        return;
    }
    let read = |args: &[&str]| {
        let library = preload();
        let output = std::process::Command::new("readelf").args(args).arg(library).output();
        String::from_utf8(output.expect("readelf runs").stdout).expect("text")
    };
    let symbols = read(&["--dyn-syms", "--wide"]);
    let mut exported: Vec<&str> = symbols
        .lines()
        .filter(|line| {
            line.contains(" GLOBAL ") || line.contains(" WEAK ") || line.contains(" UNIQUE ")
        })
        .filter(|line| !line.contains(" UND "))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    exported.sort_unstable();
    assert_eq!(exported, ["sqlite3_open", "sqlite3_open16", "sqlite3_open_v2"]);
    let dynamic = read(&["--dynamic", "--wide"]);
    let needed: Vec<&str> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    for line in &needed {
        let allowed =
            ["libc.so", "libm.so", "libgcc_s.so", "ld-linux", "libpthread", "libdl", "librt"];
        assert!(allowed.iter().any(|name| line.contains(name)), "{line}");
    }
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

/// Cargo joins the features of all crates that it builds at once, so one that
/// brings an SQLite could bring it in here.
#[test]
fn no_sqlite_is_inside() {
    // The library has the mark once itself, to look for it in others.
    assert!(sqlites_in(&preload()) <= 1, "built together with a crate that bundles SQLite");
    assert!(sqlites_in(&built(Build::Static)) > 0, "SQLite has no such mark any more");
}

#[test]
fn the_environment_alone_does_nothing() {
    let place = Place::bare();
    let variables = [("HOZO_PRELOAD_REGISTER", Path::new("1"))];
    let ran =
        place.run_with(&variables, built(Build::System), &["vfs", "hozo", "open", ":memory:"]);
    assert_eq!(ran.quiet(), "vfs hozo no\nopen 0\n");
}
