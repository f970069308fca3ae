//! Beginning: init, check, help, where the config is.

use std::fs;

use hozo::Registry;

use super::run::{Home, store};

#[test]
fn init_writes_a_config_that_is_right_and_once_only() {
    let home = Home::empty();
    let out = home.run(["init", "new/place"]).ok();
    assert!(out.contains("hozo ns create") && out.contains("cd 'new/place'"), "{out}");
    home.run(["init", "new/place"]).fails(4, &["hozo.toml is there already"]);
    let out = home.run(["check", "new/place/hozo.toml"]).ok();
    assert!(out.contains("main (default)") && out.contains("app/*"), "{out}");
    let config = "new/place/hozo.toml";
    home.run(["--config", config, "ns", "create", "x"]).ok();
    assert!(home.path("new/place/data/main").is_dir(), "paths are relative to the config");
    let list = home.json(&["ns", "list", "--config", config]);
    assert_eq!(list[0]["name"], "x");
}

#[test]
fn without_a_config_it_says_how_to_get_one() {
    let home = Home::empty();
    for args in [&["ns", "list"][..], &["sql", "app", "SELECT 1"], &["env", "app"]] {
        home.run(args).fails(5, &["no hozo.toml here", "hozo init", "HOZO_CONFIG"]);
    }
    home.run(["--config", "other.toml", "ns", "list"]).fails(5, &["other.toml", "cannot be read"]);
}

#[test]
fn the_environment_names_a_config_unless_it_is_empty() {
    let home = Home::new();
    home.run(["init", "other"]).ok();
    home.run(["--config", "other/hozo.toml", "ns", "create", "there"]).ok();
    let list = |config: &str| {
        let mut hozo = std::process::Command::new(env!("CARGO_BIN_EXE_hozo"));
        hozo.args(["ns", "list", "--json"]).current_dir(home.path("."));
        let output = hozo.env("HOZO_CONFIG", config).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(list("other/hozo.toml").contains("there"));
    assert_eq!(list(""), "[]\n");
}

#[test]
fn check_shows_every_error_with_its_place() {
    let home = Home::empty();
    home.write("hozo.toml", "[store.main]\nbackend = \"rocksbd\"\npth = \"x\"\n\n[cash]\n");
    let ran = home.run(["check"]);
    assert_eq!(ran.code, 5);
    let backends: Vec<String> =
        Registry::builtin().names().map(|name| format!("`{name}`")).collect();
    let expected = "\
error: unknown backend `rocksbd`
 --> hozo.toml:2:11
  |
2 | backend = \"rocksbd\"
  |           ^^^^^^^^^ did you mean `rocksdb`?
  = backends here: @

error: unknown section or key `cash`
 --> hozo.toml:5:2
  |
5 | [cash]
  |  ^^^^ did you mean `cache`?
  = sections: [store.NAME], [[namespace]], [[dbm]], [replication.NAME], [cache], [[frontend]]

2 errors in hozo.toml
"
    .replace('@', &backends.join(", "));
    assert_eq!(ran.err, expected);
    let ran = home.run(["check", "--json"]);
    assert_eq!(ran.code, 5);
    let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(said["ok"], false);
    assert_eq!(said["problems"][0]["line"], 2);
    assert_eq!(said["problems"][0]["column"], 11);
    assert_eq!(said["problems"][0]["hint"], "did you mean `rocksdb`?");
    assert_eq!(ran.err, "");
}

#[test]
fn a_store_whose_directory_cannot_be_is_told_before_it_is_opened() {
    let home = Home::empty();
    home.write("file", "");
    for (path, words) in [
        ("absent/main", &["does not exist", "mkdir -p", ":3:8"][..]),
        ("file", &["file is not a directory"]),
        ("file/main", &["Not a directory"]),
    ] {
        let text = format!("[store.main]\nbackend = {:?}\npath = \"{path}\"\n", store());
        home.write("hozo.toml", text);
        home.run(["check"]).fails(5, words);
    }
    let twice = format!(
        "[store.a]\nbackend = {0:?}\npath = \"x\"\n[store.b]\nbackend = {0:?}\npath = \"./y/../x\"\n",
        store()
    );
    home.write("hozo.toml", twice);
    home.run(["check"]).fails(5, &["have the same path", "line 3", ":6:8"]);
}

#[cfg(feature = "rocksdb")]
#[test]
fn a_value_that_a_backend_refuses_has_its_place() {
    let home = Home::empty();
    home.write("hozo.toml", "[store.a]\nbackend = \"rocksdb\"\npath = \"x\"\nmax_open_files = 3\n");
    home.run(["check"]).fails(5, &["max_open_files", ":4:18"]);
}

#[test]
fn a_wrong_command_line_is_usage() {
    let home = Home::new();
    home.run(["ns", "creat", "x"]).fails(2, &["creat"]);
    home.run(["ns", "create", "a@b"]).fails(2, &["'@'"]);
    home.run(["sql", "app@", "SELECT 1"]).fails(2, &["after '@'"]);
    home.run(["ns", "create", "x", "--page-size", "1000"]).fails(2, &["power of two"]);
    home.run(["ns", "create", "x", "--concurrency", "fast"]).fails(2, &["optimistic"]);
}

#[test]
fn help_teaches_the_exit_codes_and_completions_are_scripts() {
    let home = Home::empty();
    let help = home.run(["--help"]).ok();
    for word in ["Exit codes", "hozo init", "2026-11-21T09:30:00Z", "--json"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.run(["completions", shell]).ok().contains("hozo"));
    }
}

#[test]
fn env_prints_what_a_shell_can_take() {
    let home = Home::new();
    let lib = home.path("it's a lib");
    fs::create_dir(&lib).unwrap();
    fs::write(lib.join("libhozo_preload.so"), "").unwrap();
    let hozo = env!("CARGO_BIN_EXE_hozo");
    let script = format!(
        "eval \"$('{hozo}' env app)\" && eval \"$('{hozo}' env app)\" && echo \"$LD_PRELOAD\" && echo \"$HOZO_CONFIG\""
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(home.path("."))
        .env("HOZO_LIB_DIR", &lib)
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let mut lines = out.lines();
    // Said twice, it is there once.
    assert!(lines.next().unwrap().ends_with("it's a lib/libhozo_preload.so"), "{out}");
    assert!(!out.contains(".so:"), "{out}");
    assert!(lines.next().unwrap().ends_with("/hozo.toml"), "{out}");
}
