//! The same random operations on two stores give the same answers.

mod answer;
mod driver;
mod script;
mod side;

#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use self::answer::Answer;
use self::driver::Driver;
use self::script::{Step, generate};
use crate::kit::Kit;
use crate::runner::message;
use crate::{Fixture, Rng, SEED_VARIABLE};

/// How often a failing script is run again to find a shorter one.
const SHORTENINGS_MAX: usize = 400;

/// What a comparison exercised. One that met no conflict or no repetition says
/// little; [`Tally::is_telling`] tells.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    /// Commits that were made.
    pub made: usize,
    /// Commits that ended in a conflict.
    pub conflicts: usize,
    /// Commits that were refused as wrong.
    pub refused: usize,
    /// Commits that were sent again.
    pub repeats: usize,
    /// Reads that found at least one page.
    pub reads: usize,
    /// Log queries that found something.
    pub logs: usize,
    /// Page versions that were purged.
    pub purged: usize,
    /// Staged pages that were read back.
    pub staged: usize,
}

impl Tally {
    /// Whether everything was met at least once.
    pub fn is_telling(&self) -> bool {
        let Tally { made, conflicts, refused, repeats, reads, logs, purged, staged } = *self;
        [made, conflicts, refused, repeats, reads, logs, purged, staged].iter().all(|n| *n > 0)
    }

    fn count(&mut self, step: &Step, answer: &Answer) {
        use Answer::{MetaConflict, NamespaceConflict, PageConflict, SomeConflict};
        let counter = match (step, answer) {
            (Step::Repeat(..), Answer::Done) => return,
            (Step::Repeat(..), _) => &mut self.repeats,
            (Step::Commit(_), Answer::Made { .. } | Answer::MadeEmpty) => &mut self.made,
            (
                Step::Commit(_),
                PageConflict(..) | NamespaceConflict(..) | MetaConflict(_) | SomeConflict,
            ) => &mut self.conflicts,
            (Step::Wrong(_), Answer::Refused(_)) => &mut self.refused,
            (_, Answer::Pages(found)) if found.iter().any(Option::is_some) => &mut self.reads,
            (_, Answer::Staged(found)) if found.iter().any(Option::is_some) => &mut self.staged,
            (_, Answer::Log(found)) if !found.is_empty() => &mut self.logs,
            (_, Answer::Purged(n)) if *n > 0 => &mut self.purged,
            _ => return,
        };
        *counter += 1;
    }
}

/// How two answers differ.
#[derive(Clone, Debug)]
pub(crate) struct Disagreement(String);

impl Disagreement {
    fn between(left: &Answer, right: &Answer) -> Self {
        Disagreement(format!("left  {left:?}\nright {right:?}"))
    }

    fn of_one(what: String) -> Self {
        Disagreement(what)
    }
}

/// Two stores that answered differently: where, and the shortest way there
/// that was found.
#[derive(Debug)]
pub struct Difference {
    names: [String; 2],
    seed: u64,
    steps: Vec<Step>,
    disagreement: Disagreement,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { names: [left, right], seed, steps, disagreement } = self;
        writeln!(f, "{left} (left) and {right} (right) differ; {SEED_VARIABLE}={seed}")?;
        for (i, step) in steps.iter().enumerate() {
            writeln!(f, "{i:4} {step:?}")?;
        }
        write!(f, "{}", disagreement.0)
    }
}

impl std::error::Error for Difference {}

/// Carries out `steps` random operations on a new store of either fixture and
/// compares every answer. Versions may differ; which commit had them may not.
pub fn compare(
    left: &Arc<dyn Fixture>,
    right: &Arc<dyn Fixture>,
    seed: u64,
    steps: usize,
) -> Result<Tally, Box<Difference>> {
    let mut script = generate(&mut Rng::new(seed), steps);
    let fixtures = [left, right];
    let (at, mut disagreement) = match run(fixtures, seed, &script) {
        Ok(tally) => return Ok(tally),
        Err(found) => found,
    };
    script.truncate(at + 1);
    shorten(fixtures, seed, &mut script, &mut disagreement);
    let names = fixtures.map(|fixture| fixture.name().to_owned());
    Err(Box::new(Difference { names, seed, steps: script, disagreement }))
}

/// Leaves steps out as long as the two still disagree, in ever smaller pieces.
fn shorten(
    fixtures: [&Arc<dyn Fixture>; 2],
    seed: u64,
    script: &mut Vec<Step>,
    disagreement: &mut Disagreement,
) {
    let mut runs = 0;
    let mut piece = script.len() / 2;
    while piece > 0 {
        let mut start = 0;
        while start < script.len() && runs < SHORTENINGS_MAX {
            let end = (start + piece).min(script.len());
            let shorter: Vec<Step> =
                script[..start].iter().chain(&script[end..]).cloned().collect();
            runs += 1;
            match run(fixtures, seed, &shorter) {
                Ok(_) => start = end,
                Err((at, found)) => {
                    *script = shorter;
                    script.truncate(at + 1);
                    *disagreement = found;
                }
            }
        }
        piece /= 2;
    }
}

/// Runs a script on new stores: what it exercised, or at which step they
/// disagree, and how.
fn run(
    fixtures: [&Arc<dyn Fixture>; 2],
    seed: u64,
    script: &[Step],
) -> Result<Tally, (usize, Disagreement)> {
    let open = |fixture: &Arc<dyn Fixture>| {
        Kit::new(Arc::clone(fixture), String::new(), seed).map_err(|e| {
            (0, Disagreement::of_one(format!("{} does not open: {e}", fixture.name())))
        })
    };
    let mut driver = Driver::new(open(fixtures[0])?, open(fixtures[1])?);
    for (i, step) in script.iter().enumerate() {
        // A store that panics is as wrong as one that answers wrongly.
        let result = catch_unwind(AssertUnwindSafe(|| driver.step(step)));
        result
            .unwrap_or_else(|payload| Err(Disagreement::of_one(message(&*payload))))
            .map_err(|disagreement| (i, disagreement))?;
    }
    Ok(driver.tally)
}
