//! The requests of a follower: who it is, then what it has.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::task::AtomicWaker;
/// The request to send next. One that was not sent yet is replaced: what a
/// follower has says what it had before.
pub(super) struct Newest<Q> {
    request: Mutex<Option<Q>>,
    sender: AtomicWaker,
}

impl<Q> Default for Newest<Q> {
    fn default() -> Self {
        Newest { request: Mutex::new(None), sender: AtomicWaker::new() }
    }
}

impl<Q> Newest<Q> {
    pub(super) fn put(&self, request: Q) {
        *self.request() = Some(request);
        self.sender.wake();
    }

    fn request(&self) -> MutexGuard<'_, Option<Q>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The greeting, and then the newest requests, without end.
pub(super) struct Requests<Q> {
    pub(super) hello: Option<Q>,
    pub(super) newest: Arc<Newest<Q>>,
}

// Nothing in it is pinned.
impl<Q> Unpin for Requests<Q> {}

impl<Q> Stream for Requests<Q> {
    type Item = Q;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Q>> {
        if let Some(hello) = self.hello.take() {
            return Poll::Ready(Some(hello));
        }
        // Before it is looked: what is put after that wakes this.
        self.newest.sender.register(context.waker());
        match self.newest.request().take() {
            Some(request) => Poll::Ready(Some(request)),
            None => Poll::Pending,
        }
    }
}
