//! Models for the suites.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hozo_traits::{Ambient, PageStore, Result};

use super::{Disk, Model};
use crate::Fixture;

/// Opens [`Model`]s: what other stores are compared to, and the first to pass
/// every suite.
pub struct ModelFixture {
    disks: Option<Mutex<BTreeMap<PathBuf, Arc<Disk>>>>,
    reference: bool,
}

impl ModelFixture {
    /// Stores that last as long as the fixture, each by its directory's name.
    pub fn persistent() -> Self {
        ModelFixture { disks: Some(Mutex::default()), reference: false }
    }

    /// Stores that are gone when they are closed.
    pub const fn volatile() -> Self {
        ModelFixture { disks: None, reference: false }
    }

    /// [`Model::unforgetting`].
    pub const fn reference() -> Self {
        ModelFixture { disks: None, reference: true }
    }
}

impl Fixture for ModelFixture {
    fn name(&self) -> &str {
        "model"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        Ok(match &self.disks {
            Some(disks) => {
                let mut disks = disks.lock().unwrap_or_else(PoisonError::into_inner);
                Model::on(disks.entry(dir.to_owned()).or_default(), ambient)
            }
            None if self.reference => Model::unforgetting(ambient),
            None => Model::new(ambient),
        })
    }

    fn outlives_process(&self) -> bool {
        false
    }
}
