//! Files that an earlier version wrote, and that every later one must read.

use std::path::Path;

use super::SimDisk;
use crate::disk::Disk;

/// Without the zeros of the space ahead.
pub fn trimmed(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

/// The golden files of a directory, as they are kept: trimmed.
pub fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).expect("the golden files");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("its content"))
        })
        .collect();
    files.sort();
    files
}

/// A disk with them, with the space ahead that they had: `step` says of what a
/// file's length is a multiple.
pub fn disk(directory: &Path, step: impl Fn(&str) -> usize) -> SimDisk {
    let disk = SimDisk::new();
    for (name, mut content) in files(directory) {
        content.resize(content.len().next_multiple_of(step(&name)), 0);
        disk.put(&name, &content);
    }
    disk
}

/// Writes those that are to be kept: once for a version of the format.
pub fn save(directory: &Path, disk: &SimDisk, kept: impl Fn(&str) -> bool) {
    std::fs::create_dir_all(directory).expect("a directory");
    let names = disk.list().expect("listed");
    for name in names.iter().filter(|name| kept(name)) {
        std::fs::write(directory.join(name), trimmed(disk.get(name))).expect("written");
    }
}
