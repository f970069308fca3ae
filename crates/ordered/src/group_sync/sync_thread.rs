//! The sync thread.

use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Instant;

use hozo_traits::{Error, ErrorKind, Result};

use super::{Inner, Mark, State};

impl<M: Mark> Inner<M> {
    /// Somebody will have synced what is written now within the lag.
    pub(super) fn sync_soon(self: &Arc<Self>, state: &mut State<M>) {
        let Some(lag) = state.lag_max else { return };
        if state.lag.is_none() {
            state.lag = Some(Instant::now() + lag);
            // Without a thread the next one that waits does it.
            if self.start_thread(state).is_ok() {
                self.work.notify_one();
            }
        }
    }

    pub(super) fn start_thread(self: &Arc<Self>, state: &mut State<M>) -> Result<()> {
        if state.thread.is_none() {
            let this = Arc::clone(self);
            let spawned = thread::Builder::new().name("hozo-sync".into()).spawn(move || this.run());
            state.thread = Some(spawned.map_err(|e| {
                Error::new(ErrorKind::Unavailable, "the sync thread cannot be started").caused_by(e)
            })?);
        }
        Ok(())
    }

    fn run(&self) {
        let mut state = self.state();
        while !state.closing {
            let now = Instant::now();
            let late = state.lag.is_some_and(|when| when <= now);
            let due = (state.urgent || late) && state.poison.is_none();
            if due && !state.syncing {
                // The error is in the poison, where all who wait find it.
                let (back, _) = self.lead(state);
                state = back;
                continue;
            }
            state = match state.lag {
                // While somebody syncs, the end of that is worth waiting for.
                Some(when) if !late => {
                    let wait = self.work.wait_timeout(state, when - now);
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
                _ => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}
