//! The rounds over a page store, ready made.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use hozo_traits::SystemAmbient;
use tempfile::TempDir;

use super::{Acknowledged, Rounds, Tally, child, commits, this_binary, verify};
use crate::{Fixture, Rng};

const DIR_VARIABLE: &str = "HOZO_CRASH_DIR";
/// After so many crashes a new store is begun, since every round looks at all
/// that is there.
const ROUNDS_PER_STORE: usize = 10;

/// Runs the rounds with children that commit to a store of the fixture, and
/// verifies the store after each. To be called by the test `name`, alone: the
/// children are this binary running that test, and for them this never
/// returns but with an error. Answers what the rounds met.
///
/// # Errors
/// Says what did not survive, or what the child could not do.
pub fn page_store(fixture: &dyn Fixture, name: &str, rounds: &Rounds) -> Result<Tally, String> {
    if let Some(seed) = child() {
        let dir = env::var_os(DIR_VARIABLE).ok_or("the child was not told its directory")?;
        let ended = commits(fixture, &PathBuf::from(dir), seed);
        return ended.map(|()| Tally::default()).map_err(|e| e.to_string());
    }
    let scratch = || {
        let dir = TempDir::with_prefix("hozo-crash-").map_err(|e| format!("no scratch: {e}"))?;
        std::fs::create_dir(dir.path().join("store")).map_err(|e| format!("no scratch: {e}"))?;
        Ok::<_, String>(dir)
    };
    let mut dirs = Vec::new();
    for _ in 0..rounds.count.div_ceil(ROUNDS_PER_STORE) {
        dirs.push(scratch()?);
    }
    let dir = |number: usize| dirs[number / ROUNDS_PER_STORE].path().join("store");
    let (mut known, mut tally) = (Acknowledged::default(), Tally::default());
    rounds.run(
        |round| {
            let mut command = this_binary(name, round);
            command.env(DIR_VARIABLE, dir(round.number));
            command
        },
        |round, lines| {
            if round.number.is_multiple_of(ROUNDS_PER_STORE) {
                known = Acknowledged::default();
            }
            known.extend(&lines)?;
            // Sometimes the next child finds what the crash left, and recovers
            // it, and may be killed while it does.
            let last = (round.number + 1).is_multiple_of(ROUNDS_PER_STORE);
            if !last && Rng::new(round.seed).fork("unseen").one_in(4) {
                known.crashed_unseen();
                return Ok(());
            }
            let store = fixture.open(&dir(round.number), Arc::new(SystemAmbient));
            let store = store.map_err(|e| format!("does not open after a crash: {e}"))?;
            verify(&store, &mut known, &mut tally)
        },
    )?;
    Ok(tally)
}
