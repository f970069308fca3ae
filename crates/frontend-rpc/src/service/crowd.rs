//! Whether there is room for more answers.

use std::fmt;
use std::sync::Arc;

use tonic::Status;

/// Asks the server whether an answer may still be as large as messages may be.
///
/// An update whose answer has a record in it asks before it is made: once it is
/// made its answer must be given, or the record would be gone. Clones are the
/// same.
#[derive(Clone)]
pub struct Crowd(Arc<dyn Fn() -> bool + Send + Sync>);

impl Crowd {
    /// Crowded when `is_full` says so, which is asked often.
    pub fn new(is_full: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Crowd(Arc::new(is_full))
    }

    /// An error, with nothing done, if it is crowded.
    pub(super) fn let_in(&self) -> Result<(), Status> {
        if (self.0)() {
            return Err(Status::resource_exhausted(
                "too much waits to be sent at once, nothing was done: try again later",
            ));
        }
        Ok(())
    }
}

impl Default for Crowd {
    /// Never crowded.
    fn default() -> Self {
        Crowd::new(|| false)
    }
}

impl fmt::Debug for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Crowd")
    }
}
