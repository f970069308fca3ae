//! What a backend gives to be tested.

use std::path::Path;
use std::sync::Arc;

use hozo_traits::{Ambient, PageStore, Result};

/// How to open stores of one backend. The suites know backends by nothing else.
pub trait Fixture: Send + Sync + 'static {
    /// What to call it in reports: usually the backend's name.
    fn name(&self) -> &str;

    /// Opens the store that lives in `dir`, with this clock and randomness.
    ///
    /// The directory exists and belongs to the store alone: empty at first, so
    /// the store is new; later as a store left it that was dropped, or whose
    /// process was killed. A store that is not
    /// [`persistent`](hozo_traits::Capabilities::persistent) is new every time.
    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>>;

    /// Whether another process finds what this one left in a directory. False
    /// only for stores that pretend to be persistent.
    fn outlives_process(&self) -> bool {
        true
    }
}
