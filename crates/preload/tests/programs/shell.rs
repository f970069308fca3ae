//! The distribution's `sqlite3` and CPython.

use crate::support::{Place, Preloaded as _, have, store_stays};

#[test]
fn the_shell_uses_a_namespace() {
    if !have("sqlite3") {
        return;
    }
    let place = Place::new();
    let sql = "CREATE TABLE t(x); INSERT INTO t VALUES (1), (2); SELECT sum(x) FROM t;";
    assert_eq!(place.run("sqlite3", &["app", sql]).quiet(), "3\n");
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn the_next_shell_finds_it() {
    if !have("sqlite3") || !store_stays() {
        return;
    }
    let place = Place::new();
    place.run("sqlite3", &["app", "CREATE TABLE t(x); INSERT INTO t VALUES (7)"]).quiet();
    assert_eq!(place.run("sqlite3", &["app", "SELECT x FROM t"]).quiet(), "7\n");
    // Without a rule, too: it exists.
    place.configure("");
    assert_eq!(place.run("sqlite3", &["app", "SELECT x FROM t"]).quiet(), "7\n");
    assert_eq!(place.run("sqlite3", &["file:app?mode=ro", "SELECT x FROM t"]).quiet(), "7\n");
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn backup_writes_a_real_file() {
    if !have("sqlite3") {
        return;
    }
    let place = Place::new();
    let args =
        ["app", "CREATE TABLE t(x); INSERT INTO t VALUES (7)", ".backup copy.db", ".save save.db"];
    place.run("sqlite3", &args).quiet();
    for name in ["copy.db", "save.db"] {
        assert!(place.is_database(name));
        assert_eq!(place.run_bare(&[], "sqlite3", &[name, "SELECT x FROM t"]).quiet(), "7\n");
    }
}

#[test]
fn the_shell_says_why() {
    if !have("sqlite3") {
        return;
    }
    let place = Place::bare();
    let ran = place.run("sqlite3", &["app", "SELECT 1"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let line = ran.stderr.lines().find(|line| line.starts_with("Error: unable to open database"));
    assert!(line.is_some_and(|line| line.contains("hozo.toml")), "{ran:?}");
}

const PYTHON: &str = "
import sqlite3
db = sqlite3.connect('app')
with db:
    db.execute('CREATE TABLE t(x)')
    db.executemany('INSERT INTO t VALUES (?)', [(i,) for i in range(100)])
print(db.execute('SELECT count(*), sum(x) FROM t').fetchone())
print(sqlite3.connect('file:app?mode=ro', uri=True).execute('SELECT max(x) FROM t').fetchone())
";

/// Its module is loaded with `RTLD_LOCAL`, and its SQLite with it.
#[test]
fn python_uses_a_namespace() {
    if !have("python3") {
        return;
    }
    let place = Place::new();
    assert_eq!(place.run("python3", &["-c", PYTHON]).quiet(), "(100, 4950)\n(99,)\n");
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn python_says_why() {
    if !have("python3") {
        return;
    }
    let place = Place::bare();
    let script = "import sqlite3\ntry: sqlite3.connect('app')\nexcept sqlite3.OperationalError as e: print(e)";
    let ran = place.run("python3", &["-c", script]);
    assert!(ran.stdout.contains("hozo.toml"), "{ran:?}");
}
