//! Rebuilding from where nobody may block: on a thread of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};

use hozo_traits::{Error, ErrorKind, Result, exec};
use parking_lot::Mutex;

use super::Records;
use super::shards::Shards;
use crate::volume::Volume;

/// The threads that rebuild a DBM, one for each call that is not done.
#[derive(Default)]
pub(super) struct Rebuilding(Mutex<Vec<JoinHandle<()>>>);

impl Rebuilding {
    fn add(&self, thread: JoinHandle<()>) {
        let mut threads = self.0.lock();
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
    }

    /// Ends them: afterwards none has the volume.
    fn end(&self, volume: &Volume<Shards>) {
        let threads = std::mem::take(&mut *self.0.lock());
        if threads.is_empty() {
            return;
        }
        volume.close();
        // Who waits for a rebuild may drop the DBM on its thread, which has let
        // go of the volume then.
        for thread in threads.into_iter().filter(|t| t.thread().id() != thread::current().id()) {
            // If it panicked, it has answered so.
            let _ = thread.join();
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        // In a child there are no such threads.
        if self.volume.core().refuse_in_child().is_ok() {
            self.rebuilding.end(&self.volume);
        }
    }
}

/// What the thread leaves, and who waits for it.
#[derive(Default)]
struct Shared {
    result: Option<Result<()>>,
    waker: Option<Waker>,
}

struct Rebuilt(Arc<Mutex<Shared>>);

impl Future for Rebuilt {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let mut shared = self.0.lock();
        match shared.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Answers for the thread, also if it panics.
struct Answer(Arc<Mutex<Shared>>);

impl Answer {
    fn give(&self, result: Result<()>) {
        let mut shared = self.0.lock();
        shared.result.get_or_insert(result);
        let waker = shared.waker.take();
        drop(shared);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if thread::panicking() {
            self.give(Err(Error::new(ErrorKind::Internal, "the rebuild panicked")));
        }
    }
}

impl Records {
    /// [`rebuild`](Self::rebuild) for any executor.
    pub(super) async fn rebuild_apart(&self) -> Result<()> {
        if exec::may_block() {
            return self.rebuild();
        }
        let shared = Arc::new(Mutex::new(Shared::default()));
        let answer = Answer(Arc::clone(&shared));
        let volume = Arc::clone(&self.volume);
        let rebuild = move || {
            let rebuilt = volume.rebuild();
            drop(volume);
            answer.give(rebuilt);
        };
        let thread = thread::Builder::new().name("hozo-rebuild".into()).spawn(rebuild);
        self.rebuilding.add(thread.map_err(|e| {
            Error::new(ErrorKind::Unavailable, "the rebuild's thread cannot be started")
                .caused_by(e)
        })?);
        Rebuilt(shared).await
    }
}
