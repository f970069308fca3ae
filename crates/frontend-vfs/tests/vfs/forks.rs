//! What a forked child may do.
//!
//! Each runs in a process of its own: other threads of this one may hold SQLite's
//! own locks at the fork, of which the child would wait for ever.

use std::process::Command;

use crate::faults::other_store;
use crate::kit::{Ask, Kit, code};

fn alone(test: &str) {
    let this = std::env::current_exe().unwrap();
    let test = format!("forks::{test}");
    let arguments = ["--exact", &test, "--ignored", "--test-threads=1", "--nocapture"];
    let output = Command::new(this).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{test}: {told}");
}

#[test]
fn a_child_cannot_use_a_connection_opened_before_the_fork() {
    alone("use_in_child");
}

#[test]
fn a_child_that_only_ends_harms_nothing() {
    alone("close_in_child");
}

#[test]
fn a_child_can_open_anew() {
    alone("open_in_child");
}

/// Runs `child` in a forked child; whether it succeeded.
fn forked(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs only SQLite on this thread's own connections and
    // leaves by _exit.
    unsafe {
        match libc::fork() {
            0 => {
                let good = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
                libc::_exit(if good.unwrap_or(false) { 0 } else { 1 });
            }
            child => {
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
            }
        }
    }
}

#[test]
#[ignore = "run in a process of its own"]
fn use_in_child() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run("CREATE TABLE t(a); INSERT INTO t VALUES(1); BEGIN; INSERT INTO t VALUES(2)");
    let idle = kit.open("app");
    assert_eq!(idle.int("SELECT count(*) FROM t"), 1);
    assert!(forked(|| {
        let write = db.execute_batch("INSERT INTO t VALUES(3); COMMIT");
        let read = idle.query_row("SELECT count(*) FROM t", [], |_| Ok(()));
        [write, read]
            .into_iter()
            .all(|answer| answer.is_err_and(|e| code(e) & 0xff == rusqlite::ffi::SQLITE_IOERR))
    }));
    db.run("COMMIT");
    assert_eq!(db.int("SELECT sum(a) FROM t"), 3);
    assert_eq!(kit.open("app").int("SELECT sum(a) FROM t"), 3);
}

#[test]
#[ignore = "run in a process of its own"]
fn close_in_child() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run("CREATE TABLE t(a); BEGIN IMMEDIATE; INSERT INTO t VALUES(1)");
    assert!(forked(|| {
        // SAFETY: closes the child's copy of the connection, which the parent's
        // drop does not see.
        unsafe { rusqlite::ffi::sqlite3_close(db.handle()) };
        true
    }));
    db.run("COMMIT");
    assert_eq!(kit.open("app").int("SELECT count(*) FROM t"), 1);
}

#[test]
#[ignore = "run in a process of its own"]
fn open_in_child() {
    if other_store().is_some() {
        // Who opens stores sees to that; see the stack of crates/hozo.
        eprintln!("SKIPPED: the child has a copy of its own of a store in memory only");
        return;
    }
    let kit = Kit::new();
    let db = kit.open("app");
    db.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    assert!(forked(|| {
        let own = kit.open("app");
        own.run("INSERT INTO t VALUES(2)");
        own.int("SELECT count(*) FROM t") == 2
    }));
    assert_eq!(db.int("SELECT count(*) FROM t"), 1);
}
