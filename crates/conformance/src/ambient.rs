//! A clock and random bytes that the test holds.

use std::sync::Mutex;
use std::time::Duration;

use hozo_traits::{Ambient, Timestamp};

use crate::Rng;

/// An [`Ambient`] whose clock moves only when told to, and whose random bytes
/// replay from a seed.
#[derive(Debug)]
pub struct TestAmbient {
    state: Mutex<(Timestamp, Rng)>,
}

impl TestAmbient {
    /// Where the clock starts: 2026-11-21T09:30:00Z.
    pub const START: Timestamp = Timestamp::from_micros(1_795_253_400_000_000);

    /// The ambient of this seed, at [`TestAmbient::START`].
    pub const fn new(seed: u64) -> Self {
        TestAmbient { state: Mutex::new((Self::START, Rng::new(seed))) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        let mut state = self.state();
        state.0 = Timestamp::from_micros(state.0.as_micros().saturating_add(by));
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.state().0 = now;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, (Timestamp, Rng)> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Ambient for TestAmbient {
    fn now(&self) -> Timestamp {
        self.state().0
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.state().1.fill(bytes);
    }
}
