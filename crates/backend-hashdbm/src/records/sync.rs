//! What becomes of updates for which nobody waits.

use std::time::Duration;

/// When updates come to stable storage that asked only to be
/// [`Sequenced`](hozo_traits::Durability::Sequenced).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncMode {
    /// Before they are answered, as if they had asked to be durable. What
    /// answers at once, [`Records::set`](super::Records::set) and its like, is
    /// on stable storage soon.
    Commit,
    /// Within this time.
    Within(Duration),
    /// When the system likes, or when the store is closed.
    System,
}

/// How soon is soon.
const SOON: Duration = Duration::from_millis(50);

impl Default for SyncMode {
    fn default() -> Self {
        SyncMode::Within(SOON)
    }
}

impl SyncMode {
    pub(super) fn lag(self) -> Option<Duration> {
        match self {
            SyncMode::Commit => Some(SOON),
            SyncMode::Within(time) => Some(time),
            SyncMode::System => None,
        }
    }
}
