//! The conformance suites over stores in memory, also with FoundationDB's limits.

use std::path::Path;
use std::sync::Arc;

use hozo_backend_memory::Config;
use hozo_conformance::records::{StoreFixture, store_trials, store_trials_under};
use hozo_traits::{Ambient, Result, Store};

struct Memory(Config);

impl StoreFixture for Memory {
    fn name(&self) -> &str {
        hozo_backend_memory::NAME
    }

    fn open(&self, _dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        hozo_backend_memory::open(&self.0, ambient)
    }
}

fn main() {
    let strict = Config { strict: true, ..Config::default() };
    let mut trials = store_trials(Memory(Config::default()));
    trials.extend(store_trials_under("strict/", Memory(strict)));
    hozo_conformance::run(trials)
}
