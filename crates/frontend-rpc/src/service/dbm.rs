//! A DBM as the service has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use bytes::Bytes;
use hozo_traits::{Dbm, Durability, ErrorKind, KvStore, Result};
use tokio::sync::watch;
use tonic::Status;

use super::carried::Carried;
use super::waiters::Waiters;
use crate::seldom::Seldom;

/// A DBM with what the service keeps beside it.
pub(super) struct Served {
    pub(super) dbm: Dbm,
    pub(super) index: usize,
    /// The longest message.
    pub(super) message_bytes_max: usize,
    pub(super) waiters: Waiters,
    /// Whether a rebuild is under way.
    pub(super) rebuilding: Arc<AtomicBool>,
    /// How often something was changed through this service.
    changes: AtomicU64,
    healthy: AtomicBool,
    failures: Seldom,
    health: Arc<watch::Sender<Vec<bool>>>,
}

/// Which records an update has changed.
#[derive(Clone, Copy)]
pub(super) enum Changed<'a> {
    /// This one has a value now.
    Set(&'a Bytes),
    /// This one is gone.
    Removed(&'a Bytes),
    /// Any.
    Any,
}

impl Served {
    pub(super) fn new(
        dbm: Dbm,
        index: usize,
        message_bytes_max: usize,
        health: Arc<watch::Sender<Vec<bool>>>,
    ) -> Self {
        Served {
            dbm,
            index,
            message_bytes_max,
            waiters: Waiters::default(),
            rebuilding: Arc::default(),
            changes: AtomicU64::new(0),
            healthy: AtomicBool::new(true),
            failures: Seldom::default(),
            health,
        }
    }

    pub(super) fn records(&self) -> &dyn KvStore {
        &*self.dbm.records
    }

    /// The records, for updates that make them grow.
    pub(super) fn growing(&self) -> Carried<'_> {
        Carried { records: self.records(), message_bytes_max: self.message_bytes_max }
    }

    pub(super) fn durability(&self) -> Durability {
        self.dbm.durability
    }

    /// A number that is another one after each update that this service made.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// To be called after every update that changed something: tells who waits.
    /// Answers what [`changes`](Self::changes) was before.
    pub(super) fn changed(&self, what: Changed<'_>) -> u64 {
        let before = self.changes.fetch_add(1, Ordering::AcqRel);
        // The update before this is seen by whoever begins to wait after this,
        // and who began before is seen here.
        fence(Ordering::SeqCst);
        self.waiters.wake(what);
        before
    }

    /// Waits for an update, and judges it. One that fails, or is not waited for
    /// to its end, may have been made all the same: then anything may have
    /// changed.
    pub(super) async fn update<T>(&self, update: impl Future<Output = Result<T>>) -> Result<T> {
        let unsure = Unsure(self);
        let result = update.await;
        if result.is_ok() {
            unsure.made();
        }
        self.updated(result)
    }

    /// [`update`](Self::update), on a thread of its own.
    pub(super) async fn update_long<T>(
        &self,
        update: impl Future<Output = Result<Result<T>, Status>>,
    ) -> Result<Result<T>, Status> {
        let unsure = Unsure(self);
        let result = update.await?;
        if result.is_ok() {
            unsure.made();
        }
        Ok(self.updated(result))
    }

    /// Keeps what the result of an update says about the store's health, and
    /// logs it if the store failed.
    pub(super) fn updated<T>(&self, result: Result<T>) -> Result<T> {
        let failed = matches!(&result, Err(error) if is_of_the_store(error.kind()));
        // Other failures say nothing about the store.
        if (failed || result.is_ok()) && failed == self.is_healthy() {
            self.set_healthy(!failed);
        }
        self.checked(result)
    }

    /// Logs it if the store failed. A store whose disk is full fails as often as
    /// it is asked, so that few are written.
    pub(super) fn checked<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && is_of_the_store(error.kind())
            && let Some(others) = self.failures.now()
        {
            tracing::error!(dbm = %self.dbm.name, %error, others, "a store failed");
        }
        result
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    fn set_healthy(&self, healthy: bool) {
        self.health.send_if_modified(|all| {
            // Under its lock, so that both always say the same.
            self.healthy.store(healthy, Ordering::Relaxed);
            let before = std::mem::replace(&mut all[self.index], healthy);
            before != healthy
        });
    }
}

/// An update of which it is not known whether it was made.
struct Unsure<'a>(&'a Served);

impl Unsure<'_> {
    /// It was.
    fn made(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unsure<'_> {
    fn drop(&mut self) {
        self.0.changed(Changed::Any);
    }
}

/// Whether a failure is the store's and not that of who asks.
pub(super) fn is_of_the_store(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::Unavailable | ErrorKind::Internal)
}
