//! What waits to be sent, and who waits for an answer.
//!
//! One lock guards both, so that an answer finds the request that it belongs to
//! by order alone, and an end of the stream finds everybody who waits.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use hozo_proto::tkrzw_rpc::StreamRequest;
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof;
use hozo_proto::tkrzw_rpc::stream_response::ResponseOneof;
use hozo_traits::{Error, ErrorKind, Result};
use tokio::sync::{Semaphore, oneshot};

use crate::error::again;

pub(super) type Waiter = oneshot::Sender<Result<ResponseOneof>>;

struct Item {
    request: RequestOneof,
    waiter: Option<Waiter>,
}

#[derive(Default)]
struct State {
    /// Given, but not yet taken by the connection.
    unsent: VecDeque<Item>,
    /// Those whose requests were taken, in the order of their answers.
    waiting: VecDeque<Waiter>,
    /// Wakes the connection when there is more to send.
    sender: Option<Waker>,
    /// Nothing more will be given.
    closed: bool,
    /// Nothing more will be sent or answered.
    ended: Option<Error>,
}

/// The queue of one stream.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Places for requests: one with an answer has its place until that is
    /// there, one without until it is taken.
    places: Semaphore,
}

impl Queue {
    pub(super) fn new(places: usize) -> Queue {
        let places = Semaphore::new(places.min(Semaphore::MAX_PERMITS));
        Queue { state: Mutex::default(), places }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under the lock is whole, so a panic elsewhere leaves
        // nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place and puts a request there.
    pub(super) async fn give(&self, request: RequestOneof, waiter: Option<Waiter>) -> Result<()> {
        let place = self.places.acquire().await;
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            return Err(again(ended));
        }
        // Only an end closes the places.
        if let Ok(place) = place {
            place.forget();
        }
        state.unsent.push_back(Item { request, waiter });
        let sender = state.sender.take();
        drop(state);
        if let Some(sender) = sender {
            sender.wake();
        }
        Ok(())
    }

    /// An answer came; false if nobody waits for one.
    pub(super) fn answer(&self, answer: ResponseOneof) -> bool {
        let Some(waiter) = self.state().waiting.pop_front() else { return false };
        self.places.add_permits(1);
        // Whoever asked may have lost interest.
        let _ = waiter.send(Ok(answer));
        true
    }

    /// Whether all was given, sent and answered.
    pub(super) fn is_done(&self) -> bool {
        let state = self.state();
        state.closed && state.unsent.is_empty() && state.waiting.is_empty()
    }

    /// Nothing more will be given.
    pub(super) fn close(&self) {
        let sender = {
            let mut state = self.state();
            state.closed = true;
            state.sender.take()
        };
        if let Some(sender) = sender {
            sender.wake();
        }
    }

    /// The stream is over; everybody who waits learns why. An error of `None`
    /// is an end that the server made in order.
    pub(super) fn end(&self, error: Option<Error>) {
        let (unsent, waiting, ended) = {
            let mut state = self.state();
            if state.ended.is_some() {
                return;
            }
            let ended =
                error.unwrap_or_else(|| Error::new(ErrorKind::Unavailable, "the stream has ended"));
            state.ended = Some(again(&ended));
            (std::mem::take(&mut state.unsent), std::mem::take(&mut state.waiting), ended)
        };
        self.places.close();
        let unsent = unsent.into_iter().filter_map(|item| item.waiter);
        for waiter in waiting.into_iter().chain(unsent) {
            let _ = waiter.send(Err(again(&ended)));
        }
    }
}

/// The requests as the connection takes them.
pub(super) struct Requests(pub(super) Arc<Queue>);

impl Stream for Requests {
    type Item = StreamRequest;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<StreamRequest>> {
        let queue = &self.0;
        let mut state = queue.state();
        let Some(Item { request, waiter }) = state.unsent.pop_front() else {
            if state.closed || state.ended.is_some() {
                return Poll::Ready(None);
            }
            match &mut state.sender {
                Some(sender) => sender.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            return Poll::Pending;
        };
        let omit_response = waiter.is_none();
        match waiter {
            Some(waiter) => state.waiting.push_back(waiter),
            None => queue.places.add_permits(1),
        }
        Poll::Ready(Some(StreamRequest { request_oneof: Some(request), omit_response }))
    }
}
