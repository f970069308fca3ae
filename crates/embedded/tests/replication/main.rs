//! SQLite databases on several servers, of different backends, over sockets.

mod kit;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hozo::Registry;
use hozo::pages::format_time;
use hozo::traits::exec::block_on;
use hozo::traits::{ErrorKind, Span, Version};
use hozo_embedded::Connect as _;
use hozo_embedded::rusqlite::{Connection, ErrorCode};
use kit::{Breaking, Server, name, until};

/// Says that it is over when it is dropped, by a panic as well: what goes on until
/// then would be waited for without end.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What a table holds, in short.
type Sums = (i64, i64);

fn sums(db: &Connection) -> Sums {
    let sums = "SELECT count(*), coalesce(sum(x), 0) FROM t";
    db.query_row(sums, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

fn version(db: &Connection) -> String {
    db.query_row("SELECT hozo_version()", [], |row| row.get(0)).unwrap()
}

fn check(db: &Connection) {
    let found: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

fn one(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A commit that is refused, with the reason.
fn refused(db: &Connection, sql: &str) -> String {
    let error = db.execute_batch(sql).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly), "{error}");
    let _ = db.execute_batch("ROLLBACK");
    db.query_row("PRAGMA hozo_last_error", [], |row| row.get(0)).unwrap()
}

fn follows(address: &str) -> String {
    format!("follow = \"{address}\"")
}

#[test]
fn from_memory_to_hashdbm() {
    replicate("memory", "hashdbm");
}

#[test]
fn from_hashdbm_to_memory() {
    replicate("hashdbm", "memory");
}

#[cfg(feature = "rocksdb")]
#[test]
fn from_rocksdb_to_hashdbm() {
    replicate("rocksdb", "hashdbm");
}

#[cfg(feature = "rocksdb")]
#[test]
fn from_hashdbm_to_rocksdb() {
    replicate("hashdbm", "rocksdb");
}

fn replicate(from: &'static str, to: &'static str) {
    let mut master = Server::new(from, 1, "");
    let way = Breaking::to(master.socket());
    let app = master.connect("app/a");
    app.execute_batch("CREATE TABLE t(x, y); INSERT INTO t VALUES (1, 'before')").unwrap();
    let mut follower = Server::new(to, 2, &follows(&way.address));
    follower.catch_up(&master);

    let at = moves(&app, &master, &follower);
    until("the way broke now and then", || way.broke.load(Ordering::SeqCst) > 2, String::new);
    the_past_is_the_same(&at, &master, &follower);
    is_refused(&follower, &way.address);
    large(&app, &master, &follower);
    names(&master, &follower);

    // The master is gone, and the application goes on at the other one.
    let before = sums(&app);
    let newest = version(&app);
    drop(app);
    master.stop();
    at_rest(&mut follower, to, &way.address);
    assert_eq!(follower.ask(async |client| client.promote().await).unwrap(), 1);
    let app = follower.connect("app/a");
    assert_eq!(sums(&app), before);
    app.execute_batch("INSERT INTO t(x) VALUES (1000)").unwrap();
    assert!(version(&app) > newest);
    assert!(follower.pages().home);

    // The old one comes back as a follower.
    master.becomes(&follows(&follower.address()));
    master.start();
    master.catch_up(&follower);
    let copy = master.connect("app/a");
    assert_eq!(sums(&copy), sums(&app));
    check(&copy);
    assert!(refused(&copy, "INSERT INTO t(x) VALUES (0)").contains(&follower.address()));
}

/// Reads on the follower while the master writes; answers what it had at each
/// version.
fn moves(app: &Connection, master: &Server, follower: &Server) -> BTreeMap<String, Sums> {
    let mut at = BTreeMap::from([(version(app), sums(app))]);
    let seen = Mutex::new(BTreeMap::new());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let copy = follower.connect("app/a");
            while !over.load(Ordering::SeqCst) {
                copy.execute_batch("BEGIN").unwrap();
                let (sums, version) = (sums(&copy), version(&copy));
                copy.execute_batch("COMMIT").unwrap();
                seen.lock().unwrap().insert(version, sums);
            }
        });
        let ends = Ends(&over);
        for n in 0..60 {
            app.execute("INSERT INTO t VALUES (?1, hex(randomblob(300)))", [n]).unwrap();
            at.insert(version(app), sums(app));
        }
        follower.catch_up(master);
        let newest = at.keys().next_back().unwrap().clone();
        let reached = || seen.lock().unwrap().contains_key(&newest) || reading.is_finished();
        until("the newest version is read", reached, || format!("{:#?}", follower.status()));
        drop(ends);
        reading.join().unwrap();
    });
    let seen = seen.into_inner().unwrap();
    for (version, sums) in &seen {
        assert_eq!(at.get(version), Some(sums), "at {version}");
    }
    at
}

fn the_past_is_the_same(at: &BTreeMap<String, Sums>, master: &Server, follower: &Server) {
    for (version, expected) in at {
        let past = follower.connect(&format!("app/a@{version}"));
        assert_eq!(sums(&past), *expected, "at {version}");
        check(&past);
    }
    let namespaces = master.open().store("main").unwrap();
    let all = Span::Versions(Version::ZERO, Version::MAX);
    let log = block_on(namespaces.log(&name("app/a"), all, true, 20)).unwrap();
    for entry in log {
        let then = format!("app/a@{}", format_time(entry.time));
        let (ours, theirs) = (follower.connect(&then), master.connect(&then));
        assert_eq!(sums(&ours), sums(&theirs), "{then}");
        assert_eq!(version(&ours), version(&theirs), "{then}");
    }
    let ours = follower.open().store("main").unwrap();
    let copied = block_on(ours.log(&name("app/a"), all, true, 1000)).unwrap();
    assert_eq!(copied, block_on(namespaces.log(&name("app/a"), all, true, 1000)).unwrap());
}

fn is_refused(follower: &Server, source: &str) {
    let copy = follower.connect("app/a");
    let before = sums(&copy);
    for sql in ["INSERT INTO t(x) VALUES (0)", "BEGIN IMMEDIATE; DELETE FROM t; COMMIT", "VACUUM"] {
        let why = refused(&copy, sql);
        assert!(why.contains(source) && why.contains("promote"), "{why}");
    }
    assert_eq!(sums(&copy), before);
    // A namespace cannot be made, either.
    let error = follower.open().connect("app/new").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    assert!(error.to_string().contains(source), "{error}");
}

/// A transaction larger than caches and messages, and other sizes of pages.
fn large(app: &Connection, master: &Server, follower: &Server) {
    app.execute_batch(
        "PRAGMA cache_size = 50;
         BEGIN;
         WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000)
         INSERT INTO t SELECT x, hex(randomblob(500)) FROM n;
         COMMIT",
    )
    .unwrap();
    follower.catch_up(master);
    let copy = follower.connect("app/a");
    assert_eq!(sums(&copy), sums(app));
    check(&copy);
    for size in [1024, 65536, 4096] {
        app.execute_batch(&format!("PRAGMA page_size = {size}; VACUUM")).unwrap();
        follower.catch_up(master);
        assert_eq!(sums(&copy), sums(app));
        // A connection knows it when it has read.
        assert_eq!(one(&copy, "PRAGMA page_size"), size);
        check(&copy);
    }
    app.execute_batch("DELETE FROM t WHERE x > 100; VACUUM").unwrap();
    follower.catch_up(master);
    assert_eq!(sums(&copy), sums(app));
    check(&copy);
}

fn names(master: &Server, follower: &Server) {
    let namespaces = master.open().store("main").unwrap();
    for made in ["app/b", "app/c", "app/d"] {
        let db = master.connect(made);
        db.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (7)").unwrap();
    }
    follower.catch_up(master);
    assert_eq!(follower.names(), ["app/a", "app/b", "app/c", "app/d"]);
    assert_eq!(sums(&follower.connect("app/c")), (1, 7));
    block_on(namespaces.rename(&name("app/b"), &name("app/e"))).unwrap();
    block_on(namespaces.delete(&name("app/c"))).unwrap();
    follower.catch_up(master);
    assert_eq!(follower.names(), ["app/a", "app/d", "app/e"]);
    assert_eq!(sums(&follower.connect("app/e")), (1, 7));
    let error = follower.open().connect("app/c").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "it is not there any more: {error}");
}

/// What another process finds that opens the store of a follower which does not
/// run.
fn at_rest(follower: &mut Server, backend: &str, source: &str) {
    if backend == "memory" {
        return;
    }
    let expected = sums(&follower.connect("app/a"));
    follower.stop();
    let alone = follower.stack(&Registry::builtin());
    let db = alone.connect("app/a").unwrap();
    assert_eq!(sums(&db), expected);
    assert!(refused(&db, "INSERT INTO t(x) VALUES (0)").contains(source));
    drop(db);
    alone.close();
    follower.start();
}
