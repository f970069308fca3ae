//! `tkrzw_rpc.DBMService` over DBMs, and `hozo.v1.Replication` over a
//! [`Replicator`]: what each request does and is answered.
//!
//! The service knows no sockets. A server puts an [`Access`] into the extensions
//! of each request and says through [`Stopping`] that it stops.
//!
//! # What goes wrong with replication
//!
//! What fails of `hozo.v1.Replication` and of `Replicate` is the call's status,
//! whose trailer `hozo-error-kind` is the kind of the error, in the words that
//! texts of errors begin with ([`ErrorKind::as_str`](hozo_traits::ErrorKind::as_str)):
//!
//! | kind | code |
//! |---|---|
//! | version gone: the log does not begin early enough, a snapshot is needed | `OUT_OF_RANGE` |
//! | conflict: the position is not in this history | `ABORTED` |
//! | read-only: the reader knows a newer epoch | `FAILED_PRECONDITION` |
//! | not found | `NOT_FOUND` |
//! | exists | `ALREADY_EXISTS` |
//! | busy, unavailable | `UNAVAILABLE` |
//! | timed out | `DEADLINE_EXCEEDED` |
//! | corrupt | `DATA_LOSS` |
//! | unsupported | `UNIMPLEMENTED` |
//! | invalid | `INVALID_ARGUMENT` |
//! | too large: an update is larger than messages may be | `RESOURCE_EXHAUSTED` |
//! | unauthenticated | `UNAUTHENTICATED` |
//! | denied | `PERMISSION_DENIED` |
//! | internal | `INTERNAL` |
//!
//! A status without that trailer is not of replication but of the call, as with
//! every other: `UNAUTHENTICATED` when a token was taken back, `UNAVAILABLE` when
//! the server stops, `RESOURCE_EXHAUSTED` where too much is wanted at once,
//! `INVALID_ARGUMENT` for messages out of turn, `UNIMPLEMENTED` without
//! replication. `Replicate` says besides what Tkrzw says: `INVALID_ARGUMENT`
//! "self server ID" and `FAILED_PRECONDITION` "disabled update logging".

mod access;
mod answers;
mod call;
mod carried;
mod crowd;
mod cursor;
mod dbm;
mod held;
mod inspect;
mod iterate;
mod long;
mod multi;
mod queue;
mod replication;
mod rpcs;
mod single;
mod status;
mod stopping;
mod stream;
mod tuning;
mod waiters;
mod waiting;
mod whole;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hozo_traits::{Ambient, Parts, Replicator};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use self::dbm::Served;
use crate::seldom::Seldom;

pub use self::access::{Access, Grant, Right};
pub use self::answers::Answers;
pub use self::crowd::Crowd;
pub(crate) use self::replication::{KIND, refusal};
pub use self::stopping::Stopping;

/// A search that goes through so much keeps a thread from others.
pub(crate) const SEARCH_TIME_MAX: Duration = Duration::from_secs(600);

/// How much the service takes on.
#[derive(Clone, Debug)]
pub struct Options {
    /// The largest answer, in bytes. Reading many records stops where it would
    /// become larger.
    pub message_bytes_max: usize,
    /// Requests that wait for a record at once.
    pub waiting_max: usize,
    /// Searches, rebuilds, synchronisations and what replication takes long for at
    /// once, each on a thread of its own; others wait for their turn.
    pub long_max: usize,
    /// How long one search may go on.
    pub search_time_max: Duration,
    /// Says that the server stops.
    pub stopping: Stopping,
    /// Says whether too many answers wait for their clients.
    pub crowd: Crowd,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            message_bytes_max: 4 << 20,
            waiting_max: 4096,
            long_max: 16,
            search_time_max: SEARCH_TIME_MAX,
            stopping: Stopping::default(),
            crowd: Crowd::default(),
        }
    }
}

/// The service. Clones are the same.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    dbms: Vec<Served>,
    replication: Option<Arc<dyn Replicator>>,
    replication_failures: Seldom,
    ambient: Arc<dyn Ambient>,
    options: Options,
    /// Places of those who wait for a record.
    waiting: Semaphore,
    /// Turns of long work.
    long: Arc<Semaphore>,
    active: AtomicU64,
    started: Instant,
    health: Arc<watch::Sender<Vec<bool>>>,
}

impl Service {
    /// A service of these DBMs, each at its index.
    pub fn new(parts: Parts, options: Options) -> Self {
        let health = Arc::new(watch::Sender::new(vec![true; parts.dbms.len()]));
        let dbms = parts.dbms.into_iter().enumerate();
        let bytes_max = options.message_bytes_max;
        let served = |dbm, index| Served::new(dbm, index, bytes_max, Arc::clone(&health));
        Service(Arc::new(Inner {
            dbms: dbms.map(|(index, dbm)| served(dbm, index)).collect(),
            replication: parts.replication,
            replication_failures: Seldom::default(),
            ambient: parts.ambient,
            waiting: Semaphore::new(options.waiting_max.min(Semaphore::MAX_PERMITS)),
            long: Arc::new(Semaphore::new(options.long_max.clamp(1, Semaphore::MAX_PERMITS))),
            options,
            active: AtomicU64::new(0),
            started: Instant::now(),
            health,
        }))
    }

    /// Whether each DBM is healthy, by index: one is not after an update at
    /// which its store failed, until one succeeds.
    pub fn health(&self) -> watch::Receiver<Vec<bool>> {
        self.0.health.subscribe()
    }

    /// Requests that are being answered just now, streams among them.
    pub fn active_calls(&self) -> u64 {
        self.0.active.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
