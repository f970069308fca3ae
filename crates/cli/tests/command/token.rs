//! `hozo token`

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::run::Home;

#[test]
fn a_token_is_shown_once_and_its_hash_is_kept() {
    let home = Home::empty();
    let new = ["token", "new", "web", "--right", "casket=write", "--right", "*=read"];
    let made = home.run(new.into_iter().chain(["--file", "tokens.toml"]));
    assert!(made.err.contains("added `web` to tokens.toml"), "{made:?}");
    let token = made.ok();
    assert!(token.starts_with("hozo_") && token.trim().len() == 48, "{token}");
    let file = fs::read_to_string(home.path("tokens.toml")).unwrap();
    assert!(!file.contains(token.trim()) && !file.contains(&token[5..]), "{file}");
    let said =
        home.json(&["token", "new", "audit", "--right", "log=admin", "--file", "tokens.toml"]);
    assert_eq!(said["rights"], json!({ "log": "admin" }));
    let out = home.run(["token", "list", "--file", "tokens.toml"]).ok();
    assert!(out.contains("*=read casket=write") && out.contains("log=admin"), "{out}");
    let list = home.json(&["token", "list", "--file", "tokens.toml"]);
    assert_eq!(list[1]["sha256"], said["sha256"]);
    assert_eq!(list[0]["rights"], json!({ "*": "read", "casket": "write" }));
    // Without a file the entry comes with it.
    let out = home.run(new).ok();
    let (token, entry) = out.split_once('\n').unwrap();
    assert!(token.starts_with("hozo_"), "{out}");
    home.write("other.toml", entry);
    assert_eq!(home.json(&["token", "list", "--file", "other.toml"])[0]["name"], "web");
}

#[test]
fn a_file_that_is_wrong_stays_as_it_is() {
    let home = Home::empty();
    let new = |name: &str| {
        ["token", "new", name, "--right", "*=read", "--file", "t.toml"].map(String::from)
    };
    home.run(["token", "list", "--file", "t.toml"]).fails(3, &["t.toml"]);
    home.run(new("a")).ok();
    let before = fs::read_to_string(home.path("t.toml")).unwrap();
    home.run(new("a")).fails(4, &["has a token `a` already"]);
    assert_eq!(fs::read_to_string(home.path("t.toml")).unwrap(), before);
    let wrong = before.replace("sha256", "sha");
    home.write("t.toml", &wrong);
    home.run(new("b")).fails(1, &["t.toml", "sha256"]);
    assert_eq!(fs::read_to_string(home.path("t.toml")).unwrap(), wrong);
    // A last line without an end, and a mode that somebody chose.
    home.write("t.toml", before.trim_end());
    fs::set_permissions(home.path("t.toml"), PermissionsExt::from_mode(0o640)).unwrap();
    home.run(new("b")).ok();
    assert_eq!(home.json(&["token", "list", "--file", "t.toml"]).as_array().unwrap().len(), 2);
    let mode = fs::metadata(home.path("t.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn rights_that_make_no_sense_are_refused() {
    let home = Home::empty();
    let new = |rights: &[&str]| {
        let rights = rights.iter().flat_map(|right| ["--right", right]);
        home.run(["token", "new", "web"].into_iter().chain(rights))
    };
    new(&[]).fails(2, &["--right"]);
    new(&["casket"]).fails(2, &["DBM=read"]);
    new(&["casket=all"]).fails(2, &["DBM=read"]);
    new(&["a/b=read"]).fails(2, &["a DBM's name is"]);
    new(&["casket=read", "casket=write"]).fails(2, &["two rights to `casket`"]);
    home.run(["token", "new", "a\"b", "--right", "x=read"]).fails(2, &["a token's name is"]);
}
