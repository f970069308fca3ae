//! The suite over the reference store, in its two kinds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hozo_conformance::{Fixture, Model, model::Disk};
use hozo_traits::{Ambient, PageStore, Result};

/// The model with a directory's contents in memory.
#[derive(Default)]
struct OnDisk(Mutex<BTreeMap<PathBuf, Arc<Disk>>>);

impl Fixture for OnDisk {
    fn name(&self) -> &str {
        "model on a disk"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        let mut disks = self.0.lock().expect("no trial panics in here");
        Ok(Model::on(disks.entry(dir.to_owned()).or_default(), ambient))
    }
}

fn main() {
    hozo_conformance::main(OnDisk::default())
}
