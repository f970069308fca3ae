//! Sizes: of pages, of databases, of transactions.

use hozo_frontend_vfs::Options;
use hozo_pages::Concurrency;
use rusqlite::config::DbConfig;

use crate::faults::Gate;
use crate::features::{FILL, SUM};
use crate::kit::{Ask, Kit};

const SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

#[test]
fn every_page_size_before_the_first_write() {
    for size in SIZES {
        let kit = Kit::new();
        let db = kit.open("app");
        db.run(&format!("PRAGMA page_size={size}"));
        db.run(FILL);
        assert_eq!(kit.head("app").page_size.get(), size);
        let other = kit.open("app");
        assert_eq!(other.int("PRAGMA page_size"), i64::from(size));
        assert_eq!(other.text(SUM), db.text(SUM));
        other.intact();
    }
}

#[test]
fn an_empty_database_starts_with_the_page_size_of_its_creation() {
    for size in SIZES {
        let kit = Kit::new();
        kit.create("app", size, Concurrency::Serial);
        let db = kit.open("app");
        db.run(FILL);
        assert_eq!(db.int("PRAGMA page_size"), i64::from(size));
        assert_eq!(kit.head("app").page_size.get(), size);
        kit.open("app").intact();
    }
}

#[test]
fn vacuum_changes_the_page_size_from_every_size_to_every_other() {
    for from in SIZES {
        let kit = Kit::new();
        let db = kit.open("app");
        db.run(&format!("PRAGMA page_size={from}"));
        db.run(FILL);
        let (sum, old) = (db.text(SUM), kit.head("app").version);
        let other = kit.open("app");
        assert_eq!(other.text(SUM), sum);
        for to in SIZES {
            db.run(&format!("PRAGMA page_size={to}; VACUUM"));
            assert_eq!(kit.head("app").page_size.get(), to, "{from} to {to}");
            assert_eq!(db.text(SUM), sum, "{from} to {to}");
            assert_eq!(other.text(SUM), sum, "{from} to {to}, seen by another");
            other.intact();
            db.run("UPDATE t SET b=b WHERE a=1; DELETE FROM t WHERE a=0");
        }
        let snapshot = kit.open(&format!("app@{old}"));
        assert_eq!(snapshot.int("PRAGMA page_size"), i64::from(from));
        assert_eq!(snapshot.text(SUM), sum, "the old version keeps its page size");
        snapshot.intact();
    }
}

#[test]
fn vacuum_shrinks_and_growing_again_shows_nothing_stale() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run(FILL);
    let large = kit.head("app").page_count;
    db.run("DELETE FROM t WHERE a>10; VACUUM");
    let small = kit.head("app").page_count;
    assert!(small < large);
    db.intact();
    let other = kit.open("app");
    other.run("CREATE TABLE u(a); INSERT INTO u VALUES(zeroblob(200000)); DROP TABLE u");
    assert!(kit.head("app").page_count > small);
    // Pages that were never written in this growth are zeros, not what was
    // there before the database shrank.
    let db = kit.open("app");
    db.intact();
    assert_eq!(db.int("SELECT count(*) FROM t"), 10);
}

#[test]
fn auto_vacuum_shrinks_at_the_commit() {
    for mode in ["FULL", "INCREMENTAL"] {
        let kit = Kit::new();
        let db = kit.open("app");
        db.run(&format!("PRAGMA auto_vacuum={mode}"));
        db.run(FILL);
        let large = kit.head("app").page_count;
        db.run("DELETE FROM t WHERE a>10");
        if mode == "INCREMENTAL" {
            // A row for each page that is given back.
            let mut statement = db.prepare("PRAGMA incremental_vacuum").unwrap();
            let mut rows = statement.query([]).unwrap();
            while rows.next().unwrap().is_some() {}
        }
        let small = kit.head("app").page_count;
        assert!(small < large / 2, "{mode}: {large} to {small}");
        assert_eq!(db.int("PRAGMA page_count"), i64::from(small));
        assert_eq!(kit.open("app").int("PRAGMA page_count"), i64::from(small));
        db.run("INSERT INTO t SELECT a+100, b FROM t");
        kit.open("app").intact();
    }
}

#[test]
fn a_transaction_larger_than_memory_goes_through_the_stage() {
    let gate = Gate::new();
    let options = Options { pending_bytes_max: 64 << 10, ..Options::default() };
    let kit = Kit::with(gate.clone(), options);
    let db = kit.open("app");
    db.run("PRAGMA cache_size=10");
    db.run(FILL);
    assert!(gate.stages() > 0);
    db.run("BEGIN; UPDATE t SET b=b||'-'||a");
    assert_eq!(db.int("SELECT count(*) FROM t WHERE b LIKE '%-_%'"), 3000);
    // Shrinks and grows within the transaction, over pages that are staged.
    db.run("CREATE TABLE u AS SELECT * FROM t; DROP TABLE u; CREATE TABLE v AS SELECT a FROM t");
    db.run("COMMIT");
    let other = kit.open("app");
    assert_eq!(other.text(SUM), db.text(SUM));
    assert_eq!(other.int("SELECT count(*) FROM v"), 3000);
    other.intact();
    for page_size in [1024, 16384, 4096] {
        other.run(&format!("PRAGMA page_size={page_size}; VACUUM"));
        assert_eq!(db.text(SUM), other.text(SUM));
        kit.open("app").intact();
    }
    let before = kit.commits("app");
    other.run("PRAGMA cache_size=5; BEGIN; UPDATE t SET b=1; ROLLBACK");
    assert_eq!(kit.commits("app"), before);
    assert_eq!(db.text(SUM), other.text(SUM));
}

#[test]
fn two_databases_with_staged_pages_commit_together() {
    let gate = Gate::new();
    let options = Options { pending_bytes_max: 64 << 10, ..Options::default() };
    let kit = Kit::with(gate.clone(), options);
    let db = kit.open("main");
    db.run("ATTACH 'aux' AS aux; PRAGMA main.cache_size=5; PRAGMA aux.cache_size=5");
    db.run("CREATE TABLE main.t(a,b); CREATE TABLE aux.t(a,b)");
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) \
                INSERT INTO";
    db.run(&format!(
        "BEGIN; {fill} main.t SELECT i, zeroblob(100) FROM n; \
         {fill} aux.t SELECT i, zeroblob(200) FROM n; COMMIT"
    ));
    for name in ["main", "aux"] {
        let db = kit.open(name);
        assert_eq!(db.int("SELECT count(*) FROM t"), 2000);
        db.intact();
    }
    assert_eq!(kit.head("main").version, kit.head("aux").version);
}

#[test]
fn a_page_size_change_is_seen_by_a_warm_connection() {
    let kit = Kit::new();
    let one = kit.open("app");
    one.run(FILL);
    let two = kit.open("app");
    let sum = two.text(SUM);
    one.run("PRAGMA page_size=65536; VACUUM");
    two.run("UPDATE t SET b=b WHERE a=1");
    assert_eq!(two.text(SUM), sum);
    two.intact();
}

#[test]
fn a_database_can_be_reset() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run(FILL);
    let other = kit.open("app");
    assert_eq!(other.int("SELECT count(*) FROM t"), 3000);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true).unwrap();
    db.run("VACUUM");
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, false).unwrap();
    assert_eq!(kit.head("app").page_count, 1);
    assert_eq!(other.int("SELECT count(*) FROM sqlite_schema"), 0);
    other.run(FILL);
    db.intact();
}
