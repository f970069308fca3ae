//! The contract of records, over records whose updates are logged.

use std::path::Path;
use std::sync::Arc;

use hozo_backend_hashdbm as hashdbm;
use hozo_conformance::records::{StoreFixture, store_trials_under};
use hozo_repl::{Config, Open, Repl};
use hozo_traits::{Ambient, KvStore, PageStore, Result, ServerId, Store};
use parking_lot::Mutex;

/// A store of hashdbm, each of whose DBMs has an update log of its own.
struct Logged;

struct LoggedStore {
    inner: Arc<dyn Store>,
    directory: std::path::PathBuf,
    ambient: Arc<dyn Ambient>,
    opened: Mutex<Vec<(String, Arc<dyn KvStore>)>>,
}

impl StoreFixture for Logged {
    fn name(&self) -> &str {
        "logged"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        let config = hashdbm::Config::new(dir.join("store"));
        let inner = hashdbm::open(&config, ambient.clone())?;
        let directory = dir.join("ulogs");
        Ok(Arc::new(LoggedStore { inner, directory, ambient, opened: Mutex::default() }))
    }
}

impl Store for LoggedStore {
    fn pages(&self) -> Result<Arc<dyn PageStore>> {
        self.inner.pages()
    }

    fn records(&self, dbm: &str) -> Result<Arc<dyn KvStore>> {
        let mut opened = self.opened.lock();
        let known = opened.iter().find(|(name, _)| name == dbm);
        if let Some((_, records)) = known {
            return Ok(Arc::clone(records));
        }
        let mut config = Config::new(ServerId::new(1)?, self.directory.join(dbm));
        config.segment_bytes = 1 << 16;
        let dbms = vec![(dbm.to_owned(), self.inner.records(dbm)?)];
        let Open { mut dbms, .. } = Repl::open(config, dbms, Arc::clone(&self.ambient))?;
        let records = dbms.remove(0);
        opened.push((dbm.to_owned(), Arc::clone(&records)));
        Ok(records)
    }

    fn dbms(&self) -> Result<Vec<String>> {
        self.inner.dbms()
    }
}

fn main() {
    let trials = store_trials_under("logged/", Logged);
    // Pages are not logged: their trials are those of the store below.
    let ours = |name: &str| name.contains("/KV-") || name.contains("/records/");
    let trials = trials.into_iter().filter(|trial| ours(trial.name())).collect();
    hozo_conformance::run(trials)
}
