//! Work that may take long: on threads of its own, so many at once, and given
//! up when nobody waits for it any more.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hozo_traits::{Error, ErrorKind, Result, exec};
use tokio::time::Instant;
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

    /// An error if the work is not wanted any more, or if it goes on after `end`.
    pub(super) fn until(&self, end: Instant) -> Result<()> {
        if self.is_over() {
            return Err(Error::new(ErrorKind::TimedOut, "nobody waits for the answer any more"));
        }
        if Instant::now() >= end {
            return Err(Error::new(
                ErrorKind::TimedOut,
                "the search took too long: ask for fewer keys, or a simpler pattern",
            ));
        }
        Ok(())
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
