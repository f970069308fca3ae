//! What is done from time to time: settling, space, checkpoints, retention.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hozo_traits::{Result, Timestamp};
use parking_lot::{Condvar, Mutex};

use crate::shared::Shared;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(20);
/// A checkpoint is made when so much was written, or so much time has passed.
const CHECKPOINT_BYTES: u64 = 256 << 20;
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);
/// How often is looked for commits that others made in a store.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often is looked for what can go.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// The thread of one server's replication.
pub(crate) struct Keeper {
    ending: Arc<(Mutex<bool>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Keeper {
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Keeper> {
        let ending = Arc::new((Mutex::new(false), Condvar::new()));
        let told = Arc::clone(&ending);
        let thread = thread::Builder::new()
            .name("hozo-ulog".into())
            .spawn(move || keep(&shared, &told))
            .map_err(|e| {
                hozo_traits::Error::new(
                    hozo_traits::ErrorKind::Unavailable,
                    "the thread of the update log cannot be started",
                )
                .caused_by(e)
            })?;
        Ok(Keeper { ending, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        *self.ending.0.lock() = true;
        self.ending.1.notify_all();
        if let Some(thread) = self.thread.lock().take()
            && thread.thread().id() != thread::current().id()
        {
            // It panics only by a defect, and there is nothing to be done then.
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

fn keep(shared: &Shared, ending: &(Mutex<bool>, Condvar)) {
    let mut rounds = Rounds::new(shared);
    loop {
        {
            let mut over = ending.0.lock();
            if *over {
                return;
            }
            ending.1.wait_for(&mut over, EVERY);
            if *over {
                return;
            }
        }
        rounds.go(shared);
    }
}

/// When what was done last.
pub(crate) struct Rounds {
    checked: Duration,
    pruned: Duration,
    looked: Duration,
}

impl Rounds {
    pub(crate) fn new(shared: &Shared) -> Rounds {
        let now = shared.clock.now();
        Rounds { checked: now, pruned: now, looked: now }
    }

    /// Does what is to be done now.
    pub(crate) fn go(&mut self, shared: &Shared) {
        // A deadline may have passed.
        shared.followers.roster.changed.tell();
        if let Some(from) = shared.unsettled.from()
            && let Err(error) = shared.settle(from)
        {
            tracing::error!(%error, "the records cannot be made what the update log says: trying again");
        }
        if shared.ulog.wants_space() {
            shared.ulog.prepare();
        }
        let now = shared.clock.now();
        let look = now - self.looked >= LOOK_EVERY;
        if look {
            self.looked = now;
        }
        shared.pages.tick(look);
        let written = shared.ulog.end().saturating_sub(shared.checkpointed.load(Ordering::Acquire));
        let due = now - self.checked >= CHECKPOINT_EVERY && written > CHECKPOINT_IDLE_BYTES;
        if due || written >= CHECKPOINT_BYTES {
            self.checked = now;
            if let Err(error) = shared.checkpoint_now() {
                tracing::warn!(%error, "no checkpoint of the update log was made");
            }
        }
        if now - self.pruned >= PRUNE_EVERY {
            self.pruned = now;
            let before = shared.config.keep.map_or(0, |keep| {
                shared.ambient.now().as_micros().saturating_sub(keep.as_micros() as u64)
            });
            if let Err(error) = shared.prune(Timestamp::from_micros(before)) {
                tracing::warn!(%error, "nothing of the update log was removed");
            }
        }
    }
}

/// What a checkpoint itself writes, and a little more.
const CHECKPOINT_IDLE_BYTES: u64 = 4096;

impl Shared {
    /// Removes updates before a time, but what followers need, unless the log
    /// is too large; answers the bytes that were freed.
    pub(crate) fn prune(&self, before: Timestamp) -> Result<u64> {
        let checkpointed = self.checkpointed.load(Ordering::Acquire);
        let old = self.ulog.place_before(before)?;
        let conflicts = self.ulog.needed_from()?.unwrap_or(u64::MAX);
        let needed = self.followers.needed_from().unwrap_or(u64::MAX).min(conflicts);
        let mut place = old.min(needed);
        let bytes = self.ulog.bytes();
        if bytes > self.config.keep_bytes {
            let large = self.ulog.place_behind(bytes - self.config.keep_bytes);
            if large > place && large > needed {
                tracing::warn!(
                    "the update log is larger than it may be: a follower that needs what is \
                     removed has to load all records, and one of two masters may not find \
                     conflicts over it after it was started again"
                );
            }
            place = place.max(large);
        }
        self.ulog.discard_before(place.min(checkpointed))
    }
}
