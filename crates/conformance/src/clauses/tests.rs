//! Every clause has trials, and for every clause a store that breaks it fails
//! one of them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::all;
use crate::flaws::{Flaw, FlawedFixture};
use crate::kit::Kit;

fn clause(name: &str) -> u32 {
    let number = name.strip_prefix("PG-").and_then(|rest| rest.split('/').next());
    number.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{name} names no clause"))
}

#[test]
fn every_clause_has_trials_and_every_trial_another_name() {
    let names: Vec<&str> = all().map(|case| case.name).collect();
    let clauses: BTreeSet<u32> = names.iter().map(|name| clause(name)).collect();
    assert_eq!(clauses, (1..=32).collect());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

/// The trials of a clause that a store with this flaw fails.
fn failing(number: u32, flaw: Flaw) -> Vec<&'static str> {
    let fails = |name: &str, run: fn(&Kit)| {
        let fixture = Arc::new(FlawedFixture::new(flaw));
        let kit = Kit::new(fixture, name.to_owned(), 1).expect("the model opens");
        catch_unwind(AssertUnwindSafe(|| run(&kit))).is_err()
    };
    let cases = all().filter(|case| clause(case.name) == number);
    // The one that starts this binary again, under a name that it has not here.
    let cases = cases.filter(|case| !case.name.contains("needs_no_memory"));
    cases
        .filter(|case| {
            case.needs
                .missing(&hozo_traits::PageStore::capabilities(&*crate::Model::new(Arc::new(
                    crate::TestAmbient::new(0),
                ))))
                .is_none()
        })
        .filter(|case| fails(case.name, case.run))
        .map(|case| case.name)
        .collect()
}

#[test]
fn the_right_store_fails_nothing() {
    for number in 1..=32 {
        assert_eq!(failing(number, Flaw::None), [""; 0]);
    }
}

#[test]
fn a_store_that_breaks_a_clause_fails_its_trials() {
    let flaws = [
        (1, Flaw::StartsAtOne),
        (2, Flaw::DurableAboveSequenced),
        (3, Flaw::NeverDurable),
        (4, Flaw::WaitsForNothing),
        (5, Flaw::AnswersReversed),
        (6, Flaw::ReadsTheHead),
        (6, Flaw::FollowsTheHeadAbove),
        (7, Flaw::ReadsThroughHoles),
        (8, Flaw::VersionOfTheRead),
        (9, Flaw::SplitsNamespaces),
        (10, Flaw::IgnoresPages),
        (11, Flaw::IgnoresNamespaces),
        (12, Flaw::IgnoresMeta),
        (13, Flaw::JudgesTooEarly),
        (13, Flaw::JudgesTheDurable),
        (14, Flaw::RunsTwice),
        (15, Flaw::IgnoresConditionsAlone),
        (16, Flaw::TakesTheLastOfTwo),
        (17, Flaw::PatchesTheNewest),
        (18, Flaw::NeverDurable),
        (19, Flaw::ChoosesItself),
        (20, Flaw::SharesStages),
        (21, Flaw::StagedWins),
        (22, Flaw::KeepsStages),
        (24, Flaw::LogsPagesOnly),
        (25, Flaw::LogEndsOpen),
        (26, Flaw::TimesGoBack),
        (27, Flaw::MetaIsLate),
        (28, Flaw::ScanIncludesAfter),
        (29, Flaw::PutsNoVersion),
        (30, Flaw::PurgesTooMuch),
        (31, Flaw::ChangesIncludeAfter),
        (32, Flaw::ChangesWithoutMeta),
    ];
    for (number, flaw) in flaws {
        assert!(!failing(number, flaw).is_empty(), "PG-{number} does not see {flaw:?}");
    }
}
