//! Time and randomness, handed in so that tests can replay them.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{CommitId, Timestamp};

/// Where a part of Hozo gets the time and its random bytes.
pub trait Ambient: Send + Sync {
    /// The wall clock. It may jump, in both directions.
    fn now(&self) -> Timestamp;
    /// Fills `bytes` so that nobody can guess or repeat them.
    fn fill_random(&self, bytes: &mut [u8]);
}

impl dyn Ambient {
    /// A commit id that nobody made before.
    pub fn commit_id(&self) -> CommitId {
        let mut random = [0; 10];
        self.fill_random(&mut random);
        CommitId::new(self.now(), random)
    }
}

/// The operating system's clock and random numbers. Safe across `fork`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemAmbient;

impl Ambient for SystemAmbient {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that takes randomness")]
    fn fill_random(&self, bytes: &mut [u8]) {
        // A system without random numbers cannot make unique commit ids; going
        // on would risk answering one commit with the outcome of another.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}
