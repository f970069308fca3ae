use std::time::Duration;

use hozo_traits::ErrorKind;

use crate::{Lock, MARKER_FILE, Marker, make, refuse_foreign};

const MARKER: Marker = Marker { backend: "tape", format: 2 };

#[test]
fn a_directory_is_made_with_its_parents_and_marked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    make(&path).unwrap();
    make(&path).unwrap();
    assert!(!MARKER.is_on(&path).unwrap());
    MARKER.put_on(&path).unwrap();
    assert!(MARKER.is_on(&path).unwrap());
}

#[test]
fn a_file_is_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "x").unwrap();
    assert_eq!(make(&path).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_mark_says_whose_store_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let kind_with = |text: &str| {
        std::fs::write(dir.path().join(MARKER_FILE), text).unwrap();
        MARKER.is_on(dir.path()).map_err(|e| e.kind())
    };
    assert_eq!(kind_with("hozo store\nbackend tape\nformat 1\n"), Ok(true));
    assert_eq!(kind_with("hozo store\nbackend tape\nformat 3\n"), Err(ErrorKind::Unsupported));
    assert_eq!(kind_with("hozo store\nbackend disk\nformat 1\n"), Err(ErrorKind::Invalid));
    for damaged in ["", "hozo", "hozo store\nbackend tape\n", "hozo store\nbackend tape\nformat 0"]
    {
        assert_eq!(kind_with(damaged), Err(ErrorKind::Corrupt), "{damaged:?}");
    }
}

#[test]
fn a_directory_with_something_else_in_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("LOCK"), "").unwrap();
    refuse_foreign(dir.path(), |name| name == "LOCK").unwrap();
    std::fs::write(dir.path().join("thesis.txt"), "").unwrap();
    let error = refuse_foreign(dir.path(), |name| name == "LOCK").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("thesis.txt"), "{error}");
}

#[test]
fn a_directory_is_locked_once_in_a_process() {
    let dir = tempfile::tempdir().unwrap();
    let lock = Lock::acquire(dir.path(), "LOCK", Duration::ZERO).unwrap();
    let error = Lock::acquire(dir.path(), "LOCK", Duration::from_secs(60)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    drop(lock);
    Lock::acquire(dir.path(), "LOCK", Duration::ZERO).unwrap();
}
