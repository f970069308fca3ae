//! Files that an earlier version wrote, and that every later one must read.

use std::path::PathBuf;

use super::SimDisk;
use crate::disk::Disk;
use crate::index::PAGE_BYTES;

/// An index grows by this.
const INDEX_STEP: usize = 4 << 20;

fn directory(what: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(what)
}

/// Without the zeros of the space ahead.
pub(crate) fn trimmed(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

/// The golden files of a name, as they are kept: trimmed.
pub(crate) fn files(what: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory(what)).expect("the golden files");
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

/// A disk with them, with the space ahead that they had.
pub(crate) fn disk(what: &str) -> SimDisk {
    let disk = SimDisk::new();
    for (name, mut content) in files(what) {
        let step = if name == "index" { INDEX_STEP } else { PAGE_BYTES };
        content.resize(content.len().next_multiple_of(step), 0);
        disk.put(&name, &content);
    }
    disk
}

/// Writes them: once for a version of the format.
pub(crate) fn save(what: &str, disk: &SimDisk) {
    let directory = directory(what);
    std::fs::create_dir_all(&directory).expect("a directory");
    let names = disk.list().expect("listed");
    let kept = |name: &&String| !name.ends_with(".spare") && *name != "roots.new";
    for name in names.iter().filter(kept) {
        std::fs::write(directory.join(name), trimmed(disk.get(name))).expect("written");
    }
}
