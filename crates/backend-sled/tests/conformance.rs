//! The suite that every backend passes, and what is sled's own.

use std::path::Path;
use std::sync::Arc;

use hozo_backend_sled::Config;
use hozo_conformance::crash::{Rounds, page_store};
use hozo_conformance::libtest_mimic::{Completion, Trial};
use hozo_conformance::records::{PagesOf, StoreFixture, store_trials};
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

struct Sled;

impl StoreFixture for Sled {
    fn name(&self) -> &str {
        hozo_backend_sled::NAME
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        hozo_backend_sled::open(&Config::new(dir), ambient)
    }
}

/// The same with next to no cache, so that sled moves its nodes all the time.
struct SmallCache;

impl StoreFixture for SmallCache {
    fn name(&self) -> &str {
        "sled, small cache"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        hozo_backend_sled::open(&kit::small_cache(dir), ambient)
    }
}

/// Rounds of the crash trial unless `HOZO_CRASH_ROUNDS` says more.
const CRASH_ROUNDS: usize = 40;

/// What sled cannot do.
const MEMORY_TRIAL: &str = "PG-23/the_commit_needs_no_memory_for_the_bytes";
const MEMORY_REASON: &str = "sled keeps a copy of a node for each change until its batch ends";

fn main() {
    if child::run() {
        return;
    }
    let mut all = store_trials(Sled);
    all.retain(|trial| trial.name() != MEMORY_TRIAL);
    all.push(Trial::ignorable_test(MEMORY_TRIAL, || Ok(Completion::ignored_with(MEMORY_REASON))));
    let name = "crash/kill_9_with_a_small_cache";
    all.push(Trial::test(name, move || {
        let tally = page_store(&PagesOf(SmallCache), name, &Rounds::from_env(CRASH_ROUNDS))?;
        eprintln!("{name}: {tally:?}");
        Ok(())
    }));
    all.extend(opening::trials());
    all.extend(damage::trials());
    all.extend(full::trials());
    run(all)
}
