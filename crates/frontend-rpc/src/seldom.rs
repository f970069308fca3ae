//! Lines of the log that anybody could cause any number of.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How often they are written.
const SELDOM: Duration = Duration::from_secs(10);

/// Lets something be said now and then only.
#[derive(Default)]
pub(crate) struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    /// If it may be said now: how often it was not said since the last time.
    pub(crate) fn now(&self) -> Option<u64> {
        let mut state = self.0.lock();
        let (last, unsaid) = &mut *state;
        if last.is_some_and(|last| last.elapsed() < SELDOM) {
            *unsaid += 1;
            return None;
        }
        *last = Some(Instant::now());
        Some(std::mem::take(unsaid))
    }
}
