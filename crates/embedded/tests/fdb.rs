//! SQLite over the backend `fdb` and the test double of its client library: two
//! stacks are what two processes would be.
#![cfg(feature = "fdb")]

use std::sync::Arc;

use hozo::{Plan, Registry, Stack};
use hozo_embedded::Connect as _;
use hozo_embedded::rusqlite::{Connection, ErrorCode};
use tempfile::TempDir;

/// A stack over the store of this prefix.
fn stack(prefix: &str, concurrency: &str) -> Arc<Stack> {
    let exe = std::env::current_exe().unwrap();
    let (start, end) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let double = exe.with_file_name(format!("{start}hozo_fdb_double{end}"));
    assert!(double.exists(), "{} was not built", double.display());
    let text = format!(
        "[store.main]\nbackend = \"fdb\"\ncluster = \"hozo:double@127.0.0.1:4500\"\n\
         prefix = {prefix:?}\nclient_library = {double:?}\n\
         [[namespace]]\nmatch = \"app/*\"\n{concurrency}\n"
    );
    let dir = TempDir::new().unwrap();
    let plan = Plan::from_text("test", &text, dir.path(), &Registry::builtin());
    Stack::open(plan.unwrap_or_else(|problems| panic!("{problems}")))
}

const OPTIMISTIC: &str = "concurrency = \"optimistic\"";

fn one(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn is_whole(db: &Connection) {
    let said: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
}

#[test]
fn what_one_process_commits_another_sees() {
    let (first, second) = (stack("see/", OPTIMISTIC), stack("see/", OPTIMISTIC));
    let (first, second) = (first.connect("app/a").unwrap(), second.connect("app/a").unwrap());
    first.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(one(&second, "SELECT count(*) FROM t"), 1);
    second.execute_batch("INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(one(&first, "SELECT sum(x) FROM t"), 3);
    is_whole(&first);
}

#[test]
fn the_past_stays_through_everything_that_sqlite_does() {
    let stack = stack("past/", OPTIMISTIC);
    let db = stack.connect("app/a").unwrap();
    db.execute_batch(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT); CREATE INDEX i ON t(x);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
         INSERT INTO t SELECT i, hex(i * 7919) || 'and some more text for a row' FROM n",
    )
    .unwrap();
    let version: String = db.query_row("SELECT hozo_version()", [], |row| row.get(0)).unwrap();
    db.execute_batch("UPDATE t SET x = 'changed' WHERE id % 3 = 0").unwrap();
    db.execute_batch("DELETE FROM t WHERE id > 15000; VACUUM").unwrap();
    is_whole(&db);
    assert_eq!(one(&db, "SELECT count(*) FROM t WHERE x = 'changed'"), 5000);
    let old = stack.connect(&format!("app/a@{version}")).unwrap();
    is_whole(&old);
    assert_eq!(one(&old, "SELECT count(*) FROM t"), 20_000);
    assert_eq!(one(&old, "SELECT count(*) FROM t WHERE x = 'changed'"), 0);
}

#[test]
fn who_read_what_another_process_changed_is_told_at_commit() {
    let (first, second) = (stack("told/", OPTIMISTIC), stack("told/", OPTIMISTIC));
    let (first, second) = (first.connect("app/a").unwrap(), second.connect("app/a").unwrap());
    first.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (1)").unwrap();
    second.execute_batch("BEGIN").unwrap();
    let read = one(&second, "SELECT x FROM t");
    first.execute_batch("UPDATE t SET x = x + 1").unwrap();
    let update = format!("UPDATE t SET x = {read} + 1; COMMIT");
    let error = second.execute_batch(&update).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy), "{error}");
    let _ = second.execute_batch("ROLLBACK");
    second.execute_batch("UPDATE t SET x = x + 1").unwrap();
    assert_eq!(one(&first, "SELECT x FROM t"), 3);
}

#[test]
fn serial_is_an_error_that_waiting_does_not_help() {
    let stack = stack("serial/", "");
    let db = stack.connect("app/a").unwrap();
    let error = db.execute_batch("CREATE TABLE t(x)").unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::Unknown), "{error}");
    assert_eq!(one(&db, "SELECT count(*) FROM sqlite_schema"), 0);
}
