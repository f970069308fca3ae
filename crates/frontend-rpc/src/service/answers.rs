//! Answering a stream of requests from one task, without channels.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio_stream::Stream;
use tonic::{Status, Streaming};

use super::stopping::{Stopping, Watch};

/// What a conversation gives back: its answers, in their order.
///
/// The conversation is a future that goes on only when its next answer is asked
/// for. So an answer that needs no waiting is made where it is sent, all that
/// can be answered together goes out together, and a client that does not read
/// is not answered any further.
pub struct Answers<T> {
    /// `None` when it is over.
    conversation: Option<Conversation>,
    out: Out<T>,
}

type Conversation = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

/// Where a conversation puts its answers, one at a time.
pub(super) struct Out<T>(Arc<Mutex<Option<T>>>);

impl<T> Out<T> {
    /// Gives an answer. Returns when the next one is wanted.
    pub(super) async fn give(&self, answer: T) {
        *self.slot() = Some(answer);
        let mut given = false;
        // Whoever polls takes the answer and polls again: nothing to wake.
        poll_fn(
            |_| {
                if std::mem::replace(&mut given, true) { Poll::Ready(()) } else { Poll::Pending }
            },
        )
        .await;
    }

    fn slot(&self) -> MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Answers<T> {
    pub(super) fn new<F>(conversation: impl FnOnce(Out<T>) -> F) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let slot = Arc::new(Mutex::new(None));
        let conversation = conversation(Out(Arc::clone(&slot)));
        Answers { conversation: Some(Box::pin(conversation)), out: Out(slot) }
    }
}

impl<T> Stream for Answers<T> {
    type Item = Result<T, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(conversation) = &mut this.conversation else { return Poll::Ready(None) };
        let polled = conversation.as_mut().poll(context);
        if let Poll::Ready(end) = polled {
            this.conversation = None;
            return Poll::Ready(end.err().map(Err));
        }
        match this.out.slot().take() {
            Some(answer) => Poll::Ready(Some(Ok(answer))),
            None => Poll::Pending,
        }
    }
}

/// The requests of a conversation.
pub(super) struct Requests<T> {
    streaming: Streaming<T>,
    stopping: Watch,
}

/// What there is of them.
pub(super) enum Next<T> {
    /// The next one.
    Request(T),
    /// None just now.
    NotYet,
    /// None any more.
    End,
}

impl<T> Requests<T> {
    pub(super) fn new(streaming: Streaming<T>, stopping: &Stopping) -> Self {
        Requests { streaming, stopping: stopping.watch() }
    }

    /// The next request, or the end, waiting for it. When the server stops, what
    /// has arrived is answered, and then it is an error.
    pub(super) async fn next(&mut self) -> Result<Next<T>, Status> {
        poll_fn(|context| self.poll_next(context)).await
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Next<T>, Status>> {
        match Pin::new(&mut self.streaming).poll_next(context) {
            Poll::Ready(Some(request)) => Poll::Ready(request.map(Next::Request)),
            Poll::Ready(None) => Poll::Ready(Ok(Next::End)),
            Poll::Pending => self.stopping.poll(context).map(|()| Err(stopped())),
        }
    }

    /// Whether the server stops, whatever has arrived.
    pub(super) fn poll_stopping(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.stopping.poll(context)
    }

    /// The next request if it has arrived.
    pub(super) async fn arrived(&mut self) -> Result<Next<T>, Status> {
        poll_fn(|context| {
            Poll::Ready(match Pin::new(&mut self.streaming).poll_next(context) {
                Poll::Ready(Some(request)) => request.map(Next::Request),
                Poll::Ready(None) => Ok(Next::End),
                Poll::Pending => Ok(Next::NotYet),
            })
        })
        .await
    }
}

pub(super) fn stopped() -> Status {
    Status::unavailable("the server is stopping")
}
