//! Work that may take long: on threads of its own, so many at once, and given
//! up when nobody waits for it any more.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hozo_traits::{
    Change, Durability, Effect, Error, ErrorKind, KvCapabilities, KvPart, KvScan, KvSizes, KvStore,
    Result, Selection, exec,
};
use tonic::Status;

use super::Inner;

/// How often work that waits for something looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// Whether work is still wanted. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Wanted(Arc<AtomicBool>);

impl Wanted {
    fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Says, when it is dropped, that work is not wanted any more.
struct Whom(Wanted);

impl Drop for Whom {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Inner {
    /// Does `work` on a thread that may block. When this future is dropped, the
    /// work ends where it next waits or looks at [`Wanted`].
    pub(super) async fn long<T, W, F>(&self, work: W) -> Result<Result<T>, Status>
    where
        T: Send + 'static,
        W: FnOnce(Wanted) -> F + Send + 'static,
        F: Future<Output = Result<T>>,
    {
        let turn = Arc::clone(&self.long).acquire_owned().await;
        let turn =
            turn.map_err(|_| Status::internal("turns for long work are never taken away"))?;
        let wanted = Wanted::default();
        let whom = Whom(wanted.clone());
        let working = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            exec::block_on_while(work(wanted.clone()), LOOK, || !wanted.is_over())
        });
        let done = working.await;
        drop(whom);
        match done {
            Ok(Some(result)) => Ok(result),
            Ok(None) => Err(Status::cancelled("cancelled")),
            Err(error) => {
                tracing::error!(%error, "long work ended by a defect");
                Ok(Err(Error::new(ErrorKind::Internal, "a defect ended the work")))
            }
        }
    }
}

/// A DBM whose scans end when they are not wanted any more.
pub(super) struct WhileWanted {
    pub(super) records: Arc<dyn KvStore>,
    pub(super) wanted: Wanted,
}

#[tonic::async_trait]
impl KvStore for WhileWanted {
    fn capabilities(&self) -> KvCapabilities {
        self.records.capabilities()
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        self.records.get_many(keys).await
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        self.records.update(selection, durability, change).await
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        if self.wanted.is_over() {
            return Err(Error::new(ErrorKind::TimedOut, "nobody waits for the answer any more"));
        }
        self.records.scan(scan).await
    }

    async fn count(&self) -> Result<u64> {
        self.records.count().await
    }

    async fn sizes(&self) -> Result<KvSizes> {
        self.records.sizes().await
    }

    async fn synchronise(&self) -> Result<()> {
        self.records.synchronise().await
    }

    async fn rebuild(&self) -> Result<()> {
        self.records.rebuild().await
    }
}
