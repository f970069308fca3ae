//! The conformance suite over the test engine, which is persistent; also with
//! limits so small that commits must stage their pages; that of records also as
//! if other processes wrote to the same engine, and with several that do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hozo_conformance::libtest_mimic::Trial;
use hozo_conformance::records::{self, PagesOf, StoreFixture};
use hozo_ordered::{Limits, OrderedEngine, OrderedPagesConfig, OrderedStore, Sequenced};
use hozo_traits::{Ambient, KvStore, PageStore, Result, Store, exec};

use crate::shared::Shared;

#[path = "ordered/engine.rs"]
#[allow(dead_code, reason = "the other tests use all of it")]
mod engine;
#[path = "conformance/shared.rs"]
mod shared;

struct Tested {
    disks: Mutex<BTreeMap<PathBuf, Arc<engine::Disk>>>,
    batch_bytes_max: usize,
}

impl Tested {
    fn open_engine(&self, dir: &Path) -> Result<Sequenced<engine::Engine>> {
        let mut disks = self.disks.lock().expect("no trial panics in here");
        let disk = disks.entry(dir.to_owned()).or_default();
        Sequenced::open(disk.open_with(self.batch_bytes_max))
    }
}

impl StoreFixture for Tested {
    fn name(&self) -> &str {
        "test engine"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        let (engine, config) = (self.open_engine(dir)?, OrderedPagesConfig::default());
        Ok(Arc::new(exec::block_on(OrderedStore::open(engine, config, ambient))?))
    }
}

/// The same as if other processes wrote to it as well.
struct SharedFixture(Tested);

impl StoreFixture for SharedFixture {
    fn name(&self) -> &str {
        "shared test engine"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        let (engine, config) = (Shared(self.0.open_engine(dir)?), OrderedPagesConfig::default());
        Ok(Arc::new(exec::block_on(OrderedStore::open(engine, config, ambient))?))
    }
}

/// A store that others write as well, in which every stage is taken as a whole.
struct Bulky(Tested);

impl StoreFixture for Bulky {
    fn name(&self) -> &str {
        "test engine of bulks"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        let engine = Shared(self.0.open_engine(dir)?);
        // All that is staged is a bulk, and all is staged that does not fit.
        let limits = Limits { batch_bytes_max: 800 << 10, pointers_max: 0, ..engine.limits() };
        let config = OrderedPagesConfig { strict: Some(limits), ..OrderedPagesConfig::default() };
        Ok(Arc::new(exec::block_on(OrderedStore::open(engine, config, ambient))?))
    }
}

/// Many stores over the same engine, each in turn: what one process is to a
/// cluster. Only the conditions of writes keep them apart.
struct Cluster {
    stores: Vec<Arc<dyn Store>>,
    next: AtomicUsize,
}

impl Store for Cluster {
    fn pages(&self) -> Result<Arc<dyn PageStore>> {
        self.stores[0].pages()
    }

    fn records(&self, dbm: &str) -> Result<Arc<dyn KvStore>> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.stores[turn % self.stores.len()].records(dbm)
    }

    fn dbms(&self) -> Result<Vec<String>> {
        self.stores[0].dbms()
    }
}

struct ClusterFixture(Tested);

impl StoreFixture for ClusterFixture {
    fn name(&self) -> &str {
        "cluster of test engines"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        let engine = Arc::new(Shared(self.0.open_engine(dir)?));
        let open = |_| -> Result<Arc<dyn Store>> {
            let (engine, config) = (Arc::clone(&engine), OrderedPagesConfig::default());
            Ok(Arc::new(exec::block_on(OrderedStore::open(engine, config, ambient.clone()))?))
        };
        let stores = (0..4).map(open).collect::<Result<_>>()?;
        Ok(Arc::new(Cluster { stores, next: AtomicUsize::new(0) }))
    }
}

fn main() {
    let tested = |batch_bytes_max| Tested { disks: Mutex::default(), batch_bytes_max };
    let mut trials = records::store_trials(tested(usize::MAX));
    // The pointers of the largest stage in the suite fit, its pages do not.
    trials.extend(records::store_trials_under("small batches/", tested(640 << 10)));
    let shared = SharedFixture(tested(8_000_000));
    trials.extend(records::record_trials_under("shared/", shared));
    let bulky = PagesOf(Bulky(tested(usize::MAX)));
    trials.extend(hozo_conformance::trials_under("bulks/", bulky));
    // Order among processes is not what a layer in one of them sees.
    let cluster = records::record_trials_under("cluster/", ClusterFixture(tested(8_000_000)));
    let in_one = |trial: &Trial| !trial.name().ends_with("/effects_replay_to_the_same_state");
    trials.extend(cluster.into_iter().filter(in_one));
    // What is on a disk that is memory ends with a process that is killed.
    let trials = trials.into_iter().map(|trial: Trial| {
        let kills = trial.name().contains("crash/");
        trial.with_ignored_flag(kills)
    });
    hozo_conformance::run(trials.collect())
}
