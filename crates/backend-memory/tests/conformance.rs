//! The conformance suite over stores in memory, also with FoundationDB's limits.

use std::path::Path;
use std::sync::Arc;

use hozo_backend_memory::Config;
use hozo_conformance::Fixture;
use hozo_traits::{Ambient, PageStore, Result};

struct Memory(Config);

impl Fixture for Memory {
    fn name(&self) -> &str {
        hozo_backend_memory::NAME
    }

    fn open(&self, _dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        hozo_backend_memory::open(&self.0, ambient)
    }
}

fn main() {
    let strict = Config { strict: true, ..Config::default() };
    let mut trials = hozo_conformance::trials(Memory(Config::default()));
    trials.extend(hozo_conformance::trials_under("strict/", Memory(strict)));
    hozo_conformance::run(trials)
}
