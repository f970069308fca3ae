//! From the clauses of records to named trials.

use std::sync::Arc;

use hozo_traits::{KvCapabilities, SystemAmbient};
use libtest_mimic::{Completion, Failed, Trial};

use super::kit::Kit;
use super::{PagesOf, StoreFixture, clauses, crash, equality};
use crate::crash::Rounds;
use crate::runner::{CRASH_ROUNDS, within_time};
use crate::{Rng, SEED_VARIABLE, seed, trials_under};

/// A test of one clause.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) needs: Needs,
    pub(super) run: fn(&Kit),
}

/// What a store must be able to do for a case to mean anything.
#[derive(Clone, Copy)]
pub(super) enum Needs {
    Nothing,
    Persistent,
    Ordered,
    Unordered,
}

impl Needs {
    pub(super) fn missing(self, capabilities: &KvCapabilities) -> Option<&'static str> {
        let (there, message) = match self {
            Needs::Nothing => (true, ""),
            Needs::Persistent => (capabilities.persistent, "the store is not persistent"),
            Needs::Ordered => (capabilities.ordered, "the store is not ordered"),
            Needs::Unordered => (!capabilities.ordered, "the store is ordered"),
        };
        (!there).then_some(message)
    }
}

/// Both suites over a backend with pages and records.
pub fn store_trials(fixture: impl StoreFixture) -> Vec<Trial> {
    store_trials_under("", fixture)
}

/// [`store_trials`] whose names begin with `prefix`.
pub fn store_trials_under(prefix: &str, fixture: impl StoreFixture) -> Vec<Trial> {
    let fixture = Arc::new(fixture);
    let mut trials = trials_under(prefix, PagesOf(Arc::clone(&fixture)));
    trials.extend(record_trials_under(prefix, fixture));
    trials
}

/// The suite over the records of one backend.
pub fn record_trials(fixture: impl StoreFixture) -> Vec<Trial> {
    record_trials_under("", fixture)
}

/// [`record_trials`] whose names begin with `prefix`, for a binary that tests
/// several forms of a backend.
pub fn record_trials_under(prefix: &str, fixture: impl StoreFixture) -> Vec<Trial> {
    let fixture: Arc<dyn StoreFixture> = Arc::new(fixture);
    let seed = seed();
    eprintln!("{}, records: seed {SEED_VARIABLE}={seed}", fixture.name());
    let trial = |case: &'static Case| {
        let fixture = Arc::clone(&fixture);
        let name = format!("{prefix}{}", case.name);
        let seed = Rng::new(seed).fork(&name).next();
        Trial::ignorable_test(name, move || run_case(fixture, case, seed))
    };
    let mut trials: Vec<Trial> = clauses::all().map(trial).collect();
    trials.extend((0..SCRIPTS).map(|n| {
        let fixture = Arc::clone(&fixture);
        let seed = Rng::new(seed).fork(&n.to_string()).next();
        Trial::test(format!("{prefix}records/equality/random_operations_{n}"), move || {
            let kit = Kit::new(fixture, seed)?;
            within_time(move || equality::compare(&kit, SCRIPT_STEPS))
        })
    }));
    let name = format!("{prefix}records/crash/kill_9");
    trials.push(Trial::ignorable_test(name.clone(), move || crash_rounds(&*fixture, &name)));
    trials
}

/// How many scripts of random operations there are, and how long each is.
const SCRIPTS: u64 = 4;
const SCRIPT_STEPS: usize = 800;

fn run_case(
    fixture: Arc<dyn StoreFixture>,
    case: &'static Case,
    seed: u64,
) -> Result<Completion, Failed> {
    let kit = Kit::new(fixture, seed)?;
    if let Some(missing) = case.needs.missing(&kit.capabilities()) {
        return Ok(Completion::ignored_with(missing));
    }
    within_time(move || (case.run)(&kit))?;
    Ok(Completion::Completed)
}

fn crash_rounds(fixture: &dyn StoreFixture, name: &str) -> Result<Completion, Failed> {
    if !fixture.outlives_process() {
        return Ok(Completion::ignored_with("the store does not outlive its process"));
    }
    let dir = tempfile::TempDir::with_prefix("hozo-conformance-")?;
    let dbm = fixture.open(dir.path(), Arc::new(SystemAmbient))?.records("main")?;
    if !dbm.capabilities().persistent {
        return Ok(Completion::ignored_with("the store is not persistent"));
    }
    drop(dbm);
    let rounds = Rounds::from_env(CRASH_ROUNDS);
    let tally = crash::records(fixture, name, &rounds)?;
    eprintln!("{name}: {} rounds, {tally:?}", rounds.count);
    let telling = tally.durable > 0 && tally.sequenced > 0 && tally.unanswered_found > 0;
    if rounds.count >= CRASH_ROUNDS && !telling {
        return Err(format!("inconclusive: {tally:?}").into());
    }
    Ok(Completion::Completed)
}
