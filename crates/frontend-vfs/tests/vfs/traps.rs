//! The traps into which SQLite on a foreign store falls, one test for each.

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::{ErrorCode, OpenFlags, ffi};

use crate::faults::Gate;
use crate::kit::{Ask, Kit, code};

/// Two connections whose transactions read and write the same row.
fn conflict(kit: &Kit) -> (rusqlite::Connection, rusqlite::Connection) {
    kit.optimistic("app");
    let one = kit.open("app");
    one.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1,0),(2,0)");
    let two = kit.open("app");
    two.run("BEGIN; UPDATE t SET b=b+1 WHERE a=1");
    one.run("UPDATE t SET b=b+10 WHERE a=1");
    (one, two)
}

#[test]
fn a_repeated_commit_after_a_conflict_does_not_succeed() {
    let kit = Kit::new();
    let (one, two) = conflict(&kit);
    assert_eq!(two.code("COMMIT"), ffi::SQLITE_BUSY_SNAPSHOT);
    assert!(two.is_autocommit(), "SQLite rolled back by itself");
    assert!(two.execute_batch("COMMIT").is_err());
    assert_eq!(one.int("SELECT b FROM t WHERE a=1"), 10);
    assert_eq!(two.int("SELECT b FROM t WHERE a=1"), 10);
}

#[test]
fn a_write_after_a_conflict_stores_nothing_of_what_failed() {
    let kit = Kit::new();
    let (one, two) = conflict(&kit);
    assert_eq!(two.code("COMMIT"), ffi::SQLITE_BUSY_SNAPSHOT);
    two.run("UPDATE t SET b=b+100 WHERE a=2");
    assert_eq!(one.int("SELECT sum(b) FROM t"), 110);
    two.run("BEGIN; UPDATE t SET b=b+1 WHERE a=1; COMMIT");
    assert_eq!(one.int("SELECT b FROM t WHERE a=1"), 11);
    one.intact();
}

#[test]
fn an_autocommit_statement_that_conflicts_leaves_nothing() {
    let kit = Kit::new();
    let (one, two) = conflict(&kit);
    two.run("ROLLBACK");
    // The read set is what the cache was filled from, so it must be refreshed.
    two.run("UPDATE t SET b=b+1 WHERE a=1");
    assert_eq!(one.int("SELECT b FROM t WHERE a=1"), 11);
}

fn two_databases(kit: &Kit) -> rusqlite::Connection {
    kit.optimistic("main");
    kit.optimistic("aux");
    let db = kit.open("main");
    db.run("ATTACH 'aux' AS aux");
    db.run("CREATE TABLE main.t(a); CREATE TABLE aux.u(a); INSERT INTO t VALUES(0)");
    db.run("INSERT INTO u VALUES(0)");
    db
}

#[test]
fn two_databases_commit_at_one_version() {
    let kit = Kit::new();
    let db = two_databases(&kit);
    db.run("BEGIN; INSERT INTO t VALUES(1); INSERT INTO u VALUES(2); COMMIT");
    let version = |name: &str| {
        let namespace = kit.namespace(name);
        hozo_traits::exec::block_on(namespace.heads()).unwrap().sequenced.version
    };
    assert_eq!(version("main"), version("aux"));
    assert_eq!(kit.open("main").int("SELECT count(*) FROM t"), 2);
    assert_eq!(kit.open("aux").int("SELECT count(*) FROM u"), 2);
}

#[test]
fn a_conflict_in_one_of_two_databases_stores_neither() {
    for conflicting in ["main", "aux"] {
        let kit = Kit::new();
        let db = two_databases(&kit);
        db.run("BEGIN; INSERT INTO t VALUES(1); INSERT INTO u VALUES(2)");
        let table = if conflicting == "main" { "t" } else { "u" };
        kit.open(conflicting).run(&format!("INSERT INTO {table} VALUES(100)"));
        assert_eq!(db.code("COMMIT"), ffi::SQLITE_BUSY_SNAPSHOT, "{conflicting}");
        assert!(db.is_autocommit());
        let sums = |db: &rusqlite::Connection| {
            (db.int("SELECT sum(a) FROM t"), db.int("SELECT sum(a) FROM u"))
        };
        let expected = if conflicting == "main" { (100, 0) } else { (0, 100) };
        assert_eq!(sums(&db), expected, "the connection that failed");
        let fresh = kit.open("main");
        fresh.run("ATTACH 'aux' AS aux");
        assert_eq!(sums(&fresh), expected, "a new connection");
        db.run("BEGIN; INSERT INTO t VALUES(1); INSERT INTO u VALUES(2); COMMIT");
        assert_eq!(sums(&fresh), (expected.0 + 1, expected.1 + 2), "after trying again");
        fresh.intact();
    }
}

#[test]
fn three_databases_in_serial_mode_and_a_rollback() {
    let kit = Kit::new();
    let db = kit.open("a");
    db.run("ATTACH 'b' AS b; ATTACH 'c' AS c");
    db.run("CREATE TABLE main.t(x); CREATE TABLE b.t(x); CREATE TABLE c.t(x)");
    let insert =
        "INSERT INTO main.t VALUES(1); INSERT INTO b.t VALUES(1); INSERT INTO c.t VALUES(1)";
    db.run(&format!("BEGIN; {insert}; COMMIT"));
    db.run(&format!("BEGIN; {insert}; ROLLBACK"));
    db.run(&format!("BEGIN; {insert}; COMMIT"));
    for name in ["a", "b", "c"] {
        assert_eq!(kit.open(name).int("SELECT count(*) FROM t"), 2, "{name}");
    }
}

#[test]
fn two_databases_commit_together_with_synchronous_off() {
    // With OFF SQLite itself would commit them one after the other.
    let kit = Kit::new();
    let db = two_databases(&kit);
    db.run("PRAGMA main.synchronous=OFF; PRAGMA aux.synchronous=OFF");
    assert_eq!(db.text("PRAGMA synchronous"), "0");
    db.run("BEGIN; INSERT INTO t VALUES(1); INSERT INTO u VALUES(2)");
    kit.open("aux").run("INSERT INTO u VALUES(100)");
    assert_eq!(db.code("COMMIT"), ffi::SQLITE_BUSY_SNAPSHOT);
    assert_eq!(kit.open("main").int("SELECT sum(a) FROM t"), 0);
}

#[test]
fn a_rollback_after_a_cache_spill_is_no_commit() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    db.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) \
            INSERT INTO t SELECT i, randomblob(200) FROM n",
    );
    let before = db.text("SELECT hex(sum(length(b))) || count(*) FROM t");
    let commits = kit.commits("app");
    db.run("PRAGMA cache_size=10; BEGIN; UPDATE t SET b=zeroblob(300); DELETE FROM t WHERE a%3=0");
    db.run("ROLLBACK");
    assert_eq!(kit.commits("app"), commits, "a rollback is no commit");
    assert_eq!(db.text("SELECT hex(sum(length(b))) || count(*) FROM t"), before);
    assert_eq!(kit.open("app").text("SELECT hex(sum(length(b))) || count(*) FROM t"), before);
    db.run("UPDATE t SET b=1 WHERE a=1");
    db.intact();
}

#[test]
fn a_rollback_that_leaves_free_pages_changed_is_no_commit() {
    // What free pages held is not journaled, so it is not restored.
    let kit = Kit::new();
    let db = kit.open("app");
    db.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE TABLE u(a)");
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000) \
                INSERT INTO t SELECT i, randomblob(400) FROM n";
    db.run(fill);
    db.run("DELETE FROM t; INSERT INTO u VALUES(1)");
    let commits = kit.commits("app");
    db.run("PRAGMA cache_size=5; BEGIN");
    db.run(fill);
    db.run("ROLLBACK");
    assert_eq!(kit.commits("app"), commits);
    db.run("BEGIN");
    db.run(fill);
    db.run("COMMIT");
    assert_eq!(kit.open("app").int("SELECT count(*) FROM t"), 1000);
    db.intact();
}

#[test]
fn a_conflict_after_a_cache_spill_rolls_back() {
    let kit = Kit::new();
    kit.optimistic("app");
    let db = kit.open("app");
    db.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    db.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) \
            INSERT INTO t SELECT i, zeroblob(200) FROM n",
    );
    db.run("PRAGMA cache_size=10; BEGIN; UPDATE t SET b=zeroblob(300)");
    let other = kit.open("app");
    other.run("UPDATE t SET b=1 WHERE a=1000");
    assert_eq!(db.code("COMMIT"), ffi::SQLITE_BUSY_SNAPSHOT);
    assert_eq!(db.int("SELECT count(*) FROM t WHERE length(b)=200"), 1999);
    db.intact();
    db.run("UPDATE t SET b=2");
    assert_eq!(other.int("SELECT count(*) FROM t WHERE b=2"), 2000);
    other.intact();
}

#[test]
fn exclusive_locking_mode_is_answered_normal() {
    let kit = Kit::new();
    let db = kit.open("app");
    assert_eq!(db.text("PRAGMA locking_mode=EXCLUSIVE"), "normal");
    db.run("CREATE TABLE t(a)");
    for i in 1..=5 {
        db.run("INSERT INTO t VALUES(1)");
        assert_eq!(kit.open("app").int("SELECT count(*) FROM t"), i);
    }
}

#[test]
fn exclusive_locking_mode_through_the_back_door_loses_nothing_silently() {
    // Asked of a plain main database, the pragma reaches all attached ones
    // without our being told.
    let kit = Kit::new();
    let (_dir, file) = crate::kit::scratch();
    let db = kit.open(file.to_str().unwrap());
    db.run("ATTACH 'app' AS app; CREATE TABLE app.t(a)");
    assert_eq!(db.text("PRAGMA locking_mode=EXCLUSIVE"), "exclusive");
    let mut stored = 0;
    for _ in 0..4 {
        stored += i64::from(db.execute_batch("INSERT INTO app.t VALUES(1)").is_ok());
    }
    drop(db);
    assert_eq!(kit.open("app").int("SELECT count(*) FROM t"), stored);
}

#[test]
fn insert_returning_commits_when_the_statement_ends() {
    let kit = Kit::new();
    kit.optimistic("app");
    let db = kit.open("app");
    db.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    let sql = "INSERT INTO t(b) VALUES('x'),('y') RETURNING a";
    {
        let mut statement = db.prepare(sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        assert_eq!(rows.next().unwrap().unwrap().get::<_, i64>(0).unwrap(), 1);
        assert_eq!(kit.open("app").int("SELECT count(*) FROM t"), 0);
        assert_eq!(rows.next().unwrap().unwrap().get::<_, i64>(0).unwrap(), 2);
        assert!(rows.next().unwrap().is_none());
    }
    assert_eq!(kit.open("app").int("SELECT count(*) FROM t"), 2);
    // A conflict is told by the step that ends the statement.
    let mut statement = db.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    rows.next().unwrap();
    kit.open("app").run("INSERT INTO t(b) VALUES('z')");
    rows.next().unwrap();
    let failed = rows.next().map(|_| ()).unwrap_err();
    assert_eq!(code(failed), ffi::SQLITE_BUSY_SNAPSHOT);
    drop(rows);
    drop(statement);
    assert_eq!(db.int("SELECT count(*) FROM t"), 3);
}

#[test]
fn a_failed_read_inside_a_transaction_cannot_be_committed_over() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let db = kit.open("app");
    db.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE TABLE u(a)");
    db.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500) \
            INSERT INTO t SELECT i, zeroblob(300) FROM n",
    );
    drop(db);
    kit.forget_cache();
    let db = kit.open("app");
    db.run("BEGIN; INSERT INTO u VALUES(1)");
    gate.fail_reads(true);
    assert_eq!(db.code("UPDATE t SET b=1") & 0xff, ffi::SQLITE_IOERR);
    gate.fail_reads(false);
    // SQLite has rolled back the whole transaction, as it does on I/O errors.
    assert!(db.execute_batch("COMMIT").is_err());
    assert_eq!(kit.open("app").int("SELECT count(*) FROM u"), 0);
    db.run("UPDATE t SET b=2; INSERT INTO u VALUES(2)");
    assert_eq!(kit.open("app").int("SELECT count(*) FROM t WHERE b=2"), 500);
    db.intact();
}

#[test]
fn a_write_to_a_snapshot_is_read_only() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let version = kit.head("app").version;
    db.run("INSERT INTO t VALUES(2)");
    let old = kit.open(&format!("app@{version}"));
    assert_eq!(old.int("SELECT count(*) FROM t"), 1);
    assert!(old.is_readonly("main").unwrap());
    assert_eq!(old.code("INSERT INTO t VALUES(3)") & 0xff, ffi::SQLITE_READONLY);
    assert_eq!(old.code("CREATE TABLE u(a)") & 0xff, ffi::SQLITE_READONLY);
    assert_eq!(old.int("SELECT count(*) FROM t"), 1);
    old.intact();
}

#[test]
fn the_busy_timeout_ends_a_wait_for_the_writer() {
    let kit = Kit::new();
    let one = kit.open("app");
    one.run("CREATE TABLE t(a)");
    let mut two = kit.open("app");
    one.run("BEGIN IMMEDIATE");
    assert_eq!(two.code("BEGIN IMMEDIATE"), ffi::SQLITE_BUSY);
    two.busy_timeout(Duration::from_millis(30)).unwrap();
    assert_eq!(two.code("INSERT INTO t VALUES(1)"), ffi::SQLITE_BUSY);
    static CALLS: AtomicI32 = AtomicI32::new(0);
    two.busy_handler(Some(|n| {
        CALLS.store(n, Ordering::Relaxed);
        n < 3
    }))
    .unwrap();
    assert_eq!(two.code("BEGIN IMMEDIATE"), ffi::SQLITE_BUSY);
    assert_eq!(CALLS.load(Ordering::Relaxed), 3);
    one.run("COMMIT");
    two.run("INSERT INTO t VALUES(1)");
}

#[test]
fn a_patient_writer_gets_its_turn() {
    let kit = Kit::new();
    let one = kit.open("app");
    one.run("CREATE TABLE t(a)");
    one.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)");
    let two = kit.open_patient("app");
    two.int("SELECT count(*) FROM t");
    std::thread::scope(|scope| {
        let two = two;
        let waiting = scope.spawn(move || two.run("INSERT INTO t VALUES(2)"));
        std::thread::sleep(Duration::from_millis(50));
        one.run("COMMIT");
        waiting.join().unwrap();
    });
    assert_eq!(one.int("SELECT count(*) FROM t"), 2);
}

#[test]
fn an_interrupt_ends_a_wait_for_the_writer() {
    let kit = Kit::new();
    let one = kit.open("app");
    one.run("CREATE TABLE t(a)");
    one.run("BEGIN IMMEDIATE");
    let mut two = kit.open("app");
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    two.busy_handler(Some(|_| {
        ASKED.fetch_add(1, Ordering::SeqCst);
        true
    }))
    .unwrap();
    let interrupt = two.get_interrupt_handle();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || two.execute_batch("BEGIN IMMEDIATE"));
        while ASKED.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        interrupt.interrupt();
        let e = waiting.join().unwrap().unwrap_err();
        assert_eq!(e.sqlite_error_code(), Some(ErrorCode::OperationInterrupted));
    });
    one.run("COMMIT");
}

#[test]
fn an_interrupt_ends_a_wait_for_the_disk() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let one = kit.open("app");
    one.run("CREATE TABLE t(a)");
    let two = kit.open("app");
    two.int("SELECT count(*) FROM t");
    gate.hold();
    one.run("PRAGMA synchronous=NORMAL; CREATE TABLE u(a)");
    let interrupt = two.get_interrupt_handle();
    std::thread::scope(|scope| {
        // The commit in flight wrote page 1, so this waits for it.
        let before = gate.durable_waits();
        let waiting = scope.spawn(move || two.query_row("SELECT count(*) FROM t", [], |_| Ok(())));
        while gate.durable_waits() == before {
            std::thread::yield_now();
        }
        interrupt.interrupt();
        let e = waiting.join().unwrap().unwrap_err();
        assert_eq!(e.sqlite_error_code(), Some(ErrorCode::OperationInterrupted));
    });
    gate.release();
}

#[test]
fn a_reader_does_not_write() {
    let kit = Kit::new();
    kit.open("app").run("CREATE TABLE t(a)");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags_and_vfs("app", flags, kit.vfs.as_str()).unwrap();
    assert_eq!(db.code("INSERT INTO t VALUES(1)") & 0xff, ffi::SQLITE_READONLY);
    assert!(
        rusqlite::Connection::open_with_flags_and_vfs("none", flags, kit.vfs.as_str())
            .and_then(|db| db.query_row("SELECT 1 FROM sqlite_schema", [], |_| Ok(())))
            .is_err()
    );
}
