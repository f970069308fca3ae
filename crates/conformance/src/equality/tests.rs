//! Random operations find what is wrong, and say it shortly.

use std::sync::Arc;

use super::compare;
use crate::flaws::{Flaw, FlawedFixture};
use crate::{Fixture, ModelFixture, Rng};

const STEPS: usize = 800;

fn compare_to(flaw: Flaw) -> Result<super::Tally, Box<super::Difference>> {
    let right: Arc<dyn Fixture> = Arc::new(FlawedFixture::new(flaw));
    let left: Arc<dyn Fixture> = Arc::new(ModelFixture::reference());
    compare(&left, &right, Rng::new(11).fork(&format!("{flaw:?}")).next(), STEPS)
}

#[test]
fn the_model_is_as_itself() {
    let tally = compare_to(Flaw::None).unwrap_or_else(|difference| panic!("{difference}"));
    assert!(tally.is_telling(), "{tally:?}");
}

#[test]
fn flaws_are_found_and_the_way_there_is_short() {
    let flaws = [
        Flaw::DurableAboveSequenced,
        Flaw::AnswersReversed,
        Flaw::ReadsTheHead,
        Flaw::ReadsThroughHoles,
        Flaw::VersionOfTheRead,
        Flaw::SplitsNamespaces,
        Flaw::IgnoresPages,
        Flaw::IgnoresNamespaces,
        Flaw::IgnoresMeta,
        Flaw::RunsTwice,
        Flaw::TakesTheLastOfTwo,
        Flaw::PatchesTheNewest,
        Flaw::ChoosesItself,
        Flaw::SharesStages,
        Flaw::StagedWins,
        Flaw::KeepsStages,
        Flaw::LogsPagesOnly,
        Flaw::LogEndsOpen,
        Flaw::TimesGoBack,
        Flaw::MetaIsLate,
        Flaw::ScanIncludesAfter,
        Flaw::PutsNoVersion,
        Flaw::LosesWrites,
    ];
    let short = 60;
    for flaw in flaws {
        let difference = compare_to(flaw).map(|_| ()).expect_err(&format!("{flaw:?} is found"));
        assert!(difference.steps.len() <= short, "{flaw:?} took {}", difference.steps.len());
    }
}

#[test]
fn a_seed_replays() {
    let found = |_| compare_to(Flaw::IgnoresPages).expect_err("is found").to_string();
    let [first, second] = [(); 2].map(found);
    assert_eq!(first, second);
}
