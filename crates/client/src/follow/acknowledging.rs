//! The requests of a follower: who it is, then what it has.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::task::AtomicWaker;
use hozo_proto::hozo_v1::FollowRequest;

/// The request to send next. One that was not sent yet is replaced: what a
/// follower has says what it had before.
#[derive(Default)]
pub(super) struct Newest {
    request: Mutex<Option<FollowRequest>>,
    sender: AtomicWaker,
}

impl Newest {
    pub(super) fn put(&self, request: FollowRequest) {
        *self.request() = Some(request);
        self.sender.wake();
    }

    fn request(&self) -> MutexGuard<'_, Option<FollowRequest>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The greeting, and then the newest requests, without end.
pub(super) struct Requests {
    pub(super) hello: Option<FollowRequest>,
    pub(super) newest: Arc<Newest>,
}

impl Stream for Requests {
    type Item = FollowRequest;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<FollowRequest>> {
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
