use std::fs;

use super::*;

const READ: Open = Open { create: false, readonly: true };
const WRITE: Open = Open { create: true, readonly: false };

const PARENT: u32 = 10;
const CHILD: u32 = 11;

/// A directory with a config of this text, and the config.
fn config(text: &str) -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("hozo.toml");
    fs::write(&file, text).unwrap();
    (place, file)
}

fn read_again() -> Result<PathBuf> {
    panic!("the config was read already")
}

#[test]
fn the_child_of_a_process_that_opened_a_store_is_refused() {
    let (_place, file) = config("[store.main]\nbackend = \"memory\"\n[[namespace]]\nmatch = \"*\"");
    let lazy = LazyStack::new();
    let opened = lazy.resolve_in(PARENT, || Ok(file), "app", WRITE).unwrap();
    assert!(opened.is_some());
    // Whatever it asks for, before anything is looked up.
    for name in ["app", "other", "./plain.db"] {
        let refused = lazy.resolve_in(CHILD, read_again, name, WRITE).map(|_| ()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        let said = refused.to_string();
        assert!(said.contains("forked from one that had opened a Hozo store"), "{said}");
        assert!(said.ends_with(&format!("(name {name}, opened by process {PARENT})")), "{said}");
    }
    // The parent notices nothing.
    assert!(lazy.resolve_in(PARENT, read_again, "app", READ).unwrap().is_some());
}

#[test]
fn a_fork_before_a_store_is_opened_does_no_harm() {
    // Nothing was ever stored in the first store, and a look does not open it.
    let (place, file) = config(
        "[store.main]\nbackend = \"dir\"\npath = \"data\"\n[store.memory]\nbackend = \"memory\"\n\
         [[namespace]]\nmatch = \"app\"\nstore = \"memory\"",
    );
    let mut registry = Registry::builtin();
    registry.register("dir", |_: &Dir| Ok(()), |_, _| panic!("opened")).unwrap();
    let lazy = LazyStack::new();
    let plan = Plan::from_file(file, &registry).unwrap();
    lazy.stack.set(Stack::open(plan)).unwrap();
    assert!(lazy.resolve_in(PARENT, read_again, "plain.db", WRITE).unwrap().is_none());
    assert!(!place.path().join("data").exists());
    assert!(lazy.resolve_in(CHILD, read_again, "app", WRITE).unwrap().is_some());
    // Now it is the child's.
    assert!(lazy.resolve_in(PARENT, read_again, "plain.db", WRITE).is_err());
}

/// The settings of a backend that has a directory.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Dir {
    #[expect(dead_code, reason = "the plan reads it from the config")]
    path: PathBuf,
}

#[test]
fn a_config_that_is_wrong_is_one_line_and_is_read_again() {
    let (_place, file) = config("[store.main]\nbackend = \"memori\"\nbytes = 1\n[cahce]\n");
    let lazy = LazyStack::new();
    let wrong = lazy.resolve(|| Ok(file.clone()), "app", READ).map(|_| ()).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Invalid);
    let said = wrong.to_string();
    let start = format!("invalid: the config is wrong: {}:2:11: ", file.display());
    assert!(said.starts_with(&start) && !said.contains('\n'), "{said}");
    fs::write(&file, "[store.main]\nbackend = \"memory\"\n").unwrap();
    assert!(lazy.resolve(|| Ok(file), "app", READ).unwrap().is_none());
    assert!(lazy.stack(read_again).is_ok());
}
