//! Who reads from the log without a lock of the index.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{RwLock, RwLockReadGuard};

/// Keeps segments from going while they are read.
///
/// Two locks take turns, so that readers who always overlap do not keep the
/// discarding of segments waiting for ever.
#[derive(Default)]
pub(super) struct Pins {
    turn: AtomicUsize,
    locks: [RwLock<()>; 2],
}

/// While it is there, what it was taken over can be read.
pub(crate) struct Pin<'a> {
    _guard: RwLockReadGuard<'a, ()>,
}

impl Pins {
    pub(super) fn pin(&self) -> Pin<'_> {
        let turn = self.turn.load(Ordering::Relaxed);
        // Recursive: a reader may hold one already.
        Pin { _guard: self.locks[turn].read_recursive() }
    }

    /// Returns when everybody who is reading now has ended. New ones may have
    /// begun.
    pub(super) fn wait(&self) {
        for _ in 0..2 {
            let turn = self.turn.load(Ordering::Relaxed);
            self.turn.store(1 - turn, Ordering::Relaxed);
            drop(self.locks[turn].write());
        }
    }
}
