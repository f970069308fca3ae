//! Hozo's own server in this process, over stores of two kinds.

use std::sync::Arc;

use hozo_client::Client;
use hozo_traits::{Ambient, Dbm, Durability, Parts, Store, SystemAmbient};
use tempfile::TempDir;

/// DBMs of a server: `casket`, which is ordered, and `log`, which is not.
pub(crate) struct Served {
    pub(crate) parts: Parts,
    _directory: TempDir,
}

pub(crate) const ORDERED: i32 = 0;
pub(crate) const UNORDERED: i32 = 1;

impl Served {
    pub(crate) fn new() -> Served {
        let directory = tempfile::tempdir().expect("a directory");
        let ambient: Arc<dyn Ambient> = Arc::new(SystemAmbient);
        let memory = hozo_backend_memory::open(&Default::default(), ambient.clone());
        let config = hozo_backend_hashdbm::Config::new(directory.path().join("log"));
        let hashdbm = hozo_backend_hashdbm::open(&config, ambient.clone());
        let dbm = |name: &str, store: Arc<dyn Store>| Dbm {
            name: name.to_owned(),
            store: "main".to_owned(),
            records: store.records(name).expect("it has records"),
            durability: Durability::Sequenced,
            path: None,
        };
        let dbms =
            vec![dbm("casket", memory.expect("it opens")), dbm("log", hashdbm.expect("it opens"))];
        Served { parts: Parts { dbms, replication: None, ambient }, _directory: directory }
    }

    /// A client of it. Needs a runtime.
    pub(crate) fn client(&self) -> Client {
        let io = hozo_frontend_rpc::local(self.parts.clone()).expect("it serves");
        Client::over(io)
    }
}
