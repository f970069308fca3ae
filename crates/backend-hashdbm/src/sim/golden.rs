//! Volumes that an earlier version wrote, and that every later one must read.

use std::path::PathBuf;

use hozo_log::disk::sim::{SimDisk, golden};

use crate::index::PAGE_BYTES;

/// An index grows by this.
const INDEX_STEP: usize = 4 << 20;

fn directory(what: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(what)
}

/// A disk with the golden files of a name, with the space ahead that they had.
pub(crate) fn disk(what: &str) -> SimDisk {
    golden::disk(&directory(what), |name| if name == "index" { INDEX_STEP } else { PAGE_BYTES })
}

/// Writes them: once for a version of the format.
pub(crate) fn save(what: &str, disk: &SimDisk) {
    golden::save(&directory(what), disk, |name| !name.ends_with(".spare") && name != "roots.new");
}
