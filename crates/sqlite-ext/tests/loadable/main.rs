//! The extension in real programs.

use std::path::PathBuf;

use support::{Place, Ran, Sqlite, built, extension, have, install, sqlites_in};

mod support;

const BOTH: [Sqlite; 2] = [Sqlite::System, Sqlite::Current];

/// Loads the extension in a C program and runs what is given.
fn loader(place: &Place, sqlite: Sqlite, sql: &[&str]) -> Ran {
    let library = extension().display().to_string();
    let mut args = vec![library.as_str()];
    args.extend(sql);
    place.run_bare(&[], built("loader.c", Some(sqlite)), &args)
}

#[test]
fn attach_a_namespace() {
    for sqlite in BOTH {
        let place = Place::new();
        let sql = [
            "ATTACH 'file:app?vfs=hozo' AS h",
            "CREATE TABLE h.t(x)",
            "INSERT INTO h.t VALUES (5)",
            "later",
            "ATTACH 'file:app?vfs=hozo' AS h",
            "SELECT x FROM h.t",
        ];
        let said = loader(&place, sqlite, &sql).quiet().to_owned();
        assert_eq!(said, "load 0 \ndefault vfs kept\n5\n", "{sqlite:?}");
        assert_eq!(place.files(), [""; 0]);
    }
}

/// The library stays when the connection that loaded it goes, and when it is
/// loaded twice.
#[test]
fn it_stays_loaded() {
    for sqlite in BOTH {
        let place = Place::new();
        let sql =
            ["close", "later", "ATTACH 'file:app?vfs=hozo' AS h", "CREATE TABLE h.t(x)", "close"];
        let said = loader(&place, sqlite, &sql).quiet().to_owned();
        assert_eq!(said, "load 0 \ndefault vfs kept\nclose 0\nclose 0\n", "{sqlite:?}");
    }
}

#[test]
fn functions_are_there_now_and_later() {
    for sqlite in BOTH {
        let place = Place::new();
        let count =
            "SELECT count(*) > 0 FROM pragma_function_list WHERE name LIKE 'hozo!_%' ESCAPE '!'";
        let said = loader(&place, sqlite, &[count, "later", count]).quiet().to_owned();
        assert_eq!(said, "load 0 \ndefault vfs kept\n1\n1\n", "{sqlite:?}");
    }
}

/// The child of a process that had a store open is refused, and ends as it
/// would without us.
#[test]
fn forks() {
    for sqlite in BOTH {
        let place = Place::new();
        let attach = "ATTACH 'file:app?vfs=hozo' AS h";
        let ran = loader(&place, sqlite, &["fork", attach, "CREATE TABLE h.t(x)"]);
        assert_eq!(ran.quiet(), "load 0 \ndefault vfs kept\nchild ended 0\n", "{sqlite:?}");
        let ran = loader(&place, sqlite, &[attach, "fork", "later", attach]);
        assert!(
            ran.stdout.contains("unable to open database") && ran.stderr.contains("forked"),
            "{ran:?}"
        );
        assert!(ran.stdout.ends_with("child ended 0\n"), "{ran:?}");
    }
}

#[test]
fn nothing_is_read_before_a_name_is_opened() {
    let place = Place::bare();
    let sql = ["SELECT 1", "ATTACH 'plain.db' AS p", "CREATE TABLE p.t(x)"];
    let said = loader(&place, Sqlite::System, &sql).quiet().to_owned();
    assert_eq!(said, "load 0 \ndefault vfs kept\n1\n");
    assert_eq!(place.files(), ["plain.db"]);
}

#[test]
fn without_a_config_it_says_so() {
    let place = Place::bare();
    let ran = loader(&place, Sqlite::System, &["ATTACH 'file:app?vfs=hozo' AS h"]);
    assert!(ran.stdout.contains("error 14: unable to open database"), "{ran:?}");
    assert!(
        ran.stderr.contains("hozo: cannot open app") && ran.stderr.contains("hozo.toml"),
        "{ran:?}"
    );
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn the_shell_loads_it_by_its_names() {
    if !have("sqlite3") {
        return;
    }
    for name in ["hozo.so", "libhozo_sqlite_ext.so", "anything.so"] {
        let place = Place::new();
        install(&place, name);
        let load = format!(".load ./{}", name.trim_end_matches(".so"));
        let open = ".open file:app?vfs=hozo";
        let args =
            ["-cmd", &load, "-cmd", open, ":memory:", "CREATE TABLE t(x); SELECT count(*) FROM t"];
        assert_eq!(place.run_bare(&[], "sqlite3", &args).quiet(), "0\n", "{name}");
        assert_eq!(place.files(), [name]);
    }
    // Where the linker looks, its name alone is enough.
    let place = Place::new();
    install(&place, "hozo.so");
    let path = [("LD_LIBRARY_PATH", place.path(""))];
    let args =
        ["-cmd", ".load hozo", "-cmd", ".open file:app?vfs=hozo", ":memory:", "CREATE TABLE t(x)"];
    place.run_bare(&path, "sqlite3", &args).quiet();
    let args = ["-cmd", ".load ./hozo sqlite3_hozo_init", ":memory:", "SELECT 1"];
    assert_eq!(place.run_bare(&[], "sqlite3", &args).quiet(), "1\n");
}

#[test]
fn the_config_comes_from_the_environment() {
    if !have("sqlite3") {
        return;
    }
    let (place, elsewhere) = (Place::new(), Place::bare());
    install(&elsewhere, "hozo.so");
    let config: [(&str, PathBuf); 1] = [("HOZO_CONFIG", place.path("hozo.toml"))];
    let args = [
        "-cmd",
        ".load ./hozo",
        "-cmd",
        ".open file:app?vfs=hozo",
        ":memory:",
        "CREATE TABLE t(x)",
    ];
    elsewhere.run_bare(&config, "sqlite3", &args).quiet();
    assert_eq!(elsewhere.files(), ["hozo.so"]);
}

#[test]
fn the_table_is_as_sqlite_has_it() {
    let place = Place::bare();
    let said = place.run_bare(&[], built("slots.c", None), &[] as &[&str]).quiet().to_owned();
    assert_eq!(said, "malloc 68\nauto_extension 192\n");
}

#[test]
fn the_library_exports_its_entry_points_only() {
    if !have("readelf") {
        return;
    }
    let library = extension().display().to_string();
    let symbols = Place::bare().run_bare(&[], "readelf", &["--dyn-syms", "--wide", &library]);
    let mut exported: Vec<&str> = symbols
        .quiet()
        .lines()
        .filter(|line| [" GLOBAL ", " WEAK ", " UNIQUE "].iter().any(|bind| line.contains(bind)))
        .filter(|line| !line.contains(" UND "))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    exported.sort_unstable();
    assert_eq!(exported, ["sqlite3_extension_init", "sqlite3_hozo_init"]);
}

/// Cargo joins the features of all crates that it builds at once, so one that
/// brings an SQLite could bring it in here.
#[test]
fn no_sqlite_is_inside() {
    assert_eq!(sqlites_in(&extension()), 0, "built together with a crate that bundles SQLite");
    let bundles = built("loader.c", Some(Sqlite::Current));
    assert!(sqlites_in(&bundles) > 0, "SQLite has no such mark any more");
}
