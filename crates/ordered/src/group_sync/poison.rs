//! The end of a store by a panic.

use hozo_traits::{Error, ErrorKind};

use super::{Inner, Mark};

/// Poisons if it is dropped without having been defused: while a write panics.
/// Made by [`GroupSync::poison_unless_defused`](super::GroupSync::poison_unless_defused).
#[must_use = "it poisons when it is dropped"]
pub struct PoisonGuard<'a, M: Mark> {
    inner: &'a Inner<M>,
    what: &'static str,
    armed: bool,
}

impl<'a, M: Mark> PoisonGuard<'a, M> {
    pub(super) fn new(inner: &'a Inner<M>, what: &'static str) -> Self {
        PoisonGuard { inner, what, armed: true }
    }

    /// What might have panicked is over.
    pub fn defuse(mut self) {
        self.armed = false;
    }
}

impl<M: Mark> Drop for PoisonGuard<'_, M> {
    fn drop(&mut self) {
        if self.armed {
            let panicked = Error::new(ErrorKind::Internal, "the engine panicked");
            self.inner.poison(self.what, panicked);
        }
    }
}
