//! Which backends a build has, and what it says of others.

#[cfg(any(feature = "sled", not(feature = "rocksdb")))]
use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Runs `hozo` in a directory.
fn hozo(dir: &TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hozo"))
        .args(args)
        .current_dir(dir.path())
        .env_remove("HOZO_CONFIG")
        .output()
        .unwrap()
}

/// Exits with 5 and says all of these words.
#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

#[test]
fn init_takes_another_backend() {
    let dir = TempDir::new().unwrap();
    assert!(hozo(&dir, &["init", "--backend", "memory"]).status.success());
    let said = hozo(&dir, &["check", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(said["stores"][0]["backend"], "memory");
    let unknown = hozo(&dir, &["init", "--backend", "memry", "other"]);
    refused(&unknown, &["unknown backend `memry`", "did you mean `memory`?"]);
    assert!(!dir.path().join("other").exists(), "nothing is written then");
}

/// A backend that is a cargo feature: how to get it, and where it is named.
#[cfg(not(feature = "rocksdb"))]
#[test]
fn a_backend_that_was_left_out_says_how_to_get_it() {
    let dir = TempDir::new().unwrap();
    let text = "[store.a]\nbackend = \"rocksdb\"\npath = \"x\"\n";
    fs::write(dir.path().join("hozo.toml"), text).unwrap();
    let how = "cargo install --git https://github.com/hozo-db/hozo hozo-cli --features rocksdb";
    let words = ["this build has no backend `rocksdb`", "hozo.toml:2:11", "make install", how];
    refused(&hozo(&dir, &["check"]), &words);
    refused(&hozo(&dir, &["init", "--backend", "rocksdb", "other"]), &[words[0], how]);
    assert!(!dir.path().join("other").exists(), "nothing is written then");
}

/// A build with everything has what the features name.
#[cfg(all(feature = "fdb", feature = "rocksdb", feature = "sled"))]
#[test]
fn a_build_with_everything_has_every_backend() {
    let dir = TempDir::new().unwrap();
    for backend in ["fdb", "rocksdb", "sled"] {
        // FoundationDB has no directory.
        let path = if backend == "fdb" { "" } else { "path = \"x\"\n" };
        let text = format!("[store.a]\nbackend = \"{backend}\"\n{path}");
        fs::write(dir.path().join("hozo.toml"), text).unwrap();
        assert!(hozo(&dir, &["check"]).status.success(), "{backend}");
    }
}
