//! Namespaces in the SQLite that rusqlite brings.

use std::ops::Deref;
use std::sync::Arc;

use hozo::traits::ErrorKind;
use hozo::{Plan, Registry, Stack};
use hozo_embedded::Connect as _;
use hozo_embedded::rusqlite::{Connection, ErrorCode};
use tempfile::TempDir;

fn stack() -> Over {
    over("[store.main]\nbackend = \"memory\"\n[[namespace]]\nmatch = \"app/*\"\n")
}

/// A stack in a directory of its own.
struct Over {
    stack: Arc<Stack>,
    _dir: TempDir,
}

impl Deref for Over {
    type Target = Arc<Stack>;

    fn deref(&self) -> &Arc<Stack> {
        &self.stack
    }
}

/// A stack whose stores are in memory, as the text says, or in what
/// `HOZO_TEST_STORE` names.
fn over(text: &str) -> Over {
    let dir = TempDir::new().unwrap();
    let mut text = text.to_owned();
    if let Ok(backend) = std::env::var("HOZO_TEST_STORE") {
        for number in 0..text.matches(MEMORY).count() {
            let keys = format!("backend = {backend:?}\npath = \"store-{number}\"");
            text = text.replacen(MEMORY, &keys, 1);
        }
    }
    let plan = Plan::from_text("test", &text, dir.path(), &Registry::builtin());
    let plan = plan.unwrap_or_else(|problems| panic!("{problems}"));
    Over { stack: Stack::open(plan), _dir: dir }
}

const MEMORY: &str = "backend = \"memory\"";

fn one(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn what_one_connection_commits_another_sees() {
    let stack = stack();
    let first = stack.connect("app/a").unwrap();
    let second = stack.connect("app/a").unwrap();
    first.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(one(&second, "SELECT count(*) FROM t"), 1);
    second.execute_batch("INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(one(&first, "SELECT sum(x) FROM t"), 3);
}

#[test]
fn a_name_that_is_not_ours_is_an_error_and_no_file() {
    let stack = stack();
    let error = stack.connect("plain").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("plain"), "{error}");
    assert!(!std::path::Path::new("plain").exists());
    assert_eq!(stack.connect("/tmp/x.db").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(stack.connect("app/none@-5m").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn the_past_is_read_only() {
    let stack = stack();
    let db = stack.connect("app/a").unwrap();
    db.execute_batch("CREATE TABLE t(x)").unwrap();
    let version: String = db.query_row("SELECT hozo_version()", [], |row| row.get(0)).unwrap();
    db.execute_batch("INSERT INTO t VALUES (1)").unwrap();
    let past = stack.connect(&format!("app/a@{version}")).unwrap();
    assert_eq!(one(&past, "SELECT count(*) FROM t"), 0);
    let refused = past.execute("INSERT INTO t VALUES (2)", []).unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::ReadOnly));
    assert_eq!(one(&db, "SELECT count(*) FROM t"), 1);
}

#[test]
fn stacks_do_not_see_each_other() {
    let (one_stack, other_stack) = (stack(), stack());
    let names = [one_stack.register_vfs().unwrap(), other_stack.register_vfs().unwrap()];
    assert_ne!(names[0], names[1]);
    assert_eq!(one_stack.register_vfs().unwrap(), names[0], "again, it is the same");
    let db = one_stack.connect("app/a").unwrap();
    db.execute_batch("CREATE TABLE t(x)").unwrap();
    let other = other_stack.connect("app/a").unwrap();
    assert_eq!(one(&other, "SELECT count(*) FROM sqlite_schema"), 0);
}

#[test]
fn an_ordinary_connection_stays_one() {
    stack().register_vfs().unwrap();
    let plain = Connection::open_in_memory().unwrap();
    plain.execute_batch("CREATE TABLE t(x)").unwrap();
    assert_eq!(one(&plain, "SELECT count(*) FROM sqlite_schema"), 1);
}
