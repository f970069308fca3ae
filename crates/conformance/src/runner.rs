//! From clauses to named trials.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use hozo_traits::{Ambient, Capabilities, PageStore, SystemAmbient};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::checker::{Drive, Guarding, Setup, Violation, bank, list_append};
use crate::crash::Rounds;
use crate::kit::Kit;
use crate::{Fixture, ModelFixture, Rng, SEED_VARIABLE, clauses, crash, equality, seed};

/// No trial needs a tenth of it; one that reaches it waits for something that
/// never comes.
const TRIAL_TIME_MAX: Duration = Duration::from_secs(300);

/// A test of one clause.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
    pub(crate) run: fn(&Kit),
}

/// What a store must be able to do for a case to mean anything.
#[derive(Clone, Copy)]
pub(crate) enum Needs {
    Nothing,
    Persistent,
    ChosenVersions,
    NoChosenVersions,
}

impl Needs {
    pub(crate) fn missing(self, capabilities: &Capabilities) -> Option<&'static str> {
        let (there, message) = match self {
            Needs::Nothing => (true, ""),
            Needs::Persistent => (capabilities.persistent, "the store is not persistent"),
            Needs::ChosenVersions => (capabilities.chosen_versions, "the store chooses versions"),
            Needs::NoChosenVersions => (!capabilities.chosen_versions, "the store takes versions"),
        };
        (!there).then_some(message)
    }
}

/// Runs the whole suite over one backend and ends the process: the `main` of a
/// `tests/conformance.rs` with `harness = false`. Takes libtest's arguments.
pub fn main(fixture: impl Fixture) -> ! {
    run(trials(fixture))
}

/// Runs these trials and ends the process; for a binary that has trials of its
/// own besides.
pub fn run(trials: Vec<Trial>) -> ! {
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

/// The suite over one backend: a trial for each case of each clause.
pub fn trials(fixture: impl Fixture) -> Vec<Trial> {
    trials_under("", fixture)
}

/// [`trials`] whose names begin with `prefix`, for a binary that tests several
/// forms of a backend.
pub fn trials_under(prefix: &str, fixture: impl Fixture) -> Vec<Trial> {
    let fixture: Arc<dyn Fixture> = Arc::new(fixture);
    let seed = seed();
    let trial = |case: &'static Case| {
        let fixture = Arc::clone(&fixture);
        let name = format!("{prefix}{}", case.name);
        let seed = Rng::new(seed).fork(&name).next();
        Trial::ignorable_test(name.clone(), move || run_case(fixture, case, name, seed))
    };
    eprintln!("{}: seed {SEED_VARIABLE}={seed}", fixture.name());
    let mut trials: Vec<Trial> = clauses::all().map(trial).collect();
    trials.extend((0..SCRIPTS).map(|n| {
        let fixture = Arc::clone(&fixture);
        Trial::test(format!("{prefix}equality/random_operations_{n}"), move || {
            equals_the_model(&fixture, Rng::new(seed).fork(&n.to_string()).next())
        })
    }));
    for setup in setups(seed) {
        let name = format!(
            "{prefix}checker/{:?}/{}_namespaces/{:?}",
            setup.guarding, setup.namespaces, setup.drive
        )
        .to_lowercase();
        let (kit, other) = (Arc::clone(&fixture), Arc::clone(&fixture));
        trials.push(Trial::test(format!("{name}/bank"), move || {
            workload(kit, setup, |s, a, setup| bank(s, a, setup).map(drop))
        }));
        trials.push(Trial::test(format!("{name}/list_append"), move || {
            workload(other, setup, |s, a, setup| list_append(s, a, setup).map(drop))
        }));
    }
    let name = format!("{prefix}crash/kill_9");
    trials.push(Trial::ignorable_test(name.clone(), move || crash_rounds(&*fixture, &name)));
    trials
}

/// Rounds of the crash trial unless the environment says more.
pub(crate) const CRASH_ROUNDS: usize = 20;

fn crash_rounds(fixture: &dyn Fixture, name: &str) -> Result<Completion, Failed> {
    if !fixture.outlives_process() {
        return Ok(Completion::ignored_with("the store does not outlive its process"));
    }
    let dir = tempfile::TempDir::with_prefix("hozo-conformance-")?;
    let store = fixture.open(dir.path(), Arc::new(SystemAmbient))?;
    if !store.capabilities().persistent {
        return Ok(Completion::ignored_with("the store is not persistent"));
    }
    drop(store);
    let rounds = Rounds::from_env(CRASH_ROUNDS);
    let tally = crash::page_store(fixture, name, &rounds)?;
    eprintln!("{name}: {} rounds, {tally:?}", rounds.count);
    // Few rounds may meet nothing; many that do are no crash test.
    let telling = tally.durable > 0 && tally.sequenced > 0 && tally.unanswered_found > 0;
    if rounds.count >= CRASH_ROUNDS && !telling {
        return Err(format!("inconclusive: {tally:?}").into());
    }
    Ok(Completion::Completed)
}

/// Every form of the concurrent workloads.
fn setups(seed: u64) -> Vec<Setup> {
    let mut setups = Vec::new();
    for guarding in [Guarding::Pages, Guarding::Namespaces] {
        for namespaces in [1, 2] {
            for drive in [Drive::Threads, Drive::Polled] {
                let (workers, transactions) = (6, 120);
                setups.push(Setup { workers, transactions, namespaces, guarding, drive, seed });
            }
        }
    }
    setups
}

type Workload = fn(&Arc<dyn PageStore>, &Arc<dyn Ambient>, &Setup) -> Result<(), Violation>;

fn workload(fixture: Arc<dyn Fixture>, setup: Setup, run: Workload) -> Result<(), Failed> {
    let kit = Kit::new(fixture, String::new(), setup.seed)?;
    within_time(move || {
        let ambient: Arc<dyn Ambient> = kit.ambient.clone();
        if let Err(violation) = run(&kit.store(), &ambient, &setup) {
            panic!("{SEED_VARIABLE}={}: {violation}", setup.seed);
        }
    })
}

/// How many scripts of random operations the suite runs, and how long each is.
const SCRIPTS: usize = 5;
const SCRIPT_STEPS: usize = 1000;

fn equals_the_model(fixture: &Arc<dyn Fixture>, seed: u64) -> Result<(), Failed> {
    let (fixture, reference) = (Arc::clone(fixture), ModelFixture::reference());
    within_time(move || {
        let reference: Arc<dyn Fixture> = Arc::new(reference);
        match equality::compare(&reference, &fixture, seed, SCRIPT_STEPS) {
            Ok(tally) => assert!(tally.is_telling(), "a script that tells little: {tally:?}"),
            Err(difference) => panic!("{difference}"),
        }
    })
}

fn run_case(
    fixture: Arc<dyn Fixture>,
    case: &'static Case,
    trial: String,
    seed: u64,
) -> Result<Completion, Failed> {
    let kit = Kit::new(fixture, trial, seed)?;
    if let Some(missing) = case.needs.missing(&kit.capabilities()) {
        return Ok(Completion::ignored_with(missing));
    }
    within_time(move || (case.run)(&kit))?;
    Ok(Completion::Completed)
}

/// Runs `body` on a thread of its own, so that one that hangs is a failure and
/// not a suite that never ends.
pub(crate) fn within_time(body: impl FnOnce() + Send + 'static) -> Result<(), Failed> {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(body));
        // Nobody listens any more only if the time was over.
        let _ = done.send(result.map_err(|payload| message(&*payload)));
    });
    match ended.recv_timeout(TRIAL_TIME_MAX) {
        Ok(result) => {
            let _ = thread.join();
            result.map_err(Failed::from)
        }
        Err(_) => Err(format!("hangs: no end after {TRIAL_TIME_MAX:?}").into()),
    }
}

/// What a panic said.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("panicked").to_owned()
}
