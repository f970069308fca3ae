//! Configs, right and wrong.

use std::fs;

use hozo_tests::{Scratch, repository};

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[
    Case::new("each_file_in_configs_starts", shipped_configs),
    Case::new("a_config_cut_off_anywhere_is_an_error_or_right", cut_off),
    Case::new("every_mistake_is_said_at_once", mistakes),
];

/// Each config that the repository ships, started: a namespace is made, written
/// and read.
fn shipped_configs() {
    let dir = repository().join("configs");
    let mut started = 0;
    for entry in fs::read_dir(&dir).expect("configs/ is there") {
        let path = entry.expect("configs/ can be listed").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a config can be read");
        let scratch = Scratch::empty();
        scratch.write("hozo.toml", &text);
        let shown = path.display();
        let checked = scratch.hozo(&["check", "hozo.toml"]).run();
        assert_eq!(checked.code, Some(0), "{shown}: {checked}");
        // Written and read in one process, since a store in memory ends with it;
        // its config makes names when they are opened.
        scratch.hozo(&["ns", "create", "--if-not-exists", "app"]).ok();
        let sql = "CREATE TABLE t(x); INSERT INTO t VALUES (41 + 1); SELECT x FROM t";
        let said = scratch.hozo(&["sql", "app", sql]).run();
        assert!(said.code == Some(0) && said.stdout.contains("42"), "{shown}: {said}");
        started += 1;
    }
    assert!(started > 0, "no configs in {}", dir.display());
}

fn cut_off() {
    let scratch = Scratch::new();
    let text = scratch.read("hozo.toml");
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)).step_by(7) {
        scratch.write("cut.toml", &text[..end]);
        let ran = scratch.hozo(&["check", "cut.toml"]).run();
        if ran.code != Some(0) {
            ran.fails(&["cut.toml"]);
        }
    }
}

fn mistakes() {
    let scratch = Scratch::empty();
    let text = "[store.main]\nbackend = \"rocksdbb\"\npath = \"data\"\n\n[[namespace]]\n\
        match = \"app\"\nstore = \"mian\"\nconcurency = \"serial\"\n";
    scratch.write("hozo.toml", text);
    let ran = scratch.hozo(&["check", "hozo.toml"]).run();
    ran.fails(&["hozo.toml:2:", "rocksdb", "hozo.toml:7:", "main", "hozo.toml:8:", "concurrency"]);
}
