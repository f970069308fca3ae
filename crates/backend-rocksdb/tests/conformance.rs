//! The suite that every backend passes, over RocksDB.

use std::path::Path;
use std::sync::Arc;

use hozo_backend_rocksdb::Config;
use hozo_conformance::Fixture;
use hozo_traits::{Ambient, PageStore, Result};

struct RocksDb;

impl Fixture for RocksDb {
    fn name(&self) -> &str {
        hozo_backend_rocksdb::NAME
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        hozo_backend_rocksdb::open(&Config::new(dir), ambient)
    }
}

fn main() {
    hozo_conformance::main(RocksDb)
}
