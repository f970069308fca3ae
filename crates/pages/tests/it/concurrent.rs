//! Many writers at once, in both modes and over two namespaces, judged by what
//! their clients saw; and the same with conditions that are not heeded, which
//! the judge must notice.

use std::sync::Arc;

use hozo_conformance::checker::check_strict;
use hozo_conformance::model::Disk;
use hozo_conformance::{Model, Rng, SEED_VARIABLE, seed};
use hozo_pages::Concurrency::{self, Optimistic, Serial};
use hozo_traits::Durability::{self, Durable, Sequenced};
use hozo_traits::{Ambient, Condition, NamespaceId, PageStore, SystemAmbient};

use crate::lists::{Ran, Run, run};
use crate::probe::{Probe, Settings};

const RUN: Run = Run {
    mode: Serial,
    durability: Sequenced,
    slots: true,
    threads: 8,
    transactions: 150,
    seed: 0,
};

/// Each broken store is given so many chances to be noticed. One is nearly
/// always enough.
const ROUNDS_MAX: usize = 20;

type Open = fn(Arc<dyn Ambient>) -> Arc<dyn PageStore>;

const STORES: [(&str, Open); 2] = [
    ("model", |ambient| Model::on(&Arc::<Disk>::default(), ambient)),
    ("memory", |ambient| {
        let config = hozo_backend_memory::Config::default();
        let store = hozo_backend_memory::open(&config, ambient).expect("a store is opened");
        store.pages().expect("it has pages")
    }),
];

/// A run over a store whose commits linger, so that they overlap in flight.
fn lingering(open: Open, settings: Settings, what: &Run) -> (Ran, usize) {
    let ambient = Arc::new(SystemAmbient);
    let probe = Probe::new(open(ambient.clone()), Settings { lingers: true, ..settings });
    let ran = run(probe.clone(), ambient, what);
    (ran, probe.overlaps())
}

fn next_run(rng: &mut Rng, mode: Concurrency, durability: Durability, slots: bool) -> Run {
    Run { mode, durability, slots, seed: rng.next(), ..RUN }
}

/// All is well, over every store.
fn holds(mode: Concurrency, durability: Durability, slots: bool, settings: Settings) {
    let seed = seed();
    for (store, open) in STORES {
        eprintln!("{store}, {mode}, {durability:?}: seed {SEED_VARIABLE}={seed}");
        let mut rng = Rng::new(seed);
        // Until enough happened at once to say something.
        let (mut contended, mut overlaps, mut conflicts) = (0, 0, 0);
        let conclusive = (0..ROUNDS_MAX).any(|_| {
            let what = next_run(&mut rng, mode, durability, slots);
            let (ran, overlapped) = lingering(open, settings, &what);
            let report =
                check_strict(&ran.history).unwrap_or_else(|violation| panic!("{violation}"));
            eprintln!("{store}: {overlapped} overlap, {} conflict, {report:?}", ran.conflicts);
            contended += report.contended;
            overlaps += overlapped;
            conflicts += ran.conflicts;
            contended > 100 && overlaps > 50 && (slots || conflicts > 20)
        });
        assert!(conclusive, "{contended} contended, {overlaps} overlapped, {conflicts} conflicts");
        assert!(!slots || conflicts == 0, "who holds the slot conflicts");
    }
}

/// The judge sees what a store does wrong that heeds only some conditions.
fn is_noticed(mode: Concurrency, heeds: fn(&Condition) -> bool) {
    let seed = seed();
    for (store, open) in STORES {
        eprintln!("{store}, {mode}, broken: seed {SEED_VARIABLE}={seed}");
        let mut rng = Rng::new(seed);
        let settings = Settings { heeds, ..Settings::default() };
        let found = (0..ROUNDS_MAX).find_map(|_| {
            let run = next_run(&mut rng, mode, Sequenced, false);
            check_strict(&lingering(open, settings, &run).0.history).err()
        });
        let violation = found.expect("a store that does not heed conditions goes unnoticed");
        eprintln!("{store}: {:?}", violation.anomaly);
    }
}

#[test]
fn serial_writers_are_serializable_and_never_conflict() {
    holds(Serial, Sequenced, true, Settings::default());
}

#[test]
fn serial_writers_are_serializable_to_durable_readers() {
    holds(Serial, Durable, true, Settings::default());
}

#[test]
fn optimistic_writers_are_serializable() {
    holds(Optimistic, Sequenced, false, Settings::default());
}

#[test]
fn optimistic_writers_are_serializable_to_durable_readers() {
    holds(Optimistic, Durable, false, Settings::default());
}

#[test]
fn serial_writers_who_take_no_slot_conflict_instead() {
    holds(Serial, Sequenced, false, Settings::default());
}

#[test]
fn the_slot_alone_keeps_serial_writers_apart() {
    let heeds = |c: &Condition| !matches!(c, Condition::NamespaceUnchanged { .. });
    holds(Serial, Sequenced, true, Settings { heeds, ..Settings::default() });
}

#[test]
fn without_namespace_conditions_serial_writers_lose_updates() {
    is_noticed(Serial, |c| !matches!(c, Condition::NamespaceUnchanged { .. }));
}

#[test]
fn without_page_conditions_optimistic_writers_lose_updates() {
    is_noticed(Optimistic, |c| !matches!(c, Condition::PageUnchanged { .. }));
}

#[test]
fn a_condition_on_one_page_that_is_not_heeded_is_noticed() {
    is_noticed(
        Optimistic,
        |c| !matches!(c, Condition::PageUnchanged { page, .. } if page.get() == 3),
    );
}

#[test]
fn conditions_of_the_second_namespace_that_are_not_heeded_are_noticed() {
    is_noticed(Optimistic, |c| match c {
        Condition::PageUnchanged { namespace, .. } => *namespace != NamespaceId(2),
        _ => true,
    });
}
