//! The system's own `sqlite3` under the preload library.

use hozo_tests::Scratch;

use crate::case::{Case, Need};

const SHELL: &[Need] = &[Need::Program("sqlite3")];

pub(crate) const CASES: &[Case] = &[
    Case::new("writes_and_reads_in_separate_processes", separate_processes).needing(SHELL),
    Case::new("reads_the_past_by_version_and_by_time", the_past).needing(SHELL),
    Case::new("a_snapshot_refuses_a_write_as_read_only", snapshot_is_read_only).needing(SHELL),
    Case::new("dot_backup_writes_a_real_file", backup_to_a_file).needing(SHELL),
    Case::new("attached_databases_commit_together", attached).needing(SHELL),
    Case::new("common_pragmas_and_vacuum_work", pragmas).needing(SHELL),
    Case::new("full_text_and_rtree_work", virtual_tables).needing(SHELL),
];

fn separate_processes() {
    let scratch = Scratch::with_namespace("app");
    scratch.sqlite3("app", &["CREATE TABLE t(x); INSERT INTO t VALUES (1), (2);"]).ok();
    assert_eq!(scratch.sqlite3("app", &["SELECT sum(x) FROM t"]).ok(), "3\n");
    assert!(!scratch.path("app").exists(), "the namespace must not be a file");
}

/// The newest version of a namespace, from `hozo ns log`.
fn newest(scratch: &Scratch, name: &str) -> (String, String) {
    let entry = scratch.log(name).remove(0);
    let text = |key: &str| entry[key].as_str().expect(key).to_owned();
    (text("version"), text("time"))
}

fn the_past() {
    let scratch = Scratch::with_namespace("app");
    scratch.sqlite3("app", &["CREATE TABLE t(x); INSERT INTO t VALUES ('old');"]).ok();
    let (version, time) = newest(&scratch, "app");
    scratch.sqlite3("app", &["UPDATE t SET x = 'new'"]).ok();
    scratch.sqlite3("app", &["DROP TABLE t"]).ok();

    let at = |when: &str| format!("app@{when}");
    assert_eq!(scratch.sqlite3(&at(&version), &["SELECT x FROM t"]).ok(), "old\n");
    assert_eq!(scratch.sqlite3(&at(&time), &["SELECT x FROM t"]).ok(), "old\n");
    scratch.sqlite3("app", &["SELECT x FROM t"]).run().fails(&["no such table"]);
    // Looking back must not have changed the present or the log.
    assert_eq!(scratch.sqlite3(&at(&version), &["SELECT x FROM t"]).ok(), "old\n");
}

fn snapshot_is_read_only() {
    let scratch = Scratch::with_namespace("app");
    scratch.sqlite3("app", &["CREATE TABLE t(x)"]).ok();
    let (version, _) = newest(&scratch, "app");
    let snapshot = format!("app@{version}");
    scratch.sqlite3(&snapshot, &["INSERT INTO t VALUES (1)"]).run().fails(&["readonly"]);
    assert_eq!(scratch.sqlite3("app", &["SELECT count(*) FROM t"]).ok(), "0\n");
}

fn backup_to_a_file() {
    let scratch = Scratch::with_namespace("app");
    scratch.sqlite3("app", &["CREATE TABLE t(x); INSERT INTO t VALUES (42);"]).ok();
    scratch.sqlite3("app", &[".backup copy.db"]).ok();
    let plain = scratch.run("sqlite3").args(["copy.db", "SELECT x FROM t; PRAGMA integrity_check"]);
    assert_eq!(plain.ok(), "42\nok\n");
}

fn attached() {
    let scratch = Scratch::with_namespace("one");
    scratch.hozo(&["ns", "create", "two"]).ok();
    let sql = "ATTACH 'two' AS two; BEGIN; CREATE TABLE a(x); CREATE TABLE two.b(x);
        INSERT INTO a VALUES (1); INSERT INTO two.b VALUES (2); COMMIT;";
    scratch.sqlite3("one", &[sql]).ok();
    assert_eq!(scratch.sqlite3("one", &["SELECT x FROM a"]).ok(), "1\n");
    assert_eq!(scratch.sqlite3("two", &["SELECT x FROM b"]).ok(), "2\n");
    let (one, _) = newest(&scratch, "one");
    let (two, _) = newest(&scratch, "two");
    assert_eq!(one, two, "one commit over both namespaces has one version");
}

fn pragmas() {
    let scratch = Scratch::with_namespace("app");
    let sql = "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; CREATE TABLE t(x);
        INSERT INTO t SELECT randomblob(900) FROM generate_series(1, 500);
        DELETE FROM t WHERE rowid % 2; VACUUM; PRAGMA page_size; PRAGMA integrity_check;
        SELECT count(*) FROM t;";
    let said = scratch.sqlite3("app", &[sql]).ok();
    assert!(said.ends_with("8192\nok\n250\n"), "{said}");
    assert!(!said.contains("wal"), "a journal mode that is not in force was claimed: {said}");
    let later = scratch.sqlite3("app", &["PRAGMA page_size; SELECT count(*) FROM t"]).ok();
    assert_eq!(later, "8192\n250\n");
}

fn virtual_tables() {
    let scratch = Scratch::with_namespace("app");
    let sql = "CREATE VIRTUAL TABLE words USING fts5(text);
        INSERT INTO words VALUES ('tenon and mortise'), ('rail and stile');
        CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1);
        INSERT INTO boxes VALUES (1, 0, 1, 0, 1), (2, 5, 6, 5, 6);";
    scratch.sqlite3("app", &[sql]).ok();
    let sql = "SELECT text FROM words WHERE words MATCH 'mortise';
        SELECT id FROM boxes WHERE x0 > 3;";
    assert_eq!(scratch.sqlite3("app", &[sql]).ok(), "tenon and mortise\n2\n");
}
