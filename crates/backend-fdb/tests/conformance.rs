//! The suites that every backend passes: over the test double of FoundationDB's
//! client library, and over a real cluster where `FDB_CLUSTER_FILE` names one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use hozo_backend_fdb::Config;
use hozo_conformance::libtest_mimic::Trial;
use hozo_conformance::records::{StoreFixture, store_trials, store_trials_under};
use hozo_conformance::run;
use hozo_traits::{Ambient, Result, Store};

#[path = "conformance/kit.rs"]
mod kit;

/// Names a real cluster for the tests that want one.
const CLUSTER_FILE: &str = "FDB_CLUSTER_FILE";

/// A prefix for the store that lives in this directory.
fn prefix(dir: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    format!("{:012x}/", hasher.finish() & 0xffff_ffff_ffff)
}

/// Over the double, which ends with the process.
struct Double;

impl StoreFixture for Double {
    fn name(&self) -> &str {
        hozo_backend_fdb::NAME
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        hozo_backend_fdb::open(&Config { prefix: prefix(dir), ..kit::config() }, ambient)
    }

    fn outlives_process(&self) -> bool {
        false
    }
}

/// Over a cluster.
struct Cluster;

impl StoreFixture for Cluster {
    fn name(&self) -> &str {
        "fdb, a cluster"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        hozo_backend_fdb::open(&Config { prefix: prefix(dir), ..Config::default() }, ambient)
    }
}

fn main() {
    if std::env::var_os(CLUSTER_FILE).is_some() {
        // One client library in a process: the double's tests run without the variable.
        run(store_trials_under("cluster/", Cluster));
    }
    let mut trials = store_trials(Double);
    trials.push(Trial::ignorable_test("cluster/", || {
        Ok(hozo_conformance::libtest_mimic::Completion::ignored_with(
            "FDB_CLUSTER_FILE names no cluster to run the suites over",
        ))
    }));
    run(trials)
}
