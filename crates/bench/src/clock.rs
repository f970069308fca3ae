//! Time as the load driver sees it, handed in so that tests can make it.

use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

/// A clock that only goes forward.
pub trait Clock: Sync {
    /// Nanoseconds since some moment.
    fn now(&self) -> u64;
    /// Returns at `at` or later.
    fn wait_until(&self, at: u64);
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Counting from now.
    #[expect(clippy::new_without_default, reason = "it reads the clock")]
    pub fn new() -> Self {
        SystemClock { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn wait_until(&self, at: u64) {
        // It sleeps and does not spin: what spins would be counted as processor
        // time of the store. Being woken late counts towards the latency, as it
        // does for a program that waits for its clients.
        while let Some(left @ 1..) = at.checked_sub(self.now()) {
            thread::sleep(Duration::from_nanos(left));
        }
    }
}

/// Lets this thread's sleeps end when they should, instead of up to 50 µs later
/// together with others'. It stays as it was where that cannot be set.
pub(crate) fn wake_promptly() {
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}
