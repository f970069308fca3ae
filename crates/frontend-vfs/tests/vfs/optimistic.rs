//! Optimistic mode: what a commit depends on.

use rusqlite::ffi;

use crate::kit::{Ask, Kit};
use crate::serial::with_rows;

#[test]
fn an_optimistic_commit_is_busy_while_a_serial_writer_is_at_work() {
    let kit = Kit::new();
    let one = with_rows(&kit);
    one.run("UPDATE t SET b=zeroblob(900)");
    let two = kit.open("app");
    two.text("PRAGMA hozo_concurrency=optimistic");
    two.run("BEGIN; UPDATE t SET b=zeroblob(901) WHERE a=1");
    one.run("BEGIN IMMEDIATE; UPDATE t SET b=zeroblob(902) WHERE a=400");
    // As in stock SQLite the transaction stays, and the commit can be repeated.
    assert_eq!(two.code("COMMIT"), ffi::SQLITE_BUSY);
    assert!(!two.is_autocommit());
    one.run("COMMIT");
    two.run("COMMIT");
    assert_eq!(one.int("SELECT length(b) FROM t WHERE a=1"), 901);
    assert_eq!(two.int("SELECT length(b) FROM t WHERE a=400"), 902);
}

#[test]
fn optimistic_writers_of_different_pages_do_not_conflict() {
    let kit = Kit::new();
    kit.optimistic("app");
    let one = with_rows(&kit);
    one.run("UPDATE t SET b=zeroblob(900)");
    let two = kit.open("app");
    two.run("BEGIN; UPDATE t SET b=zeroblob(901) WHERE a=1");
    one.run("BEGIN; UPDATE t SET b=zeroblob(902) WHERE a=400; COMMIT");
    two.run("COMMIT");
    assert_eq!(one.int("SELECT length(b) FROM t WHERE a=1"), 901);
    assert_eq!(two.int("SELECT length(b) FROM t WHERE a=400"), 902);
    two.intact();
}

#[test]
fn an_optimistic_transaction_depends_on_what_its_cache_was_filled_from() {
    // Two transactions that each read what the other writes (write skew). The
    // reads come from SQLite's cache, so xRead is not called for them.
    let kit = Kit::new();
    kit.optimistic("app");
    let one = with_rows(&kit);
    one.run("UPDATE t SET b=zeroblob(900)");
    let two = kit.open("app");
    for db in [&one, &two] {
        db.int("SELECT sum(length(b)) FROM t");
    }
    two.run("BEGIN; UPDATE t SET b=(SELECT length(b)+1 FROM t WHERE a=400) WHERE a=1");
    one.run("BEGIN; UPDATE t SET b=(SELECT length(b)+1 FROM t WHERE a=1) WHERE a=400; COMMIT");
    assert_eq!(two.code("COMMIT"), ffi::SQLITE_BUSY_SNAPSHOT);
}

#[test]
fn an_optimistic_transaction_depends_on_what_its_connection_wrote() {
    // The new page is in SQLite's cache without ever having been read.
    let kit = Kit::new();
    kit.optimistic("app");
    let one = kit.open("app");
    one.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1,0)");
    let two = kit.open("app");
    one.run("BEGIN; UPDATE t SET b=b+1");
    two.run("UPDATE t SET b=b+10");
    assert_eq!(one.code("COMMIT"), ffi::SQLITE_BUSY_SNAPSHOT);
    assert_eq!(one.int("SELECT b FROM t"), 10);
}
