//! What opening refuses, and how it says so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use hozo_backend_hashdbm::Config;
use hozo_conformance::libtest_mimic::{Completion, Failed, Trial};
use hozo_traits::ErrorKind;
use tempfile::TempDir;

use super::child::{Running, Task};
use super::kit::{History, check, open, open_all, refused};

pub(crate) fn trials() -> Vec<Trial> {
    let all: [(&str, fn()); 11] = [
        ("makes_missing_directories", makes_missing_directories),
        ("names_the_process_that_has_it", names_the_process_that_has_it),
        ("waits_for_the_process_that_has_it", waits_for_the_process_that_has_it),
        ("is_free_when_its_process_was_killed", is_free_when_its_process_was_killed),
        ("is_refused_twice_in_one_process", is_refused_twice_in_one_process),
        ("refuses_what_is_no_store", refuses_what_is_no_store),
        ("refuses_other_backends_and_formats", refuses_other_backends_and_formats),
        ("makes_again_what_was_not_finished", makes_again_what_was_not_finished),
        ("is_checked_by_one_process_at_a_time", is_checked_by_one_process_at_a_time),
        ("checks_only_stores", checks_only_stores),
        ("is_not_for_forked_processes", is_not_for_forked_processes),
    ];
    let mut trials: Vec<Trial> = all
        .into_iter()
        .map(|(name, trial)| {
            Trial::test(format!("opening/{name}"), move || {
                trial();
                Ok::<(), Failed>(())
            })
        })
        .collect();
    trials.push(Trial::ignorable_test("opening/says_when_it_may_not", says_when_it_may_not));
    trials
}

/// Opens the store, which has to have all of its history.
fn whole(history: &History, path: &Path) {
    let store = open_all(&Config::new(path)).unwrap();
    let missing = history.missing(&store, false);
    assert!(missing.is_nothing(), "{missing:?}");
}

fn scratch() -> TempDir {
    TempDir::with_prefix("hozo-opening-").unwrap()
}

fn impatient(path: impl AsRef<Path>) -> Config {
    Config { lock_timeout_ms: 0, ..Config::new(path.as_ref()) }
}

fn makes_missing_directories() {
    let dir = scratch();
    let path = dir.path().join("a/b/store");
    let mut history = History::default();
    let store = open(&Config::new(&path)).unwrap();
    history.commits(&store, 2);
    drop(store);
    whole(&history, &path);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others may not look into it: {mode:o}");
}

fn names_the_process_that_has_it() {
    let dir = scratch();
    let mut child = Running::start(Task::Hold, dir.path(), |_| ());
    assert_eq!(child.line(), "opened");
    let error = refused(&impatient(dir.path()));
    assert_eq!(error.kind(), ErrorKind::Busy);
    let text = error.to_string();
    assert!(text.contains(&format!("pid {}", child.process.id())), "{text}");
    assert!(text.contains("a-child-of-the-test"), "{text}");
}

fn waits_for_the_process_that_has_it() {
    let dir = scratch();
    let mut child = Running::start(Task::Hold, dir.path(), |_| ());
    assert_eq!(child.line(), "opened");
    let (began, begins) = mpsc::channel();
    let path = dir.path().to_owned();
    let waiting = thread::spawn(move || {
        began.send(()).unwrap();
        open_all(&Config { lock_timeout_ms: 60_000, ..Config::new(path) }).map(drop)
    });
    begins.recv().unwrap();
    // Its input ends, so it closes the store.
    drop(child);
    waiting.join().unwrap().unwrap();
}

fn is_free_when_its_process_was_killed() {
    let dir = scratch();
    let mut child = Running::start(Task::Hold, dir.path(), |_| ());
    assert_eq!(child.line(), "opened");
    child.process.kill().unwrap();
    child.process.wait().unwrap();
    open(&impatient(dir.path())).unwrap();
}

fn is_refused_twice_in_one_process() {
    let dir = scratch();
    let mut history = History::default();
    let store = open(&Config::new(dir.path())).unwrap();
    let other_name = dir.path().join(".");
    for path in [dir.path(), &other_name] {
        let error = open(&Config::new(path)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(error.to_string().contains("same process"), "{error}");
    }
    // Being refused has not given up the lock.
    let mut child = Running::start(Task::Open, dir.path(), |_| ());
    assert!(child.line().starts_with("Busy"));
    history.commits(&store, 1);
    drop(store);
    whole(&history, dir.path());
}

fn refuses_what_is_no_store() {
    let dir = scratch();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = refused(&Config::new(&file));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("not a directory"), "{error}");
    let error = refused(&Config::new(file.join("store")));
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");

    // A directory with something in it stays as it is.
    let error = refused(&Config::new(dir.path()));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("neither a Hozo store nor empty"), "{error}");
    assert!(error.to_string().contains("it has file"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

fn refuses_other_backends_and_formats() {
    let dir = scratch();
    drop(open(&Config::new(dir.path())).unwrap());
    let marker = dir.path().join("HOZO");
    let text = fs::read_to_string(&marker).unwrap();

    fs::write(&marker, text.replace("format 1", "format 2")).unwrap();
    let error = refused(&Config::new(dir.path()));
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("newer"), "{error}");

    fs::write(&marker, text.replace("hashdbm", "rocksdb")).unwrap();
    let error = refused(&Config::new(dir.path()));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("rocksdb"), "{error}");

    fs::write(&marker, text).unwrap();
    open(&Config::new(dir.path())).unwrap();
}

fn makes_again_what_was_not_finished() {
    // What is left when making a store was interrupted, step by step.
    for left in [&[][..], &["LOCK"], &["LOCK", "HOZO.new"], &["LOCK", "HOZO"]] {
        let dir = scratch();
        for name in left {
            let text = "hozo store\nbackend hashdbm\nformat 1\n";
            fs::write(dir.path().join(name), if *name == "HOZO" { text } else { "" }).unwrap();
        }
        if left.contains(&"HOZO") {
            fs::create_dir(dir.path().join("pages")).unwrap();
            // The first segment, without its header yet.
            fs::write(dir.path().join("pages/0000000000000000.seg"), [0; 4096]).unwrap();
        }
        let mut history = History::default();
        let store = open(&Config::new(dir.path())).unwrap();
        history.commits(&store, 2);
        drop(store);
        whole(&history, dir.path());
    }
}

fn is_checked_by_one_process_at_a_time() {
    let dir = scratch();
    let mut history = History::default();
    let store = open(&Config::new(dir.path())).unwrap();
    history.commits(&store, 2);
    let mut child = Running::start(Task::Check, dir.path(), |_| ());
    let line = child.line();
    assert!(line.starts_with("Busy") && line.contains("pid"), "{line}");
    let error = check(&Config::new(dir.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    drop(store);
    let mut child = Running::start(Task::Check, dir.path(), |_| ());
    assert_eq!(child.line(), "clean");
}

fn checks_only_stores() {
    let dir = scratch();
    let missing = dir.path().join("missing");
    let error = check(&Config::new(&missing)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(!missing.exists(), "a check makes nothing");
    let error = check(&Config::new(dir.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    drop(open(&Config::new(dir.path())).unwrap());
    let findings = check(&Config::new(dir.path())).unwrap();
    assert!(findings.is_clean() && findings.volumes.is_empty(), "{findings:?}");
    // Another backend's store is none of ours.
    let marker = dir.path().join("HOZO");
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("hashdbm", "rocksdb")).unwrap();
    assert_eq!(check(&Config::new(dir.path())).unwrap_err().kind(), ErrorKind::Invalid);
}

fn is_not_for_forked_processes() {
    let dir = scratch();
    let mut child = Running::start(Task::Fork, &dir.path().join("store"), |_| ());
    for what in ["opening", "checking"] {
        let line = child.line();
        assert!(line.starts_with("Busy") && line.contains("pid"), "{what}: {line}");
    }
    loop {
        let line = child.line();
        if line == "end" {
            break;
        }
        assert!(line.contains(": Unsupported") && line.contains("forked"), "{line}");
    }
    assert_eq!(child.line(), "parent goes on");
}

/// As somebody who may not, which root always may.
fn says_when_it_may_not() -> Result<Completion, Failed> {
    // Any user without rights of its own.
    const NOBODY: u32 = 65534;
    let dir = scratch();
    // Where nobody can reach it, whatever the scratch directory is within.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    let store = dir.path().join("store");
    let closed = dir.path().join("closed");
    drop(open(&Config::new(&store))?);
    fs::create_dir(&closed)?;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555))?;
    let root = rustix::process::geteuid().is_root();
    // A binary that others may start. Another process writes it: were it this
    // one, a child that another trial forks meanwhile would keep it "busy".
    let binary = dir.path().join("binary");
    let copied = Command::new("cp").arg(std::env::current_exe()?).arg(&binary).status()?;
    assert!(copied.success());
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
    for path in [store, closed.join("new")] {
        if !root && !path.starts_with(&closed) {
            continue;
        }
        let mut child = Running::start(Task::Open, &path, |command| {
            if root {
                let environment: Vec<_> = command
                    .get_envs()
                    .map(|(k, v)| (k.to_owned(), v.unwrap().to_owned()))
                    .collect();
                *command = Command::new(&binary);
                command.envs(environment).stdin(Stdio::piped()).stdout(Stdio::piped()).uid(NOBODY);
            }
        });
        let line = child.line();
        assert!(line.starts_with("Denied"), "{line}");
        assert!(line.contains(&path.display().to_string()), "{line}");
    }
    Ok(Completion::Completed)
}
