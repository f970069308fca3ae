//! Time that only goes forward.

#[cfg(test)]
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What deadlines are measured by; the wall clock jumps.
#[derive(Clone)]
pub(crate) enum Clock {
    /// The system's.
    System(Instant),
    /// Microseconds that a test counts.
    #[cfg(test)]
    Counted(Arc<AtomicU64>),
}

impl Clock {
    pub(crate) fn system() -> Clock {
        Clock::System(Instant::now())
    }

    /// The time since some moment.
    pub(crate) fn now(&self) -> Duration {
        match self {
            Clock::System(begin) => begin.elapsed(),
            #[cfg(test)]
            Clock::Counted(micros) => Duration::from_micros(micros.load(Ordering::SeqCst)),
        }
    }
}
