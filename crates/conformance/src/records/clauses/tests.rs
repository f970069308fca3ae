//! Every clause has trials, and for every clause a store that breaks it fails
//! one of them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::all;
use crate::records::flaws::{Flaw, FlawedFixture};
use crate::records::histories::{Event, What, violation};
use crate::records::kit::Kit;

fn clause(name: &str) -> &str {
    name.strip_prefix("KV-").and_then(|rest| rest.split('/').next()).expect("a clause")
}

#[test]
fn every_clause_has_trials_and_every_trial_another_name() {
    let names: Vec<&str> = all().map(|case| case.name).collect();
    let clauses: BTreeSet<u32> =
        names.iter().filter_map(|name| clause(name).parse().ok()).collect();
    assert_eq!(clauses, (1..=19).collect());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

/// The trials of a clause that a store with this flaw fails.
fn failing(which: &str, flaw: Flaw) -> Vec<&'static str> {
    let fails = |run: fn(&Kit)| {
        let kit = Kit::new(Arc::new(FlawedFixture::new(flaw)), 1).expect("the model opens");
        catch_unwind(AssertUnwindSafe(|| run(&kit))).is_err()
    };
    let kit = Kit::new(Arc::new(FlawedFixture::new(flaw)), 1).expect("the model opens");
    all()
        .filter(|case| clause(case.name) == which)
        .filter(|case| case.needs.missing(&kit.capabilities()).is_none())
        .filter(|case| fails(case.run))
        .map(|case| case.name)
        .collect()
}

#[test]
fn the_right_store_fails_nothing() {
    let clauses: BTreeSet<&str> = all().map(|case| clause(case.name)).collect();
    for clause in clauses {
        assert_eq!(failing(clause, Flaw::None), [""; 0]);
    }
}

#[test]
fn a_store_that_breaks_a_clause_fails_its_trials() {
    let flaws = [
        ("1", Flaw::DropsRepeats),
        ("2", Flaw::ReadsLate),
        ("3", Flaw::MixesValues),
        ("4", Flaw::SortsSelection),
        ("5", Flaw::NotAtomic),
        ("5", Flaw::NotAtomicForMany),
        ("6", Flaw::ReversesEffects),
        ("7", Flaw::TakesAnyKey),
        ("8", Flaw::SwallowsErrors),
        ("9", Flaw::ClearsSelection),
        ("10", Flaw::CutsValues),
        ("11", Flaw::ForgetsDurable),
        ("12", Flaw::Shuffles),
        ("13", Flaw::ScansLastAgain),
        ("13", Flaw::SkipsInParts),
        ("14", Flaw::IgnoresLimits),
        ("15", Flaw::ReversesAnyway),
        ("16", Flaw::CountsSets),
        ("17", Flaw::FailsToSync),
        ("18", Flaw::RebuildLoses),
        ("19", Flaw::ForgetsDurable),
    ];
    for (clause, flaw) in flaws {
        assert!(!failing(clause, flaw).is_empty(), "KV-{clause} does not see {flaw:?}");
    }
}

#[test]
fn what_breaks_atomicity_breaks_operations() {
    let seen: BTreeSet<&str> = failing("5", Flaw::NotAtomic).into_iter().collect();
    for name in ["counters_lose_nothing", "transfers_keep_the_sum", "histories_of_keys_are_linear"]
    {
        assert!(seen.contains(&*format!("KV-5/{name}")), "{name} is not among {seen:?}");
    }
    let seen: BTreeSet<&str> = failing("5", Flaw::NotAtomicForMany).into_iter().collect();
    let name = "KV-5/transfers_by_comparing_keep_the_sum";
    assert!(seen.contains(name), "{name} is not among {seen:?}");
}

#[test]
fn histories_that_cannot_be_are_seen() {
    let event = |begun, ended, what| Event { key: 0, begun, ended, what };
    let write = |before, value| What::Write { before, value };
    let right = [
        event(1, 4, write(0, 1)),
        event(2, 3, What::Read(0)),
        event(5, 8, write(1, 2)),
        event(6, 7, What::Read(2)),
        event(9, 10, What::Read(2)),
    ];
    assert_eq!(violation(&right), None);
    let wrong = [
        vec![event(1, 2, write(0, 1)), event(3, 4, write(0, 2))],
        vec![event(1, 2, write(0, 1)), event(3, 4, What::Read(0))],
        vec![event(1, 2, What::Read(1)), event(3, 4, write(0, 1))],
        vec![event(1, 2, write(1, 2)), event(3, 4, write(0, 1))],
        vec![event(1, 6, write(0, 1)), event(2, 3, What::Read(1)), event(4, 5, What::Read(0))],
        vec![event(1, 2, What::Read(9))],
    ];
    for history in wrong {
        assert!(violation(&history).is_some(), "{history:?}");
    }
}
