//! Which opens go to a namespace, and which go on as they were.

use crate::support::{Build, Place, Preloaded as _, built};

const MAKE: &str = "CREATE TABLE IF NOT EXISTS t(x)";

#[track_caller]
fn probe(place: &Place, args: &[&str]) -> String {
    place.run(built(Build::System), args).quiet().to_owned()
}

#[test]
fn a_mapped_name_is_a_namespace() {
    let place = Place::new();
    let actions = ["open", "app", "sql", MAKE, "sql", "SELECT count(*) FROM t", "close"];
    assert_eq!(probe(&place, &actions), "open 0\n0\nclose 0\n");
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn all_three_opens() {
    let place = Place::new();
    let actions = [
        "open",
        "app",
        "sql",
        MAKE,
        "open16",
        "app",
        "sql",
        "INSERT INTO t VALUES (1)",
        "open_v2",
        "app",
        "6",
        "",
        "sql",
        "SELECT count(*) FROM t",
        "open_v2",
        "file:app?mode=ro",
        "6",
        "",
        "sql",
        "INSERT INTO t VALUES (1)",
        "open_v2",
        "app",
        "6",
        "hozo",
        "sql",
        "SELECT count(*) FROM t",
    ];
    let readonly = "error 8: attempt to write a readonly database";
    let expected = format!("open 0\nopen16 0\nopen_v2 0\n1\nopen_v2 0\n{readonly}\nopen_v2 0\n1\n");
    assert_eq!(probe(&place, &actions), expected);
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn open16_makes_databases_in_utf_16() {
    let place = Place::new();
    let encoding = "PRAGMA encoding";
    let native = if cfg!(target_endian = "little") { "UTF-16le" } else { "UTF-16be" };
    let actions = ["open16", "app/wide", "sql", MAKE, "sql", encoding];
    assert_eq!(probe(&place, &actions), format!("open16 0\n{native}\n"));
    let actions = ["open", "app/narrow", "sql", MAKE, "open16", "app/narrow", "sql", encoding];
    assert_eq!(probe(&place, &actions), "open 0\nopen16 0\nUTF-8\n");
}

#[test]
fn other_names_are_plain_files() {
    let place = Place::new();
    std::fs::create_dir(place.path("sub")).expect("a directory");
    let absolute = place.path("absolute.db").display().to_string();
    for name in ["other.db", "./app", "sub/app", "a@b.db", &absolute] {
        assert_eq!(probe(&place, &["open", name, "sql", MAKE]), "open 0\n", "{name}");
        let name = name.rsplit_once("absolute.db").map_or(name, |_| "absolute.db");
        assert!(place.is_database(name), "{name}");
    }
    assert_eq!(place.files(), ["a@b.db", "absolute.db", "app", "other.db", "sub"]);
}

#[test]
fn other_ways_to_open_are_left_alone() {
    let place = Place::new();
    let memory = "0x86"; // SQLITE_OPEN_MEMORY
    let uri = "0x46"; // SQLITE_OPEN_URI
    let actions = [
        "open",
        ":memory:",
        "sql",
        MAKE,
        "open",
        "",
        "sql",
        MAKE,
        "open_v2",
        "app",
        memory,
        "",
        "sql",
        MAKE,
        "open_v2",
        "file:app?mode=memory&cache=shared",
        uri,
        "",
        "sql",
        MAKE,
        "open_v2",
        "app",
        "6",
        "unix-dotfile",
        "sql",
        MAKE,
    ];
    let expected = "open 0\nopen 0\nopen_v2 0\nopen_v2 0\nopen_v2 0\n";
    assert_eq!(probe(&place, &actions), expected);
    // The last of them, whose VFS is another, made a file.
    assert_eq!(place.files(), ["app"]);
}

#[test]
fn without_a_config_every_name_is_plain() {
    let place = Place::new();
    let actions = ["vfs", "hozo", "open", "app", "sql", MAKE, "vfs", "hozo"];
    for variables in [&[][..], &[("HOZO_CONFIG", std::path::Path::new(""))]] {
        let ran = place.run_with(variables, built(Build::System), &actions);
        assert_eq!(ran.quiet(), "vfs hozo no\nopen 0\nvfs hozo no\n");
        assert!(place.is_database("app"));
    }
}

#[test]
fn a_program_that_clears_its_environment_keeps_the_config() {
    let place = Place::new();
    assert_eq!(probe(&place, &["clearenv", "open", "app", "sql", MAKE]), "open 0\n");
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn the_default_vfs_stays_the_programs() {
    let place = Place::new();
    let actions = [
        "default",
        "unix-dotfile",
        "open",
        "app",
        "sql",
        MAKE,
        "default",
        "unix-dotfile",
        "open",
        "plain.db",
        "sql",
        MAKE,
        "vfs",
        "hozo",
    ];
    let expected = "default 0\nopen 0\nunix-dotfile is the default\nopen 0\nvfs hozo yes\n";
    assert_eq!(probe(&place, &actions), expected);
    assert!(place.is_database("plain.db"));
}

#[test]
fn attach_from_a_plain_connection() {
    let place = Place::new();
    let actions = [
        "open",
        "app",
        "sql",
        MAKE,
        "sql",
        "INSERT INTO t VALUES (5)",
        "close",
        "open",
        "./plain.db",
        "sql",
        "ATTACH 'file:app?vfs=hozo' AS h",
        "sql",
        "SELECT x FROM h.t",
        "sql",
        "ATTACH 'app' AS p",
        "sql",
        "CREATE TABLE p.u(x)",
    ];
    // The system's library has URIs on; a name alone is a file of the
    // connection's own VFS.
    assert_eq!(probe(&place, &actions), "open 0\nclose 0\nopen 0\n5\n");
    assert!(place.is_database("app"));
}

#[test]
fn attach_from_a_namespace() {
    let place = Place::new();
    let actions = [
        "open",
        "app/one",
        "sql",
        MAKE,
        "sql",
        "INSERT INTO t VALUES (5)",
        "sql",
        "ATTACH 'app/two' AS two",
        "sql",
        "CREATE TABLE two.u AS SELECT * FROM t",
        "sql",
        "ATTACH 'plain.db' AS plain",
        "sql",
        "CREATE TABLE plain.u AS SELECT * FROM t",
        "close",
        "open",
        "app/two",
        "sql",
        "SELECT x FROM u",
    ];
    assert_eq!(probe(&place, &actions), "open 0\nclose 0\nopen 0\n5\n");
    assert_eq!(place.files(), ["plain.db"]);
    assert!(place.is_database("plain.db"));
}

#[test]
fn the_directory_of_the_program_does_not_matter() {
    let place = Place::new();
    std::fs::create_dir(place.path("sub")).expect("a directory");
    let actions = [
        "open",
        "app",
        "sql",
        MAKE,
        "close",
        "chdir",
        "sub",
        "open",
        "app",
        "sql",
        "SELECT count(*) FROM t",
    ];
    assert_eq!(probe(&place, &actions), "open 0\nclose 0\nchdir 0\nopen 0\n0\n");
    assert_eq!(place.files(), ["sub"]);
}
