//! Names that may be ours, with a store out of reach: an error, never a file.

use std::path::Path;

use crate::support::{Build, Place, Preloaded as _, Ran, built, store_stays};

#[track_caller]
fn refused(ran: &Ran, place: &Place, words: &[&str]) {
    for text in [&ran.stdout, &ran.stderr] {
        for word in words {
            assert!(text.contains(word), "{word:?} is not in {text:?}");
        }
    }
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert!(ran.stderr.starts_with("hozo: cannot open "), "{ran:?}");
    assert_eq!(place.files(), [""; 0], "nothing may have been made");
}

#[test]
fn a_config_that_is_not_there() {
    let place = Place::bare();
    let ran = place.run(built(Build::System), &["open", "anything", "errmsg"]);
    assert!(ran.stdout.starts_with("open 14 errcode 14: "), "{ran:?}");
    refused(&ran, &place, &["hozo.toml", "./anything"]);
}

#[test]
fn a_config_with_a_mistake() {
    let place = Place::new();
    place.write("hozo.toml", "[store.main]\nbackend = \"memory\"\ncolour = \"red\"\n");
    let ran = place.run(built(Build::System), &["open", "anything"]);
    refused(&ran, &place, &["hozo.toml:3:1", "colour"]);
}

#[test]
fn every_open_is_refused() {
    let place = Place::bare();
    for actions in [
        &["open", "app"][..],
        &["open16", "app"],
        &["open_v2", "app", "6", ""],
        &["open_v2", "app", "6", "hozo"],
        &["open_v2", "file:app?vfs=hozo", "0x46", ""],
        &["open_v2", "file:app", "0x46", ""],
        &["open", "app@-5m"],
        &["open", "app@nonsense"],
    ] {
        let ran = place.run(built(Build::System), actions);
        assert!(ran.stdout.contains(" 14 errcode 14: "), "{actions:?}: {ran:?}");
        refused(&ran, &place, &["hozo.toml"]);
    }
}

#[test]
fn plain_names_do_not_need_the_store() {
    let place = Place::bare();
    for name in ["./plain.db", ":memory:", ""] {
        let ran = place.run(built(Build::System), &["open", name, "sql", "CREATE TABLE t(x)"]);
        assert_eq!(ran.quiet(), "open 0\n", "{name}");
    }
}

#[test]
fn a_moment_that_is_not_there() {
    let place = Place::new();
    let setup = ["open", "app", "sql", "CREATE TABLE IF NOT EXISTS t(x)", "close"];
    for moment in ["nonsense!", "2001-01-01T00:00:00Z", "ffffffffffffffffffff"] {
        let name = format!("app@{moment}");
        let mut actions = setup.to_vec();
        actions.extend(["open", &name]);
        let ran = place.run(built(Build::System), &actions);
        assert!(ran.stdout.starts_with("open 0\nclose 0\nopen 14 errcode 14: "), "{ran:?}");
        refused(&ran, &place, &[]);
    }
}

#[test]
fn a_name_to_read_that_is_not_there() {
    let place = Place::new();
    let ran = place.run(built(Build::System), &["open_v2", "app/none", "1", ""]);
    refused(&ran, &place, &["app/none"]);
}

/// A program that does not look at the open's answer must not write into thin air.
#[test]
fn a_refused_connection_takes_nothing() {
    let place = Place::bare();
    let actions = [
        "open",
        "app",
        "errmsg",
        "sql",
        "CREATE TABLE t(x)",
        "sql",
        "CREATE TEMP TABLE t(x)",
        "sql",
        "SELECT 1",
        "sql",
        "ATTACH 'x.db' AS x",
        "sql",
        "BEGIN",
        "sql",
        "PRAGMA user_version",
        "backup-into-it",
        "close",
    ];
    let ran = place.run(built(Build::System), &actions);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 10, "{ran:?}");
    let said = lines[0].strip_prefix("open 14 errcode 14: ").expect("the open is refused");
    assert_eq!(lines[1], format!("errmsg {said}"));
    for line in &lines[2..8] {
        assert!(line.starts_with("error 23: "), "{line}");
    }
    assert_eq!(lines[8..], ["backup refused", "close 0"]);
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn a_store_that_another_process_holds() {
    if !store_stays() {
        return;
    }
    let place = Place::new();
    let library = crate::support::preload();
    let mut holder = std::process::Command::new("sqlite3")
        .args(["-batch", "app"])
        .current_dir(place.path(""))
        .env("LD_PRELOAD", library)
        .env("HOZO_CONFIG", place.path("hozo.toml"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("sqlite3 starts");
    let mut input = holder.stdin.take().expect("a pipe");
    let mut output = std::io::BufReader::new(holder.stdout.take().expect("a pipe"));
    let mut line = String::new();
    std::io::Write::write_all(&mut input, b"SELECT 'open';\n").expect("it listens");
    std::io::BufRead::read_line(&mut output, &mut line).expect("it answers");
    assert_eq!(line, "open\n");
    let ran = place.run(built(Build::System), &["open", "app", "open", "plain.db"]);
    drop(input);
    let id = holder.id().to_string();
    holder.wait().expect("it ends");
    for text in [&ran.stdout, &ran.stderr] {
        assert!(text.contains(&id), "the holder {id} is not named in {ran:?}");
    }
    // Nobody can say that `plain.db` is not a namespace.
    assert_eq!(ran.stdout.matches(" 14 errcode 14: ").count(), 2, "{ran:?}");
    assert_eq!(place.files(), [""; 0]);
    let ran = place.run(built(Build::System), &["open", "app"]);
    assert_eq!(ran.quiet(), "open 0\n");
}

#[test]
fn no_directory_for_the_store() {
    if !store_stays() {
        return;
    }
    let place = Place::new();
    std::fs::write(place.path("store"), "a file").expect("the directory can be written");
    let config = place.path("hozo.toml");
    let variables = [("HOZO_CONFIG", config.as_path() as &Path)];
    let ran = place.run_with(&variables, built(Build::System), &["open", "app"]);
    refused(&ran, &place, &["store"]);
}
