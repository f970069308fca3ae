//! kill -9 at random moments.
//!
//! A parent starts a child that works on something persistent and prints a
//! line `ack …` after each thing that it was promised. The parent kills it
//! when some number of them came and a random time is over, then verifies what
//! the child left. [`Rounds::run`] does this for any program; [`this_binary`]
//! makes a test its own child; [`page_store`] does all of it for a page store.

mod commits;
mod store;
mod verify;

#[cfg(test)]
mod tests;

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

pub use self::commits::commits;
pub use self::store::page_store;
pub use self::verify::{Acknowledged, Tally, verify};
use crate::{Rng, SEED_VARIABLE, seed};

/// The variable that says how many rounds to run.
pub const ROUNDS_VARIABLE: &str = "HOZO_CRASH_ROUNDS";
/// The variable that tells a test binary that it is the child; its value is
/// the round's seed.
const CHILD_VARIABLE: &str = "HOZO_CRASH_CHILD";
const PREFIX: &str = "ack ";
/// No child needs nearly as long for its next line.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// How much is shown of what a failed child wrote besides its acknowledgements.
const OTHER_BYTES_MAX: usize = 10_000;

/// How many rounds to run, and their randomness.
#[derive(Clone, Debug)]
pub struct Rounds {
    /// How many.
    pub count: usize,
    /// What moments and children are random by.
    pub seed: u64,
    /// A child is killed after at most so many acknowledgements.
    pub acknowledged_max: usize,
}

/// One round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Its number, from 0.
    pub number: usize,
    /// Its own seed.
    pub seed: u64,
}

impl Rounds {
    /// As many as `HOZO_CRASH_ROUNDS` says, else `default`, with the run's
    /// [`seed`].
    ///
    /// # Panics
    /// If the variable is set and is no number.
    pub fn from_env(default: usize) -> Self {
        let count = env::var(ROUNDS_VARIABLE).map_or(default, |text| {
            text.parse().unwrap_or_else(|e| panic!("{ROUNDS_VARIABLE} is {text:?}: {e}"))
        });
        Rounds { count, seed: seed(), acknowledged_max: 80 }
    }

    /// In each round, starts the program, kills it, and hands what it had
    /// acknowledged (the text after `ack `) to `verify`.
    ///
    /// The program writes its lines to its standard output, each flushed, and
    /// goes on until it is killed; one that ends by itself is a failure.
    ///
    /// # Errors
    /// Says which round failed, how to repeat it, and what the program said.
    pub fn run(
        &self,
        mut command: impl FnMut(Round) -> Command,
        mut verify: impl FnMut(Round, Vec<String>) -> Result<(), String>,
    ) -> Result<(), String> {
        let rng = Rng::new(self.seed);
        for number in 0..self.count {
            let mut rng = rng.fork(&number.to_string());
            let round = Round { number, seed: rng.next() };
            // Now and then while it starts, which may be while it recovers.
            let (after, delay_max) = if rng.one_in(6) {
                (0, 50_000)
            } else {
                (rng.below(self.acknowledged_max + 1), 3000)
            };
            let delay = Duration::from_micros(rng.below(delay_max) as u64);
            let result = kill_after(&mut command(round), after, delay);
            result.and_then(|acknowledged| verify(round, acknowledged)).map_err(|problem| {
                format!("round {number} of {SEED_VARIABLE}={}: {problem}", self.seed)
            })?;
        }
        Ok(())
    }
}

/// Runs the program until it has acknowledged `after` times and for `delay`
/// more, and kills it: all that it acknowledged up to its death.
fn kill_after(command: &mut Command, after: usize, delay: Duration) -> Result<Vec<String>, String> {
    let mut errors = tempfile::tempfile().map_err(|e| format!("no scratch file: {e}"))?;
    let sink: File = errors.try_clone().map_err(|e| format!("no scratch file: {e}"))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(sink)
        .spawn()
        .map_err(|e| format!("{command:?} does not start: {e}"))?;
    let output = child.stdout.take().ok_or("the child has no output")?;
    let (sender, lines) = mpsc::channel();
    // Reads on while the child is killed: what it wrote before, counts.
    let reader = thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let whole = line.pop() == Some(b'\n');
            let text = String::from_utf8_lossy(&line).into_owned();
            if whole && sender.send(text).is_err() {
                break;
            }
            line.clear();
        }
    });
    let (mut acknowledged, mut other) = (Vec::new(), String::new());
    let mut take = |line: String, acknowledged: &mut Vec<String>| match line.strip_prefix(PREFIX) {
        Some(text) => acknowledged.push(text.to_owned()),
        // A harness writes its failures among the acknowledgements.
        None if other.len() < OTHER_BYTES_MAX => other = format!("{other}{line}\n"),
        None => {}
    };
    let mut ended = None;
    while acknowledged.len() < after {
        match lines.recv_timeout(SILENCE_MAX) {
            Ok(line) => take(line, &mut acknowledged),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                ended = Some("said nothing for too long");
                break;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                ended = Some("ended by itself");
                break;
            }
        }
    }
    // Chance, not synchronisation: the death may hit any step of the next commit.
    thread::sleep(delay);
    let _ = child.kill();
    let status = child.wait().map_err(|e| format!("the child cannot be waited for: {e}"))?;
    let _ = reader.join();
    lines.iter().for_each(|line| take(line, &mut acknowledged));
    let ended = ended.or((status.code().is_some()).then_some("ended by itself"));
    let Some(how) = ended else { return Ok(acknowledged) };
    let mut said = String::new();
    let _ = errors.rewind().and_then(|()| errors.read_to_string(&mut said));
    Err(format!("the child {how} ({status}) after {} lines: {other}{said}", acknowledged.len()))
}

/// A command that runs this test binary again, with only the test `name`, as
/// the child of `round`: there, [`child`] answers `Some`.
pub fn this_binary(name: &str, round: Round) -> Command {
    let binary = env::current_exe().unwrap_or_else(|e| panic!("no path to this binary: {e}"));
    let mut command = Command::new(binary);
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(CHILD_VARIABLE, round.seed.to_string());
    command
}

/// The round's seed, if this process is the child.
pub fn child() -> Option<u64> {
    let seed = env::var(CHILD_VARIABLE).ok()?.parse().ok()?;
    // The harness may have begun a line.
    println!();
    Some(seed)
}

/// Tells the parent that something was promised. Ends the process when the
/// parent is gone.
pub fn acknowledge(text: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{PREFIX}{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
