//! Serial mode: who may write, and from which snapshot.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::{Connection, ffi};

use crate::faults::Gate;
use crate::kit::{Ask, Kit};

const ROWS: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b); \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<400) \
    INSERT INTO t SELECT i, 0 FROM n";

pub(crate) fn with_rows(kit: &Kit) -> Connection {
    let db = kit.open("app");
    db.run(ROWS);
    db
}

#[test]
fn an_upgrade_after_somebody_committed_is_told_at_once() {
    let kit = Kit::new();
    let one = with_rows(&kit);
    // A handler that would wait for ever is not even asked.
    let mut two = kit.open("app");
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    two.busy_handler(Some(|_| {
        ASKED.fetch_add(1, Ordering::SeqCst);
        true
    }))
    .unwrap();
    two.run("BEGIN");
    assert_eq!(two.int("SELECT sum(b) FROM t"), 0);
    one.run("UPDATE t SET b=1 WHERE a=1");
    assert_eq!(two.code("UPDATE t SET b=2 WHERE a=2"), ffi::SQLITE_BUSY_SNAPSHOT);
    assert_eq!(ASKED.load(Ordering::SeqCst), 0);
    // The transaction is still there, and still reads its snapshot.
    assert_eq!(two.int("SELECT sum(b) FROM t"), 0);
    two.run("ROLLBACK; UPDATE t SET b=2 WHERE a=2");
    assert_eq!(one.int("SELECT sum(b) FROM t"), 3);
}

#[test]
fn an_upgrade_from_a_warm_cache_is_told_too() {
    // The snapshot was read from SQLite's cache, so the VFS saw no read at all.
    let kit = Kit::new();
    let (one, two) = (with_rows(&kit), kit.open("app"));
    assert_eq!(two.int("SELECT sum(b) FROM t"), 0);
    two.run("BEGIN");
    assert_eq!(two.int("SELECT sum(b) FROM t"), 0);
    one.run("UPDATE t SET b=1 WHERE a=1");
    assert_eq!(two.code("UPDATE t SET b=2 WHERE a=2"), ffi::SQLITE_BUSY_SNAPSHOT);
    two.run("ROLLBACK");
}

#[test]
fn an_upgrade_while_nobody_committed_succeeds() {
    let kit = Kit::new();
    let one = with_rows(&kit);
    one.run("BEGIN");
    assert_eq!(one.int("SELECT sum(b) FROM t"), 0);
    one.run("UPDATE t SET b=1 WHERE a=1; COMMIT");
    assert_eq!(kit.open("app").int("SELECT sum(b) FROM t"), 1);
}

#[test]
fn an_upgrade_waits_for_a_writer_that_rolls_back() {
    let kit = Kit::new();
    let one = with_rows(&kit);
    let mut two = kit.open("app");
    two.run("BEGIN");
    assert_eq!(two.int("SELECT sum(b) FROM t"), 0);
    one.run("BEGIN IMMEDIATE; UPDATE t SET b=1");
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    two.busy_handler(Some(|_| {
        ASKED.fetch_add(1, Ordering::SeqCst);
        true
    }))
    .unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || two.run("UPDATE t SET b=2 WHERE a=1; COMMIT"));
        while ASKED.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        one.run("ROLLBACK");
        waiting.join().unwrap();
    });
    assert_eq!(one.int("SELECT sum(b) FROM t"), 2);
}

#[test]
fn a_read_transaction_is_one_snapshot() {
    let kit = Kit::new();
    let one = with_rows(&kit);
    let two = kit.open("app");
    two.run("BEGIN");
    assert_eq!(two.int("SELECT sum(b) FROM t"), 0);
    one.run("UPDATE t SET b=1; CREATE TABLE u(a)");
    assert_eq!(two.int("SELECT sum(b) FROM t"), 0);
    assert_eq!(two.int("SELECT count(*) FROM sqlite_schema"), 1);
    two.run("COMMIT");
    assert_eq!(two.int("SELECT sum(b) FROM t"), 400);
    assert_eq!(two.int("SELECT count(*) FROM sqlite_schema"), 2);
}

/// Runs `call` while the store holds back what becomes durable, and releases it
/// once somebody waits for that.
fn while_in_flight<T: Send>(gate: &Gate, call: impl FnOnce() -> T + Send) -> T {
    let before = gate.durable_waits();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(call);
        while gate.durable_waits() == before && !waiting.is_finished() {
            std::thread::yield_now();
        }
        gate.release();
        waiting.join().unwrap()
    })
}

#[test]
fn a_writer_moves_up_to_commits_in_flight() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let one = with_rows(&kit);
    one.run("PRAGMA synchronous=NORMAL");
    let two = kit.open("app");
    assert_eq!(two.int("SELECT sum(b) FROM t"), 0);
    gate.hold();
    one.run("UPDATE t SET b=1 WHERE a=1");
    // A reader does not see what is not durable, and is not held up by it.
    assert_eq!(two.int("SELECT sum(b) FROM t"), 0);
    // A writer builds on it, with no busy error and no retry.
    while_in_flight(&gate, move || {
        two.run("BEGIN IMMEDIATE");
        assert_eq!(two.int("SELECT sum(b) FROM t"), 1);
        two.run("UPDATE t SET b=b+1 WHERE a=1; COMMIT");
    });
    assert_eq!(one.int("SELECT sum(b) FROM t"), 2);
    one.intact();
}

#[test]
fn writers_do_not_wait_for_each_others_disk() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let writers: Vec<Connection> = (0..4).map(|_| kit.open("app")).collect();
    writers[0].run(ROWS);
    gate.hold();
    let before = gate.durable_waits();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = writers
            .into_iter()
            .enumerate()
            .map(|(i, db)| {
                db.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
                scope.spawn(move || db.run(&format!("UPDATE t SET b=b+1 WHERE a={}", i + 1)))
            })
            .collect();
        // All four are sequenced and wait for the disk at the same time.
        while gate.durable_waits() < before + 4 {
            std::thread::yield_now();
        }
        assert_eq!(gate.written().iter().filter(|w| w.pages != [vec![]]).count(), 4 + 2);
        gate.release();
        waiting.into_iter().for_each(|w| w.join().unwrap());
    });
    assert_eq!(kit.open("app").int("SELECT sum(b) FROM t"), 4);
}

#[test]
fn a_writer_that_comes_back_does_not_wait_for_the_disk() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let one = with_rows(&kit);
    one.run("PRAGMA synchronous=NORMAL");
    let two = kit.open("app");
    two.int("SELECT sum(b) FROM t");
    // A first try from a warm cache, just after which somebody commits.
    two.run("BEGIN; SELECT sum(b) FROM t");
    gate.hold();
    one.run("UPDATE t SET b=1 WHERE a=1");
    assert_eq!(two.code("UPDATE t SET b=2 WHERE a=2"), ffi::SQLITE_BUSY_SNAPSHOT);
    two.run("ROLLBACK");
    let before = gate.durable_waits();
    two.run("BEGIN IMMEDIATE");
    assert_eq!(two.int("SELECT sum(b) FROM t"), 1);
    assert_eq!(gate.durable_waits(), before);
    while_in_flight(&gate, move || two.run("UPDATE t SET b=2 WHERE a=2; COMMIT"));
    assert_eq!(one.int("SELECT sum(b) FROM t"), 3);
}

#[test]
fn commits_in_flight_that_write_page_one_are_waited_for() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let one = with_rows(&kit);
    one.run("PRAGMA synchronous=NORMAL");
    let two = kit.open("app");
    assert_eq!(two.int("SELECT count(*) FROM sqlite_schema"), 1);
    gate.hold();
    one.run("CREATE TABLE u(a)");
    while_in_flight(&gate, move || two.run("BEGIN IMMEDIATE; INSERT INTO u VALUES(1); COMMIT"));
    assert_eq!(one.int("SELECT count(*) FROM u"), 1);
}

#[test]
fn synchronous_normal_reads_and_writes_what_is_sequenced() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let one = with_rows(&kit);
    let two = kit.open("app");
    for db in [&one, &two] {
        db.run("PRAGMA synchronous=NORMAL");
    }
    gate.hold();
    one.run("UPDATE t SET b=1 WHERE a=1");
    two.run("UPDATE t SET b=2 WHERE a=2");
    assert_eq!(one.int("SELECT sum(b) FROM t"), 3);
    gate.release();
}

#[test]
fn a_connection_that_becomes_full_still_sees_its_own_commits() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let one = with_rows(&kit);
    gate.hold();
    one.run("PRAGMA synchronous=OFF; UPDATE t SET b=1 WHERE a=1; PRAGMA synchronous=FULL");
    assert_eq!(while_in_flight(&gate, move || one.int("SELECT sum(b) FROM t")), 1);
}

#[test]
fn the_cache_is_kept_while_nothing_changed() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let db = with_rows(&kit);
    db.int("SELECT sum(b) FROM t");
    let only_page_one = |sql: &str| {
        kit.forget_cache();
        gate.read();
        let sum = db.int(sql);
        assert!(gate.read().iter().all(|page| *page == 1), "the counter is compared");
        sum
    };
    assert_eq!(only_page_one("SELECT sum(b) FROM t"), 0);
    db.run("UPDATE t SET b=1 WHERE a=1");
    assert_eq!(only_page_one("SELECT sum(b) FROM t"), 1, "own commits keep the cache");
    kit.open("app").run("UPDATE t SET b=2 WHERE a=1");
    kit.forget_cache();
    gate.read();
    assert_eq!(db.int("SELECT sum(b) FROM t"), 2);
    assert!(gate.read().iter().any(|page| *page != 1), "a cache of an older version is dropped");
}

#[test]
fn an_ordinary_update_does_not_write_page_one() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let db = with_rows(&kit);
    gate.written();
    db.run("UPDATE t SET b=1 WHERE a=1");
    let written = gate.written();
    assert_eq!(written.len(), 1);
    assert!(!written[0].pages[0].contains(&1), "{written:?}");
    assert_eq!(written[0].pages[0].len(), 1, "{written:?}");
    assert!(written[0].patched < 100 && written[0].whole == 0, "{written:?}");
}

#[test]
fn a_transaction_that_changes_nothing_is_no_commit() {
    let kit = Kit::new();
    let db = with_rows(&kit);
    let commits = kit.commits("app");
    db.run("BEGIN IMMEDIATE; COMMIT; UPDATE t SET b=b; UPDATE t SET b=1 WHERE a=-1");
    assert_eq!(kit.commits("app"), commits);
    db.run("UPDATE t SET b=1 WHERE a=1");
    assert_eq!(kit.commits("app"), commits + 1);
    assert_eq!(kit.open("app").int("SELECT sum(b) FROM t"), 1);
}

#[test]
fn data_version_moves_when_others_commit() {
    let kit = Kit::new();
    let one = with_rows(&kit);
    let two = kit.open("app");
    let before = one.int("PRAGMA data_version");
    one.run("UPDATE t SET b=1 WHERE a=1");
    assert_eq!(one.int("PRAGMA data_version"), before);
    two.run("UPDATE t SET b=2 WHERE a=1");
    assert_ne!(one.int("PRAGMA data_version"), before);
}

/// Increments by many threads, retrying as an application would.
fn increments(kit: &Kit, begin: &str) {
    const THREADS: usize = 8;
    const EACH: usize = 40;
    let start = Barrier::new(THREADS);
    let retries = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (start, retries) = (&start, &retries);
            let db = kit.open_patient("app");
            scope.spawn(move || {
                start.wait();
                for i in 0..EACH {
                    let id = ((thread * 7 + i) % 5 + 1) as i64;
                    while let Err(e) = increment(&db, begin, id) {
                        let code = crate::kit::code(e);
                        assert_eq!(code & 0xff, ffi::SQLITE_BUSY, "{code}");
                        retries.fetch_add(1, Ordering::Relaxed);
                        if !db.is_autocommit() {
                            db.run("ROLLBACK");
                        }
                    }
                }
            });
        }
    });
    let db = kit.open("app");
    assert_eq!(db.int("SELECT sum(b) FROM t"), (THREADS * EACH) as i64);
    assert_eq!(db.int("SELECT count(*) FROM log"), (THREADS * EACH) as i64);
    db.intact();
    println!("{begin}: {} retries", retries.load(Ordering::Relaxed));
    if begin == "BEGIN IMMEDIATE" && kit.serial {
        assert_eq!(retries.load(Ordering::Relaxed), 0, "the busy timeout covers all waits");
    }
}

fn increment(db: &Connection, begin: &str, id: i64) -> rusqlite::Result<()> {
    db.execute_batch(begin)?;
    let b: i64 = db.query_row("SELECT b FROM t WHERE a=?1", [id], |row| row.get(0))?;
    db.execute("UPDATE t SET b=?1 WHERE a=?2", (b + 1, id))?;
    // Grows the file, so page 1 changes now and then.
    db.execute("INSERT INTO log VALUES(zeroblob(500))", [])?;
    db.execute_batch("COMMIT")
}

#[test]
fn no_update_is_lost_among_serial_writers() {
    for begin in ["BEGIN IMMEDIATE", "BEGIN"] {
        let kit = Kit::new();
        with_rows(&kit).run("CREATE TABLE log(a)");
        increments(&kit, begin);
    }
}

#[test]
fn no_update_is_lost_among_optimistic_writers() {
    let mut kit = Kit::new();
    kit.serial = false;
    kit.optimistic("app");
    with_rows(&kit).run("CREATE TABLE log(a)");
    increments(&kit, "BEGIN");
}

#[test]
fn no_update_is_lost_when_both_kinds_write() {
    let mut kit = Kit::new();
    kit.serial = false;
    with_rows(&kit).run("CREATE TABLE log(a)");
    std::thread::scope(|scope| {
        let kit = &kit;
        let total = 30;
        for i in 0..4 {
            scope.spawn(move || {
                let db = kit.open_patient("app");
                let serial = i % 2 == 0;
                let mode = if serial { "serial" } else { "optimistic" };
                assert_eq!(db.text(&format!("PRAGMA hozo_concurrency={mode}")), mode);
                let mut failed_commits = 0;
                for _ in 0..total {
                    while let Err(e) = increment(&db, "BEGIN IMMEDIATE", 1) {
                        assert_eq!(crate::kit::code(e) & 0xff, ffi::SQLITE_BUSY);
                        failed_commits += 1;
                    }
                }
                // COMMIT never fails by conflict in serial mode, whoever else writes.
                assert!(!serial || failed_commits == 0, "{failed_commits} conflicts");
            });
        }
    });
    assert_eq!(kit.open("app").int("SELECT b FROM t WHERE a=1"), 120);
}

#[test]
fn a_rollback_waits_for_what_it_has_shown() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let one = with_rows(&kit);
    one.run("PRAGMA synchronous=NORMAL");
    let two = kit.open("app");
    gate.hold();
    one.run("UPDATE t SET b=1 WHERE a=1");
    two.run("BEGIN IMMEDIATE");
    assert_eq!(two.int("SELECT sum(b) FROM t"), 1, "not durable yet");
    let before = gate.durable_waits();
    while_in_flight(&gate, move || two.run("ROLLBACK"));
    assert!(gate.durable_waits() > before);
}

#[test]
fn a_slot_kept_for_a_writer_who_then_only_reads_is_released() {
    let kit = Kit::new();
    let (one, two) = (with_rows(&kit), kit.open("app"));
    two.int("SELECT sum(b) FROM t");
    let fail_upgrade = || {
        // From a warm cache, as a writer would who comes back at once.
        two.run("BEGIN; SELECT sum(b) FROM t");
        one.run("UPDATE t SET b=b+1 WHERE a=1");
        assert_eq!(two.code("UPDATE t SET b=2 WHERE a=2"), ffi::SQLITE_BUSY_SNAPSHOT);
        two.run("ROLLBACK");
    };
    fail_upgrade();
    two.int("PRAGMA user_version");
    one.run("UPDATE t SET b=b+1 WHERE a=1");
    two.int("SELECT sum(b) FROM t");
    fail_upgrade();
    two.run("BEGIN");
    two.int("SELECT sum(b) FROM t");
    one.run("UPDATE t SET b=b+1 WHERE a=1");
    two.run("COMMIT");
}

#[test]
fn a_slot_kept_for_one_writer_makes_no_other_busy() {
    let kit = Kit::new();
    let (one, two) = (with_rows(&kit), kit.open("app"));
    two.int("SELECT sum(b) FROM t");
    for _ in 0..5 {
        two.run("BEGIN; SELECT sum(b) FROM t");
        one.run("UPDATE t SET b=b+1 WHERE a=1");
        assert_eq!(two.code("UPDATE t SET b=2 WHERE a=2"), ffi::SQLITE_BUSY_SNAPSHOT);
        two.run("ROLLBACK");
        // Without a busy timeout; nobody writes.
        one.run("UPDATE t SET b=b+1 WHERE a=1");
    }
}

#[test]
fn a_writer_that_gives_up_does_not_keep_the_slot() {
    // With the cache warm, the first try finds that somebody committed; the
    // slot is kept for the retry, which never comes.
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let one = with_rows(&kit);
    let two = kit.open("app");
    for _ in 0..20 {
        two.run("BEGIN; SELECT 1 FROM t WHERE a=1");
        one.run("UPDATE t SET b=b+1 WHERE a=1");
        let _ = two.execute_batch("UPDATE t SET b=b+1 WHERE a=2");
        two.run("ROLLBACK");
    }
    let three = kit.open_patient("app");
    three.run("UPDATE t SET b=b+1 WHERE a=3");
    drop(two);
    one.run("UPDATE t SET b=b+1 WHERE a=3");
    assert_eq!(one.int("SELECT b FROM t WHERE a=3"), 2);
}
