//! `hozo check` of stores, and the repair. The store is hashdbm's, which has a
//! check of its own.

use std::fs;
use std::path::PathBuf;

use super::run::Home;

/// A config with two stores, and a namespace with a few versions.
fn home() -> Home {
    let home = Home::empty();
    home.write(
        "hozo.toml",
        "[store.main]\nbackend = \"hashdbm\"\npath = \"data\"\n\n[store.quick]\nbackend = \"memory\"\n",
    );
    home.run(["ns", "create", "app"]).ok();
    home.sql("app", "CREATE TABLE t(x)");
    for n in 0..10 {
        home.sql("app", &format!("INSERT INTO t VALUES (hex(randomblob(3000)) || '{n}')"));
    }
    home
}

/// The only segment of the store's pages.
fn segment(home: &Home) -> PathBuf {
    home.path("data/pages/0000000000000000.seg")
}

/// Damages a page in the middle of what the log has.
fn damage(home: &Home) {
    let mut bytes = fs::read(segment(home)).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end / 2] ^= 1;
    fs::write(segment(home), bytes).unwrap();
}

#[test]
fn a_config_alone_opens_nothing() {
    let home = home();
    damage(&home);
    let out = home.run(["check"]).ok();
    assert!(!out.contains("whole"), "{out}");
    assert!(home.json(&["check"]).get("checked").is_none());
}

#[test]
fn a_whole_store_is_said_to_be() {
    let home = home();
    let out = home.run(["check", "--stores"]).ok();
    assert!(out.contains("store main is whole") && out.contains("pages"), "{out}");
    assert!(out.contains("quick: this backend has no check of its own"), "{out}");
    let out = home.run(["check", "--store", "quick"]).ok();
    assert!(!out.contains("store main"), "{out}");
    let checked = home.json(&["check", "--stores"]);
    assert_eq!(checked["checked"][0]["state"], "whole");
    assert_eq!(checked["checked"][1]["state"], "no-check");
    home.run(["check", "--store", "mian"]).fails(3, &["no store `mian`", "main, quick"]);
    let out = home.run(["check", "--repair"]).ok();
    assert!(out.contains("store main is whole"), "{out}");
}

#[test]
fn nothing_stored_is_nothing_to_check() {
    let home = Home::empty();
    home.write("hozo.toml", "[store.main]\nbackend = \"hashdbm\"\npath = \"data\"\n");
    let out = home.run(["check", "--stores"]).ok();
    assert!(out.contains("nothing was ever stored"), "{out}");
    assert!(!home.path("data").exists());
}

#[test]
fn a_damaged_store_is_repaired_when_somebody_says_so() {
    let home = home();
    damage(&home);
    let before = fs::read(segment(&home)).unwrap();
    let ran = home.run(["check", "--store", "main"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for words in ["damaged:", "pages/0000000000000000.seg", "a repair would lose", "--repair"] {
        assert!(ran.out.contains(words), "no {words:?} in {ran:?}");
    }
    // Nobody is there to be asked.
    let ran = home.run(["check", "--repair"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.out.contains("a repair would lose") && ran.err.contains("--yes"), "{ran:?}");
    assert_eq!(fs::read(segment(&home)).unwrap(), before, "nothing has changed");

    let ran = home.run(["check", "--repair", "--yes", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &said["checked"][0]["state"]), (0, &"repaired".into()), "{said}");
    let losses = said["checked"][0]["parts"][0]["losses"].as_array().unwrap();
    assert!(!losses.is_empty(), "{said}");
    let kept: Vec<_> = fs::read_dir(home.path("data"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.display().to_string().contains("pages.damaged-"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read(kept[0].join("0000000000000000.seg")).unwrap(), before);
    let out = home.run(["check", "--stores"]).ok();
    assert!(out.contains("store main is whole"), "{out}");
    // The history before the damage is there.
    let versions = home.versions("app");
    let oldest = versions.last().unwrap();
    assert_eq!(home.sql(&format!("app@{oldest}"), "SELECT count(*) FROM t"), "0\n");
}

#[test]
fn a_statement_that_meets_damage_says_which_file_and_what_to_do() {
    let home = home();
    damage(&home);
    let ran = home.run(["sql", "app", "SELECT sum(length(x)) FROM t"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    for words in ["malformed", "0000000000000000.seg", "hozo check"] {
        assert!(ran.err.contains(words), "no {words:?} in {ran:?}");
    }
}

#[test]
fn a_damaged_index_loses_nothing() {
    let home = home();
    let sum = home.sql("app", "SELECT sum(length(x)), count(*) FROM t");
    fs::write(home.path("data/pages/roots"), "nonsense").unwrap();
    let ran = home.run(["check", "--stores"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("a repair would lose nothing"), "{ran:?}");
    let out = home.run(["check", "--repair", "--yes"]).ok();
    assert!(out.contains("repaired") && out.contains("nothing was lost"), "{out}");
    assert_eq!(home.sql("app", "SELECT sum(length(x)), count(*) FROM t"), sum);
}
