//! The client that means well.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::kit::{Kit, b};
use crate::server::Server;

/// Calls that show that somebody is served.
const CALLS: u64 = 50;

/// Calls all the time on a connection of its own, and now and then on a new one;
/// each is answered, and rightly.
pub(super) struct Good {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    calls: Mutex<u64>,
    called: Condvar,
    peak: AtomicU64,
}

impl Good {
    /// `coming_and_going`: connects anew now and then.
    pub(super) fn begin(server: &Server, coming_and_going: bool) -> Good {
        let shared = Arc::new(Shared::default());
        let (mine, address, id) = (Arc::clone(&shared), server.address().to_owned(), server.id());
        let thread = thread::spawn(move || {
            let mut kit = Kit::as_is(&address, 0);
            for n in 0_u64.. {
                if mine.ended.load(Ordering::Relaxed) {
                    return;
                }
                if coming_and_going && n % 64 == 63 {
                    kit = Kit::as_is(&address, 0);
                }
                kit.put("good", n.to_string());
                assert_eq!(kit.value("good"), Some(b(n.to_string())));
                mine.peak.fetch_max(crate::server::resident(id), Ordering::Relaxed);
                *mine.calls.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                mine.called.notify_all();
            }
        });
        let good = Good { shared, thread };
        good.is_answered();
        good
    }

    /// Waits until it was answered many times more.
    ///
    /// # Panics
    /// If it is not.
    pub(super) fn is_answered(&self) {
        let lock = || self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = *lock() + CALLS;
        let mut calls = lock();
        while *calls < wanted {
            assert!(!self.thread.is_finished(), "it was not answered as it should be");
            let waited = self.shared.called.wait_timeout(calls, crate::kit::PATIENCE);
            let (again, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            calls = again;
            assert!(!timeout.timed_out() || self.thread.is_finished(), "it is not answered");
        }
    }

    /// Ends it, and gives the most memory that the server had.
    pub(super) fn end(self) -> u64 {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
        self.shared.peak.load(Ordering::Relaxed)
    }
}
