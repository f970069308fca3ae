//! The suites that every backend passes, also with segments so small that the
//! log ends one, makes a checkpoint or is cleaned all the time; and what is
//! hashdbm's own: opening, damage and its repair, full disks.

use std::path::Path;
use std::sync::Arc;

use hozo_backend_hashdbm::Config;
use hozo_conformance::crash::{Rounds, page_store};
use hozo_conformance::libtest_mimic::Trial;
use hozo_conformance::records::{
    PagesOf, StoreFixture, record_trials_under, store_trials, store_trials_under,
};
use hozo_conformance::run;
use hozo_traits::{Ambient, Result, Store};

#[path = "conformance/child.rs"]
mod child;
#[path = "conformance/damage.rs"]
mod damage;
#[path = "conformance/full.rs"]
mod full;
#[path = "conformance/kit.rs"]
mod kit;
#[path = "conformance/opening.rs"]
mod opening;

struct Hashdbm;

impl StoreFixture for Hashdbm {
    fn name(&self) -> &str {
        hozo_backend_hashdbm::NAME
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        hozo_backend_hashdbm::open(&Config::new(dir), ambient)
    }
}

/// Segments of 64 KiB, and a checkpoint for each MiB.
struct SmallSegments;

impl StoreFixture for SmallSegments {
    fn name(&self) -> &str {
        "hashdbm, small segments"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        let small =
            Config { segment_bytes: 64 << 10, checkpoint_bytes: 1 << 20, ..Config::new(dir) };
        hozo_backend_hashdbm::open(&small, ambient)
    }
}

/// With FoundationDB's limits for pages.
struct Strict;

impl StoreFixture for Strict {
    fn name(&self) -> &str {
        "hashdbm, strict"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        hozo_backend_hashdbm::open(&Config { strict: true, ..Config::new(dir) }, ambient)
    }
}

/// Rounds of the crash trial unless `HOZO_CRASH_ROUNDS` says more.
const CRASH_ROUNDS: usize = 100;

fn main() {
    if child::run() {
        return;
    }
    let mut all = store_trials(Hashdbm);
    all.extend(store_trials_under("strict/", Strict));
    all.extend(record_trials_under("small segments/", SmallSegments));
    let name = "crash/kill_9_with_small_segments";
    all.push(Trial::test(name, move || {
        let tally = page_store(&PagesOf(SmallSegments), name, &Rounds::from_env(CRASH_ROUNDS))?;
        eprintln!("{name}: {tally:?}");
        Ok(())
    }));
    all.extend(opening::trials());
    all.extend(damage::trials());
    all.extend(full::trials());
    run(all)
}
