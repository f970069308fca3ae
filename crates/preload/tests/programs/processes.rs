//! Threads, forks and ends.

use crate::support::{Build, Place, Preloaded as _, built, store_stays};

const MAKE: &str = "CREATE TABLE IF NOT EXISTS t(x)";

#[test]
fn threads_open_at_the_same_time() {
    let place = Place::new();
    let actions =
        ["open", "app", "sql", MAKE, "threads", "8", "app", "sql", "SELECT count(*) FROM t"];
    let ran = place.run(built(Build::System), &actions);
    assert_eq!(ran.quiet(), "open 0\nfailures 0\n80\n");
}

/// The first opens of all, at the same time: the VFS is registered and the
/// store opened once.
#[test]
fn threads_make_the_first_open() {
    if !store_stays() {
        return;
    }
    let place = Place::new();
    assert_eq!(place.run(built(Build::System), &["open", "app", "sql", MAKE]).quiet(), "open 0\n");
    let ran = place.run(built(Build::System), &["threads", "16", "app"]);
    assert_eq!(ran.quiet(), "failures 0\n");
}

/// As servers with preforked workers do.
#[test]
fn fork_before_the_first_open() {
    let place = Place::new();
    let actions = [
        "open",
        ":memory:",
        "sql",
        "SELECT 1",
        "fork",
        "open",
        "app",
        "sql",
        MAKE,
        "sql",
        "SELECT count(*) FROM t",
        "close",
    ];
    let ran = place.run(built(Build::System), &actions);
    assert_eq!(ran.quiet(), "open 0\n1\nchild\nopen 0\n0\nclose 0\nchild ended 0\n");
}

#[test]
fn fork_after_an_open_of_a_plain_file() {
    let place = Place::new();
    let actions = ["open", "./plain.db", "close", "fork", "open", "app", "sql", MAKE, "close"];
    let ran = place.run(built(Build::System), &actions);
    assert_eq!(ran.quiet(), "open 0\nclose 0\nchild\nopen 0\nclose 0\nchild ended 0\n");
}

#[test]
fn the_child_of_a_process_that_opened_is_refused() {
    let place = Place::new();
    let actions = [
        "open",
        "app",
        "sql",
        MAKE,
        "in-child",
        "open",
        "app",
        "in-child",
        "open",
        "./plain.db",
        "sql",
        "SELECT count(*) FROM t",
        "close",
    ];
    let ran = place.run(built(Build::System), &actions);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "open 0", "{ran:?}");
    assert!(lines[1].starts_with("open 14 errcode 14: ") && lines[1].contains("forked"), "{ran:?}");
    // It ends as it would without us, and other databases are open to it; the
    // parent notices nothing.
    assert_eq!(lines[2..], ["child ended 0", "open 0", "child ended 0", "0", "close 0"]);
    assert_eq!(ran.code, Some(0));
}

/// A connection that came along through the fork must not answer with what
/// only the parent can keep right.
#[test]
fn an_inherited_connection_does_not_write() {
    let place = Place::new();
    let insert = "INSERT INTO t VALUES (1)";
    let actions = [
        "open",
        "app",
        "sql",
        MAKE,
        "sql",
        insert,
        "in-child",
        "sql",
        insert,
        "sql",
        "SELECT count(*) FROM t",
        "close",
    ];
    let ran = place.run(built(Build::System), &actions);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[1].starts_with("error "), "{ran:?}");
    assert_eq!(lines[2..], ["child ended 0", "1", "close 0"], "{ran:?}");
}

#[test]
fn a_program_may_end_with_everything_open() {
    let place = Place::new();
    for round in 0..3 {
        let actions = [
            "open",
            "app",
            "sql",
            MAKE,
            "sql",
            "BEGIN IMMEDIATE",
            "sql",
            "INSERT INTO t VALUES (1)",
        ];
        let ran = place.run(built(Build::System), &actions);
        assert_eq!(ran.quiet(), "open 0\n", "round {round}");
    }
    let actions = ["open", "app", "sql", MAKE, "sql", "SELECT count(*) FROM t"];
    assert_eq!(place.run(built(Build::System), &actions).quiet(), "open 0\n0\n");
}
