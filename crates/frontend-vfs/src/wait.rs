//! Waiting on SQLite's threads: with a deadline, and obeying `sqlite3_interrupt`.

use std::future::Future;
use std::time::{Duration, Instant};

use hozo_traits::exec::block_on_while;
use hozo_traits::{Error, ErrorKind, Result};

use crate::code::Failure;

/// How often a wait looks whether it was interrupted.
const SLICE: Duration = Duration::from_millis(20);

/// What the database connection can be asked while the VFS waits.
pub(crate) trait Host: Send {
    /// Calls SQLite's busy handler; whether to go on waiting.
    fn busy(&self) -> bool;
    /// Whether `sqlite3_interrupt` was called.
    fn interrupted(&self) -> bool;
}

/// Runs a call of the store until it answers, the deadline passes or the
/// connection is interrupted.
pub(crate) fn run<T>(
    host: &dyn Host,
    wait_max: Duration,
    future: impl Future<Output = Result<T>>,
) -> Result<T, Failure> {
    let mut interrupted = false;
    let answer = bounded(wait_max, future, || {
        interrupted = host.interrupted();
        !interrupted
    });
    if interrupted { Err(Failure::Interrupted) } else { Ok(answer?) }
}

/// The same for what must not be left half-way: interrupts wait.
pub(crate) fn run_through<T>(
    wait_max: Duration,
    future: impl Future<Output = Result<T>>,
) -> Result<T> {
    bounded(wait_max, future, || true)
}

fn bounded<T>(
    wait_max: Duration,
    future: impl Future<Output = Result<T>>,
    mut go_on: impl FnMut() -> bool,
) -> Result<T> {
    // Most calls are ready at once; the clock is read only for those that wait.
    let mut deadline = None;
    let answer = block_on_while(future, SLICE, || {
        let now = Instant::now();
        let deadline = *deadline.get_or_insert_with(|| now + wait_max);
        now < deadline && go_on()
    });
    answer.unwrap_or_else(|| {
        Err(Error::new(ErrorKind::TimedOut, "the store did not answer in time")
            .with("waited", format_args!("{wait_max:?}")))
    })
}
