//! The conformance suite over stores in memory.

use std::path::Path;
use std::sync::Arc;

use hozo_backend_memory::Config;
use hozo_conformance::Fixture;
use hozo_traits::{Ambient, PageStore, Result};

struct Memory;

impl Fixture for Memory {
    fn name(&self) -> &str {
        hozo_backend_memory::NAME
    }

    fn open(&self, _dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        hozo_backend_memory::open(&Config::default(), ambient)
    }
}

fn main() {
    hozo_conformance::main(Memory)
}
