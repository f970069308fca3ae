//! The loadable extension, without the preload library.

use hozo_tests::{Run, Scratch, built};

use crate::case::{Case, Need};

const SHELL: &[Need] = &[Need::Program("sqlite3")];

pub(crate) const CASES: &[Case] = &[
    Case::new("loads_and_opens_by_uri", loads).needing(SHELL),
    Case::new("opens_the_past_by_uri", past).needing(SHELL),
];

/// The shell, with the extension loaded and one of our names opened.
fn shell(scratch: &Scratch, name: &str, sql: &str) -> Run {
    let load = format!(".load {}", built().extension.display());
    let open = format!(".open file:{name}?vfs=hozo");
    let run = scratch.run("sqlite3").env("HOZO_CONFIG", scratch.config());
    run.args(["-batch", "-bail", "-cmd", &load, "-cmd", &open, ":memory:", sql])
}

fn loads() {
    let scratch = Scratch::with_namespace("app");
    shell(&scratch, "app", "CREATE TABLE t(x); INSERT INTO t VALUES (5);").ok();
    assert_eq!(shell(&scratch, "app", "SELECT x FROM t").ok(), "5\n");
}

fn past() {
    let scratch = Scratch::with_namespace("app");
    shell(&scratch, "app", "CREATE TABLE t(x); INSERT INTO t VALUES (5);").ok();
    let entry = scratch.log("app").remove(0);
    let version = entry["version"].as_str().expect("a version");
    shell(&scratch, "app", "UPDATE t SET x = 6").ok();
    assert_eq!(shell(&scratch, &format!("app@{version}"), "SELECT x FROM t").ok(), "5\n");
    assert_eq!(shell(&scratch, "app", "SELECT x FROM t").ok(), "6\n");
}
