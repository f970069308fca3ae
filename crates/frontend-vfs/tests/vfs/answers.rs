//! What the store answers, or does not, and what SQLite is told.

use std::sync::Arc;
use std::time::Duration;

use hozo_frontend_vfs::{Open, Opened, Options, Resolver, Vfs};
use hozo_traits::Result;
use hozo_traits::exec::block_on;
use rusqlite::{Connection, OpenFlags, ffi};

use crate::faults::Gate;
use crate::kit::{Ask, Kit};

fn kit(gate: &Arc<Gate>) -> Kit {
    Kit::with(gate.clone(), Options { wait_max: Duration::from_millis(200), ..Options::default() })
}

#[test]
fn a_commit_whose_answer_is_lost_is_asked_for_again_with_its_id() {
    let gate = Gate::new();
    let kit = kit(&gate);
    let db = kit.open("app");
    db.run("CREATE TABLE t(a)");
    let commits = kit.commits("app");
    gate.written();
    gate.lose_answers(2);
    db.run("INSERT INTO t VALUES(1)");
    assert_eq!(kit.commits("app"), commits + 1);
    let written = gate.written();
    assert!(written.iter().all(|w| w.id == written[0].id));
    assert_eq!(db.int("SELECT count(*) FROM t"), 1);
}

#[test]
fn a_commit_that_is_never_answered_is_an_error_and_what_is_there_is_seen() {
    let gate = Gate::new();
    let kit = kit(&gate);
    let db = kit.open("app");
    db.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    gate.lose_answers(100);
    assert_eq!(db.code("UPDATE t SET a=2") & 0xff, ffi::SQLITE_IOERR);
    gate.lose_answers(0);
    // It was made, as the store knows; SQLite's cache, rolled back, is dropped.
    assert_eq!(db.int("SELECT a FROM t"), 2);
    db.run("UPDATE t SET a=a+1");
    assert_eq!(kit.open("app").int("SELECT a FROM t"), 3);
    gate.refuse_commits(100);
    assert_eq!(db.code("UPDATE t SET a=10") & 0xff, ffi::SQLITE_IOERR);
    assert!(db.text("PRAGMA hozo_last_error").contains("may be there"));
    gate.refuse_commits(0);
    assert_eq!(db.int("SELECT a FROM t"), 3);
    db.run("UPDATE t SET a=a+1");
    assert_eq!(kit.open("app").int("SELECT a FROM t"), 4);
    db.intact();
}

#[test]
fn a_store_that_is_down_for_a_moment_is_tried_again() {
    let gate = Gate::new();
    let kit = kit(&gate);
    let db = kit.open("app");
    gate.refuse_commits(2);
    db.run("CREATE TABLE t(a)");
    assert_eq!(kit.open("app").int("SELECT count(*) FROM t"), 0);
}

#[test]
fn a_disk_that_does_not_answer_is_an_error_after_the_deadline() {
    let gate = Gate::new();
    let kit = kit(&gate);
    let db = kit.open("app");
    db.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    gate.hold();
    assert_eq!(db.code("UPDATE t SET a=2") & 0xff, ffi::SQLITE_IOERR);
    gate.release();
    assert_eq!(db.int("SELECT a FROM t"), 2);
    db.run("UPDATE t SET a=a+1");
    assert_eq!(kit.open("app").int("SELECT a FROM t"), 3);
}

#[test]
fn a_deadline_in_a_commit_of_two_databases_is_an_error_for_both() {
    let gate = Gate::new();
    let kit = kit(&gate);
    let db = kit.open("main");
    db.run("ATTACH 'aux' AS aux; CREATE TABLE t(a); CREATE TABLE aux.u(a)");
    gate.refuse_commits(100);
    db.run("BEGIN; INSERT INTO t VALUES(1); INSERT INTO u VALUES(1)");
    assert_eq!(db.code("COMMIT") & 0xff, ffi::SQLITE_IOERR);
    gate.refuse_commits(0);
    assert_eq!(db.int("SELECT count(*) FROM t, u"), 0);
    db.run("BEGIN; INSERT INTO t VALUES(1); INSERT INTO u VALUES(1); COMMIT");
    assert_eq!(db.int("SELECT count(*) FROM t, u"), 1);
    kit.open("main").intact();
    kit.open("aux").intact();
}

#[test]
fn a_namespace_that_is_deleted_while_open_refuses() {
    let gate = Gate::new();
    let kit = kit(&gate);
    let db = kit.open("app");
    db.run("CREATE TABLE t(a)");
    block_on(kit.namespaces.delete(&"app".parse().unwrap())).unwrap();
    assert_eq!(db.code("INSERT INTO t VALUES(1)") & 0xff, ffi::SQLITE_IOERR);
    assert!(db.text("PRAGMA hozo_last_error").contains("deleted"));
}

#[test]
fn a_damaged_page_is_an_error() {
    // A read that fails is an I/O error, and the next one asks the store again.
    let gate = Gate::new();
    let kit = kit(&gate);
    kit.open("app").run("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    kit.forget_cache();
    let db = kit.open("app");
    gate.fail_reads(true);
    let e = db.query_row("SELECT a FROM t", [], |_| Ok(())).unwrap_err();
    assert_eq!(crate::kit::code(e) & 0xff, ffi::SQLITE_IOERR);
    gate.fail_reads(false);
    assert_eq!(db.int("SELECT a FROM t"), 1);
}

#[test]
fn a_panic_is_an_error() {
    // The resolver is the one part of a call that the tests can make panic.
    struct Panics;
    impl Resolver for Panics {
        fn resolve(&self, _: &str, _: Open) -> Result<Option<Opened>> {
            panic!("as told")
        }
        fn is_ours(&self, name: &str) -> bool {
            !name.starts_with('/')
        }
    }
    let vfs = Vfs::register(crate::kit::api(), Arc::new(Panics), "panics").unwrap();
    let flags = OpenFlags::default();
    let open = || Connection::open_with_flags_and_vfs("app", flags, "panics");
    assert_eq!(crate::kit::code(open().unwrap_err()) & 0xff, ffi::SQLITE_IOERR);
    vfs.unregister().unwrap();
    assert!(open().is_err(), "there is no such VFS any more");
}
