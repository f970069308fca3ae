//! What SQLite can do on a file it can do here.

use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use hozo_frontend_vfs::Options;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::faults::Gate;
use crate::kit::{Ask, Kit, scratch};

pub(crate) const FILL: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t(b); \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) \
    INSERT INTO t SELECT i, hex(i*7919) FROM n";
pub(crate) const SUM: &str = "SELECT count(*) || ':' || sum(a) || ':' || sum(length(b)) FROM t";

#[test]
fn savepoints_nest_and_roll_back_even_after_a_spill() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run(FILL);
    db.run("PRAGMA cache_size=5; BEGIN; SAVEPOINT one; UPDATE t SET b='one'");
    db.run("SAVEPOINT two; UPDATE t SET b='two'; DELETE FROM t WHERE a%2=0; ROLLBACK TO two");
    assert_eq!(db.int("SELECT count(*) FROM t WHERE b='one'"), 3000);
    db.run("RELEASE two; SAVEPOINT three; UPDATE t SET b='three' WHERE a<100; RELEASE three");
    db.run("COMMIT");
    let other = kit.open("app");
    assert_eq!(other.int("SELECT count(*) FROM t WHERE b='three'"), 99);
    assert_eq!(other.int("SELECT count(*) FROM t"), 3000);
    other.intact();
}

#[test]
fn a_failed_statement_leaves_the_transaction() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run(FILL);
    db.run("PRAGMA cache_size=5; BEGIN; UPDATE t SET b='x' WHERE a=1");
    assert!(db.execute_batch("UPDATE t SET a = CASE WHEN a=3000 THEN 1 ELSE a END").is_err());
    db.run("COMMIT");
    assert_eq!(db.text("SELECT b FROM t WHERE a=1"), "x");
    kit.open("app").intact();
}

#[test]
fn temporary_tables_and_large_sorts_work() {
    let kit = Kit::with(Gate::new(), Options { temp_file_bytes_max: 10_000, ..Options::default() });
    let db = kit.open("app");
    db.run(FILL);
    db.run("PRAGMA temp_store=FILE; PRAGMA cache_size=10; PRAGMA temp.cache_size=5");
    db.run("CREATE TEMP TABLE x AS SELECT a, b || hex(zeroblob(200)) c FROM t");
    db.run("CREATE TEMP TABLE y AS SELECT * FROM x ORDER BY c DESC");
    assert_eq!(db.int("SELECT count(*) FROM y"), 3000);
    db.run("BEGIN; UPDATE x SET c=a; UPDATE t SET b=a; ROLLBACK");
    assert_eq!(db.int("SELECT count(*) FROM x WHERE length(c)>300"), 3000);
    db.intact();
}

#[test]
fn memory_mapped_reads_see_what_others_do() {
    let gate = Gate::new();
    let kit = Kit::over(gate.clone());
    let db = kit.open("app");
    db.run(FILL);
    let mapped = kit.open("app");
    assert_eq!(mapped.int("PRAGMA mmap_size=268435456"), 268_435_456);
    assert_eq!(mapped.int("PRAGMA mmap_size"), 268_435_456);
    let sum = db.text(SUM);
    assert_eq!(mapped.text(SUM), sum);
    mapped.run("BEGIN; UPDATE t SET b='x' WHERE a<1000");
    assert_eq!(mapped.int("SELECT count(*) FROM t WHERE b='x'"), 999);
    mapped.run("ROLLBACK");
    assert_eq!(mapped.text(SUM), sum);
    db.run("UPDATE t SET b='y'; DELETE FROM t WHERE a>100; VACUUM");
    assert_eq!(mapped.int("SELECT count(*) FROM t WHERE b='y'"), 100);
    mapped.run("PRAGMA cache_size=5; INSERT INTO t SELECT a+1000, 'z' FROM t");
    assert_eq!(db.int("SELECT count(*) FROM t"), 200);
    mapped.intact();
    // An open cursor keeps its pages, whatever happens meanwhile.
    let mut statement = mapped.prepare("SELECT b FROM t").unwrap();
    let mut rows = statement.query([]).unwrap();
    rows.next().unwrap();
    db.run("UPDATE t SET b='later'");
    kit.forget_cache();
    let mut left = 1;
    while let Some(row) = rows.next().unwrap() {
        assert_ne!(row.get::<_, String>(0).unwrap(), "later");
        left += 1;
    }
    assert_eq!(left, 200);
}

#[test]
fn mapped_pages_are_in_the_read_set() {
    let kit = Kit::new();
    kit.optimistic("app");
    let one = kit.open("app");
    one.run(FILL);
    one.run("DROP INDEX i");
    let two = kit.open("app");
    two.run("PRAGMA mmap_size=268435456");
    two.run("BEGIN");
    assert_eq!(two.int("SELECT count(*) FROM t WHERE b='none'"), 0);
    two.run("UPDATE t SET b='x' WHERE a=1");
    one.run("UPDATE t SET b='none' WHERE a=1500");
    assert_eq!(two.code("COMMIT"), rusqlite::ffi::SQLITE_BUSY_SNAPSHOT);
}

#[test]
fn blobs_are_read_and_written_in_pieces() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB); INSERT INTO t VALUES(1,zeroblob(100000))",
    );
    {
        let mut blob = db.blob_open(MAIN_DB, "t", "b", 1, false).unwrap();
        blob.seek(SeekFrom::Start(54_321)).unwrap();
        blob.write_all(b"in the middle").unwrap();
        blob.close().unwrap();
    }
    let other = kit.open("app");
    let mut blob = other.blob_open(MAIN_DB, "t", "b", 1, true).unwrap();
    let mut bytes = [0; 13];
    blob.seek(SeekFrom::Start(54_321)).unwrap();
    blob.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"in the middle");
}

fn copy(from: &Connection, to: &mut Connection) {
    let backup = Backup::new(from, to).unwrap();
    while backup.step(7).unwrap() == StepResult::More {}
}

#[test]
fn the_backup_interface_copies_both_ways() {
    for page_size in [1024, 4096, 32768] {
        let kit = Kit::new();
        let (_dir, file) = scratch();
        let mut plain = Connection::open(&file).unwrap();
        plain.run(&format!("PRAGMA page_size={page_size}; PRAGMA journal_mode=DELETE"));
        plain.run(FILL);
        let sum = plain.text(SUM);
        let mut ours = kit.open("app");
        copy(&plain, &mut ours);
        assert_eq!(ours.text(SUM), sum);
        assert_eq!(kit.head("app").page_size.get(), page_size);
        ours.run("UPDATE t SET b=b||'!'");
        copy(&ours, &mut plain);
        assert_eq!(plain.text(SUM), ours.text(SUM));
        plain.intact();
        // Into one that is there already, of another page size.
        let mut other = kit.open("other");
        other.run("CREATE TABLE old(a); INSERT INTO old VALUES(zeroblob(100000))");
        copy(&ours, &mut other);
        assert_eq!(other.text(SUM), ours.text(SUM));
        kit.open("other").intact();
    }
}

#[test]
fn a_backup_of_a_file_in_wal_mode_can_be_opened() {
    let kit = Kit::new();
    let (_dir, file) = scratch();
    let plain = Connection::open(&file).unwrap();
    assert_eq!(plain.text("PRAGMA journal_mode=WAL"), "wal");
    plain.run(FILL);
    let mut ours = kit.open("app");
    copy(&plain, &mut ours);
    assert_eq!(ours.text(SUM), plain.text(SUM));
    ours.run("UPDATE t SET b='x'");
    let other = kit.open("app");
    assert_eq!(other.int("SELECT count(*) FROM t WHERE b='x'"), 3000);
    other.intact();
}

#[test]
fn vacuum_into_writes_a_plain_file_and_a_namespace() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run(FILL);
    let (_dir, file) = scratch();
    db.run(&format!("VACUUM INTO '{}'", file.display()));
    let plain = Connection::open(&file).unwrap();
    assert_eq!(plain.text(SUM), db.text(SUM));
    plain.intact();
    db.run("VACUUM INTO 'copy'");
    assert_eq!(kit.open("copy").text(SUM), db.text(SUM));
}

#[test]
fn plain_files_are_served_by_the_default_vfs() {
    let kit = Kit::new();
    let (_dir, file) = scratch();
    let db = kit.open(file.to_str().unwrap());
    assert_eq!(db.text("PRAGMA journal_mode=WAL"), "wal");
    db.run(FILL);
    db.run("PRAGMA mmap_size=10000000; SELECT sum(a) FROM t");
    assert!(file.with_extension("db-wal").exists());
    let stock = Connection::open(&file).unwrap();
    assert_eq!(stock.text(SUM), db.text(SUM));
    drop(stock);
    db.run("PRAGMA journal_mode=DELETE; UPDATE t SET b=1");
    drop(db);
    let stock = Connection::open(&file).unwrap();
    assert_eq!(stock.int("SELECT count(*) FROM t WHERE b='1'"), 3000);
}

#[test]
fn attached_files_of_both_kinds_are_read_together_and_written_apart() {
    let kit = Kit::new();
    let (_dir, file) = scratch();
    for ours_first in [true, false] {
        let path = file.with_extension(if ours_first { "a" } else { "b" });
        let path = path.to_str().unwrap();
        let name = if ours_first { "first" } else { "second" };
        let (main, aux) = if ours_first { (name, path) } else { (path, name) };
        let db = kit.open(main);
        db.run(&format!("ATTACH '{aux}' AS aux; CREATE TABLE main.t(a); CREATE TABLE aux.u(a)"));
        db.run("INSERT INTO t VALUES(1); INSERT INTO u SELECT a+1 FROM t");
        assert_eq!(db.int("SELECT t.a+u.a FROM t, u"), 3);
        // One of the two changes: fine, also when both are locked for writing.
        db.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(10); COMMIT");
        db.run("BEGIN IMMEDIATE; INSERT INTO u VALUES(20); COMMIT");
        // Both change: refused as a whole.
        db.run("BEGIN; INSERT INTO t VALUES(100); INSERT INTO u VALUES(100)");
        assert!(db.execute_batch("COMMIT").is_err());
        assert!(db.is_autocommit());
        assert_eq!(db.int("SELECT sum(a) FROM t"), 11);
        assert_eq!(db.int("SELECT sum(a) FROM u"), 22);
        let schema = if ours_first { "main" } else { "aux" };
        let why = db.text(&format!("PRAGMA {schema}.hozo_last_error"));
        assert!(why.contains("plain file"), "{why}");
        db.run("INSERT INTO t VALUES(1000); INSERT INTO u VALUES(2000)");
        drop(db);
        let left = std::fs::read_dir(file.parent().unwrap()).unwrap();
        let left: Vec<_> = left.map(|e| e.unwrap().file_name()).collect();
        assert!(!left.iter().any(|n| n.to_string_lossy().contains("journal")), "{left:?}");
    }
}

#[test]
fn journal_modes_are_answered_with_the_one_in_force() {
    let kit = Kit::new();
    let db = kit.open("app");
    for mode in ["WAL", "MEMORY", "OFF", "TRUNCATE", "PERSIST", "DELETE"] {
        assert_eq!(db.text(&format!("PRAGMA journal_mode={mode}")), "delete", "{mode}");
        assert_eq!(db.text("PRAGMA journal_mode"), "delete");
    }
    db.run("CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1); ROLLBACK");
    assert_eq!(db.int("SELECT count(*) FROM t"), 0);
}

#[test]
fn journal_modes_through_the_back_door_still_roll_back() {
    let (_dir, file) = scratch();
    for mode in ["OFF", "MEMORY", "TRUNCATE", "PERSIST", "WAL"] {
        let kit = Kit::new();
        kit.optimistic("app");
        let db = kit.open(file.to_str().unwrap());
        db.run("ATTACH 'app' AS app; CREATE TABLE app.t(a); INSERT INTO t VALUES(1)");
        db.text(&format!("PRAGMA journal_mode={mode}"));
        db.run("BEGIN; UPDATE t SET a=2");
        kit.open("app").run("UPDATE t SET a=3");
        assert!(db.execute_batch("COMMIT").is_err(), "{mode}");
        let _ = db.execute_batch("ROLLBACK");
        assert_eq!(db.int("SELECT a FROM t"), 3, "{mode}");
        db.run("UPDATE t SET a=4; UPDATE t SET a=a+1");
        assert_eq!(kit.open("app").int("SELECT a FROM t"), 5, "{mode}");
        db.text("PRAGMA journal_mode=DELETE");
    }
}

#[test]
fn full_text_and_r_tree_indexes_work() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run("CREATE VIRTUAL TABLE f USING fts5(body); CREATE VIRTUAL TABLE r USING rtree(id,x0,x1)");
    db.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) \
         INSERT INTO f SELECT 'word' || i || ' common' FROM n; \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) \
         INSERT INTO r SELECT i, i, i+1 FROM n",
    );
    db.run("INSERT INTO f(f) VALUES('optimize'); DELETE FROM f WHERE rowid=5");
    let other = kit.open("app");
    assert_eq!(other.int("SELECT count(*) FROM f WHERE f MATCH 'common'"), 1999);
    assert_eq!(other.int("SELECT rowid FROM f WHERE f MATCH 'word77'"), 77);
    assert_eq!(other.int("SELECT count(*) FROM r WHERE x0>100 AND x1<=200"), 99);
    other.run("INSERT INTO f(f) VALUES('integrity-check')");
    other.intact();
}

#[test]
fn a_shared_cache_works() {
    let kit = Kit::new();
    let flags = OpenFlags::default() | OpenFlags::SQLITE_OPEN_SHARED_CACHE;
    let open = || Connection::open_with_flags_and_vfs("app", flags, kit.vfs.as_str()).unwrap();
    let (one, two) = (open(), open());
    one.run(FILL);
    two.run("UPDATE t SET b='x' WHERE a=1");
    assert_eq!(one.text("SELECT b FROM t WHERE a=1"), "x");
    kit.open("app").run("UPDATE t SET b='y' WHERE a=1");
    assert_eq!(one.text("SELECT b FROM t WHERE a=1"), "y");
    one.busy_timeout(Duration::ZERO).unwrap();
}

#[test]
fn writable_schema_and_header_pragmas_are_stored() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run(FILL);
    db.run("PRAGMA user_version=77; PRAGMA application_id=4711");
    let other = kit.open("app");
    assert_eq!(other.int("PRAGMA user_version"), 77);
    assert_eq!(other.int("PRAGMA application_id"), 4711);
    // The header says the size, and both counters agree.
    assert_eq!(other.int("PRAGMA page_count"), i64::from(kit.head("app").page_count));
}
