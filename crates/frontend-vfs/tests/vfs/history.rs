//! Names, moments, and what SQL can ask about them.

use hozo_frontend_vfs::register_functions;
use rusqlite::{Connection, OpenFlags};

use crate::kit::{Ask, Kit, api, scratch};

fn open(kit: &Kit, name: &str) -> Connection {
    let db = kit.open(name);
    // SAFETY: a live connection of this program's SQLite.
    unsafe { register_functions(api(), db.handle().cast()).unwrap() };
    db
}

#[test]
fn functions_tell_versions_and_times() {
    let kit = Kit::new();
    let db = open(&kit, "app");
    assert_eq!(db.text("SELECT hozo_version()"), "0".repeat(20));
    assert_eq!(db.int("SELECT hozo_oldest() IS NULL AND hozo_time() IS NULL"), 1);
    db.run("CREATE TABLE t(a)");
    let first = db.text("SELECT hozo_version()");
    assert_eq!(first, kit.head("app").version.to_string());
    assert_eq!(db.text("SELECT hozo_oldest()"), first);
    db.run("INSERT INTO t VALUES(1)");
    let second = db.text("SELECT hozo_version('main')");
    assert!(second > first);
    assert_eq!(db.text("SELECT mv_last_known_version('main')"), second);
    assert_eq!(db.text("SELECT hozo_durable()"), second);
    assert_eq!(db.text("SELECT hozo_sync()"), second);
    assert_eq!(db.text("SELECT hozo_namespace()"), "app");
    assert_eq!(db.text("SELECT hozo_version_at(hozo_time())"), second);
    assert_eq!(db.text("SELECT hozo_version_at('-0s')"), second);
    assert_eq!(db.text(&format!("SELECT hozo_version_at('{first}')")), first);
    let just_after = kit.head("app").time.as_micros() as f64 / 1e6 + 1e-6;
    assert_eq!(db.text(&format!("SELECT hozo_version_at({just_after:.6})")), second);
    assert_eq!(db.int("SELECT hozo_version_at(NULL) IS NULL"), 1);
    for wrong in ["'nonsense'", "-1", "'2999-01-01'", "1, 'none'"] {
        let e = db.query_row(&format!("SELECT hozo_version_at({wrong})"), [], |_| Ok(()));
        assert!(e.is_err(), "{wrong}");
    }
    // In a transaction it is what the transaction reads.
    db.run("BEGIN; SELECT * FROM t");
    kit.open("app").run("INSERT INTO t VALUES(2)");
    assert_eq!(db.text("SELECT hozo_version()"), second);
    db.run("COMMIT");
    assert!(db.text("SELECT hozo_version()") > second);
}

#[test]
fn functions_refuse_plain_files() {
    let kit = Kit::new();
    let (_dir, file) = scratch();
    let db = open(&kit, file.to_str().unwrap());
    let e = db.query_row("SELECT hozo_version()", [], |_| Ok(())).unwrap_err();
    assert!(e.to_string().contains("not a Hozo database"), "{e}");
    assert!(db.prepare("SELECT * FROM hozo_history").unwrap().query([]).unwrap().next().is_err());
    db.run("ATTACH 'app' AS app; CREATE TABLE app.t(a)");
    assert_eq!(db.text("SELECT hozo_namespace('app')"), "app");
    assert_eq!(db.int("SELECT count(*) FROM hozo_history('app')"), 1);
}

#[test]
fn history_lists_commits_newest_first() {
    let kit = Kit::new();
    let db = open(&kit, "app");
    db.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    for i in 0..600 {
        db.run(&format!("INSERT INTO t VALUES({i}, 0)"));
    }
    assert_eq!(db.int("SELECT count(*) FROM hozo_history"), 601);
    assert_eq!(db.int("SELECT count(DISTINCT version) FROM hozo_history"), 601);
    let newest = db.text("SELECT version FROM hozo_history LIMIT 1");
    assert_eq!(newest, db.text("SELECT hozo_version()"));
    let sorted = "SELECT group_concat(version) FROM (SELECT version FROM hozo_history)";
    let by_version = sorted.replace("hozo_history)", "hozo_history ORDER BY version DESC)");
    assert_eq!(db.text(sorted), db.text(&by_version));
    assert_eq!(db.int("SELECT page_size FROM hozo_history LIMIT 1"), 4096);
    assert_eq!(db.text("SELECT hozo_version_at(time) FROM hozo_history LIMIT 1"), newest);
    // A snapshot's history ends with it.
    let old = db.text("SELECT version FROM hozo_history LIMIT 1 OFFSET 100");
    let snapshot = open(&kit, &format!("app@{old}"));
    assert_eq!(snapshot.int("SELECT count(*) FROM hozo_history"), 501);
    assert_eq!(snapshot.int("SELECT count(*) FROM t"), 500);
    assert_eq!(snapshot.text("SELECT hozo_version()"), old);
}

#[test]
fn a_uri_chooses_moment_and_concurrency() {
    let kit = Kit::new();
    let db = open(&kit, "app");
    db.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let version = db.text("SELECT hozo_version()");
    db.run("INSERT INTO t VALUES(2)");
    let flags = OpenFlags::default() | OpenFlags::SQLITE_OPEN_URI;
    let uri = |rest: &str| Connection::open_with_flags(format!("{}{rest}", kit.uri("app")), flags);
    let old = uri(&format!("&at={version}")).unwrap();
    assert_eq!(old.int("SELECT count(*) FROM t"), 1);
    assert!(old.execute_batch("INSERT INTO t VALUES(3)").is_err());
    let optimistic = uri("&concurrency=optimistic").unwrap();
    assert_eq!(optimistic.text("PRAGMA hozo_concurrency"), "optimistic");
    optimistic.run("INSERT INTO t VALUES(3)");
    assert_eq!(optimistic.text("PRAGMA hozo_concurrency=serial"), "serial");
    assert!(optimistic.execute_batch("PRAGMA hozo_concurrency=other").is_err());
    optimistic.run("BEGIN IMMEDIATE");
    assert!(optimistic.execute_batch("PRAGMA hozo_concurrency=optimistic").is_err());
    optimistic.run("ROLLBACK");
    assert!(uri("&concurrency=none").is_err());
    assert!(uri("&at=nonsense").is_err());
    let readonly = uri("&mode=ro").unwrap();
    assert!(readonly.execute_batch("INSERT INTO t VALUES(4)").is_err());
    assert_eq!(readonly.int("SELECT count(*) FROM t"), 3);
}

#[test]
fn every_old_version_reads_as_it_was() {
    let kit = Kit::new();
    let db = open(&kit, "app");
    db.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    let mut was = Vec::new();
    for i in 0..40 {
        db.run(&format!("INSERT INTO t VALUES({i}, zeroblob({}))", i * 200));
        db.run(&format!("UPDATE t SET b=zeroblob({i}) WHERE a={}", i / 2));
        if i % 10 == 9 {
            db.run("DELETE FROM t WHERE a%3=0; VACUUM");
        }
        let sum = db.text("SELECT count(*) || ':' || sum(a) || ':' || sum(length(b)) FROM t");
        was.push((db.text("SELECT hozo_version()"), sum));
    }
    for pass in 0..2 {
        for (version, sum) in &was {
            let old = kit.open(&format!("app@{version}"));
            assert_eq!(
                &old.text("SELECT count(*) || ':' || sum(a) || ':' || sum(length(b)) FROM t"),
                sum,
                "pass {pass}"
            );
            old.intact();
        }
        kit.forget_cache();
    }
    db.run(&format!("ATTACH 'app@{}' AS old", was[5].0));
    assert_eq!(db.int("SELECT count(*) FROM old.t"), 6);
    assert!(db.execute_batch("DELETE FROM old.t").is_err());
    db.run("DETACH old; ATTACH 'app@' || hozo_version_at('-0s') AS now");
    assert_eq!(db.int("SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM now.t)"), 0);
}
