//! The suite that every backend passes, and what is RocksDB's own: opening,
//! damage, full disks, forks, and crashes while tables are being written.

use std::path::Path;
use std::sync::Arc;

use hozo_backend_rocksdb::Config;
use hozo_conformance::crash::{Rounds, page_store};
use hozo_conformance::libtest_mimic::Trial;
use hozo_conformance::records::{PagesOf, StoreFixture, record_trials_under, store_trials};
use hozo_conformance::run;
use hozo_traits::{Ambient, Result, Store};

#[path = "conformance/child.rs"]
mod child;
#[path = "conformance/cost.rs"]
mod cost;
#[path = "conformance/damage.rs"]
mod damage;
#[path = "conformance/full.rs"]
mod full;
#[path = "conformance/kit.rs"]
mod kit;
#[path = "conformance/opening.rs"]
mod opening;

struct RocksDb;

impl StoreFixture for RocksDb {
    fn name(&self) -> &str {
        hozo_backend_rocksdb::NAME
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        hozo_backend_rocksdb::open(&Config::new(dir), ambient)
    }
}

/// The same with buffers so small that logs are switched and tables written,
/// merged and deleted all the time.
struct SmallBuffers;

impl StoreFixture for SmallBuffers {
    fn name(&self) -> &str {
        "rocksdb, small buffers"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        hozo_backend_rocksdb::open(&kit::small_buffers(dir), ambient)
    }
}

/// With FoundationDB's limits.
struct Strict;

impl StoreFixture for Strict {
    fn name(&self) -> &str {
        "rocksdb, strict"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        hozo_backend_rocksdb::open(&Config { strict: true, ..Config::new(dir) }, ambient)
    }
}

/// Rounds of the crash trial unless `HOZO_CRASH_ROUNDS` says more.
const CRASH_ROUNDS: usize = 100;

fn main() {
    if child::run() {
        return;
    }
    let mut all = store_trials(RocksDb);
    all.extend(record_trials_under("strict/", Strict));
    all.extend(record_trials_under("small buffers/", SmallBuffers));
    let name = "crash/kill_9_with_small_buffers";
    all.push(Trial::test(name, move || {
        let tally = page_store(&PagesOf(SmallBuffers), name, &Rounds::from_env(CRASH_ROUNDS))?;
        eprintln!("{name}: {tally:?}");
        Ok(())
    }));
    all.extend(opening::trials());
    all.extend(damage::trials());
    all.extend(full::trials());
    all.extend(cost::trials());
    run(all)
}
