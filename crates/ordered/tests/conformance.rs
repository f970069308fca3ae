//! The conformance suite over the test engine, which is persistent; also with
//! limits so small that commits must stage their pages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hozo_conformance::Fixture;
use hozo_conformance::libtest_mimic::Trial;
use hozo_ordered::{OrderedPages, OrderedPagesConfig, Sequenced};
use hozo_traits::{Ambient, PageStore, Result, exec};

#[path = "ordered/engine.rs"]
#[allow(dead_code, reason = "the other tests use all of it")]
mod engine;

struct Tested {
    disks: Mutex<BTreeMap<PathBuf, Arc<engine::Disk>>>,
    batch_bytes_max: usize,
}

impl Fixture for Tested {
    fn name(&self) -> &str {
        "test engine"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        let mut disks = self.disks.lock().expect("no trial panics in here");
        let disk = disks.entry(dir.to_owned()).or_default();
        let engine = Sequenced::open(disk.open_with(self.batch_bytes_max))?;
        let config = OrderedPagesConfig::default();
        Ok(Arc::new(exec::block_on(OrderedPages::open(engine, config, ambient))?))
    }
}

fn main() {
    let tested = |batch_bytes_max| Tested { disks: Mutex::default(), batch_bytes_max };
    let mut trials = hozo_conformance::trials(tested(usize::MAX));
    // The pointers of the largest stage in the suite fit, its pages do not.
    trials.extend(hozo_conformance::trials_under("small batches/", tested(640 << 10)));
    // What is on a disk that is memory ends with a process that is killed.
    let trials = trials.into_iter().map(|trial: Trial| {
        let kills = trial.name().contains("crash/");
        trial.with_ignored_flag(kills)
    });
    hozo_conformance::run(trials.collect())
}
