use std::fs;

use tempfile::TempDir;

use super::*;

#[test]
fn a_secret_is_not_shown() {
    let shown = format!("{:?}", Secret::Given("hunter2".to_owned()));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_is_around_a_secret_in_a_file_is_not_of_it() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("token");
    let secret = Secret::File(file.clone());
    assert_eq!(secret.read().unwrap_err().kind(), ErrorKind::NotFound);
    fs::write(&file, "  hunter2\n").unwrap();
    assert_eq!(secret.read().unwrap(), "hunter2");
    fs::write(&file, " \n").unwrap();
    assert_eq!(secret.read().unwrap_err().kind(), ErrorKind::Invalid);
    fs::write(&file, vec![b'x'; (BYTES_MAX + 1) as usize]).unwrap();
    assert_eq!(secret.read().unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(Secret::Given(" as it is".to_owned()).read().unwrap(), " as it is");
}
