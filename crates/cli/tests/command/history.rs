//! The past: log, and opening a namespace as it was.

use super::run::Home;

fn with_three_commits() -> Home {
    let home = Home::new();
    home.run(["ns", "create", "app"]).ok();
    home.sql("app", "CREATE TABLE t(x)");
    home.sql("app", "INSERT INTO t VALUES ('one')");
    home.sql("app", "INSERT INTO t VALUES ('two')");
    home
}

#[test]
fn each_commit_is_an_entry_and_can_be_opened() {
    let home = with_three_commits();
    let versions = home.versions("app");
    assert_eq!(versions.len(), 3);
    assert!(versions.is_sorted_by(|a, b| a > b), "newest first: {versions:?}");
    assert_eq!(home.sql("app", "SELECT group_concat(x) FROM t"), "one,two\n");
    let at = |i: usize| format!("app@{}", versions[i]);
    assert_eq!(home.sql(&at(1), "SELECT group_concat(x) FROM t"), "one\n");
    assert_eq!(home.sql(&at(2), "SELECT count(*) FROM t"), "0\n");
    let log = home.json(&["ns", "log", "app"]);
    let time = log[1]["time"].as_str().unwrap();
    assert_eq!(home.sql(&format!("app@{time}"), "SELECT count(*) FROM t"), "1\n");
    assert_eq!((&log[0]["page_size"], &log[0]["bytes"]), (&4096.into(), &8192.into()));
}

#[test]
fn the_log_is_cut_by_limit_version_and_time() {
    let home = with_three_commits();
    let log = home.json(&["ns", "log", "app"]);
    let field = |i: usize, name: &str| log[i][name].as_str().unwrap().to_owned();
    let seen = |args: &[&str]| {
        let args: Vec<&str> = ["ns", "log", "app"].iter().chain(args).copied().collect();
        let log = home.json(&args);
        let versions =
            log.as_array().unwrap().iter().map(|e| e["version"].as_str().unwrap().to_owned());
        versions.collect::<Vec<_>>()
    };
    let all = home.versions("app");
    assert_eq!(seen(&["--limit", "2"]), all[..2]);
    assert_eq!(seen(&["--since", &field(1, "version")]), all[..2]);
    assert_eq!(seen(&["--until", &field(1, "version")]), all[1..]);
    assert_eq!(seen(&["--since", &field(1, "time")]), all[..2]);
    assert_eq!(seen(&["--until", &field(1, "time")]), all[1..]);
    assert_eq!(seen(&["--since", "-1h"]), all);
    assert_eq!(seen(&["--until", "-1h"]), Vec::<String>::new());
    assert_eq!(seen(&["--since", "2999-01-01"]), Vec::<String>::new());
    let oldest: Vec<String> = all.iter().rev().cloned().collect();
    assert_eq!(seen(&["--oldest-first"]), oldest);
    assert_eq!(seen(&["--oldest-first", "--since", &field(1, "version"), "-n", "1"]), all[1..2]);
    let text = home.run(["ns", "log", "app", "-n", "2"]).ok();
    assert!(text.starts_with("VERSION") && text.lines().count() == 3, "{text}");
    home.run(["ns", "log", "none"]).fails(3, &["not found"]);
}

#[test]
fn a_long_log_comes_whole() {
    let home = Home::new();
    home.run(["ns", "create", "app"]).ok();
    let script: String = (0..2100).map(|i| format!("INSERT INTO t VALUES ({i});\n")).collect();
    home.run_with(
        ["sql", "app"],
        &format!("PRAGMA synchronous = OFF; CREATE TABLE t(x);\n{script}"),
    )
    .ok();
    let versions = home.versions("app");
    assert_eq!(versions.len(), 2101);
    assert!(versions.is_sorted_by(|a, b| a > b));
}

#[test]
fn the_past_cannot_be_changed_or_made() {
    let home = with_three_commits();
    let versions = home.versions("app");
    let past = format!("app@{}", versions[1]);
    home.run(["sql", &past, "DELETE FROM t"]).fails(1, &["readonly"]);
    let early = home.run(["sql", "app@2001-01-01", "SELECT 1"]);
    assert!(!early.err.contains("ns create"), "it exists: {early:?}");
    early.fails(3, &["created later", "app begins at 20", "`hozo ns log app`"]);
    home.run(["export", "app@2001-01-01", "a.db"]).fails(3, &["app begins at 20"]);
    home.run(["sql", "app@ffffffffffffffffffff", "SELECT 1"]).fails(3, &["ffff"]);
    home.run(["sql", "none@-5m", "SELECT 1"]).fails(3, &["none"]);
}
