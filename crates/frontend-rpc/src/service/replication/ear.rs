//! Hearing what a follower says while something else is waited for.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, ready};

use hozo_proto::hozo_v1::follow_request::Request;
use hozo_proto::hozo_v1::{FollowRequest, Hello};
use hozo_traits::Position;
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::convert::position;
use super::refusal::refusal;
use crate::service::access::Access;
use crate::service::answers::{Next, Requests, stopped};

/// Acknowledgements that are taken in a row before others have their turn.
const ROW_MAX: usize = 64;

/// Hears one follower.
pub(super) struct Ear {
    requests: Requests<FollowRequest>,
    access: Access,
    /// Whether there may be more to hear.
    open: bool,
    /// Whether it was listened first when something was waited for last.
    was_first: bool,
}

/// What a follower has on stable storage, and the epoch that it knows.
pub(super) struct Acknowledged {
    pub(super) position: Position,
    pub(super) epoch: u64,
}

/// What came first.
pub(super) enum Heard<T> {
    /// What was waited for.
    Done(T),
    /// The follower said so.
    Said(Acknowledged),
    /// Nothing in the time.
    Nothing,
}

impl Ear {
    pub(super) fn new(requests: Requests<FollowRequest>, access: Access) -> Self {
        Ear { requests, access, open: true, was_first: false }
    }

    /// What a follower says first.
    pub(super) async fn hello(&mut self) -> Result<Hello, Status> {
        let next = self.requests.next().await?;
        self.access.holds()?;
        match next {
            Next::Request(FollowRequest { request: Some(Request::Hello(hello)) }) => Ok(hello),
            _ => Err(Status::invalid_argument("what a follower says first is a hello")),
        }
    }

    /// Waits until the future is ready, or the follower says something, or until
    /// `end`. An error if the follower may not go on, or the server does not.
    pub(super) async fn or<T>(
        &mut self,
        end: Instant,
        future: impl Future<Output = T>,
    ) -> Result<Heard<T>, Status> {
        let mut future = pin!(future);
        // In turn, so that neither keeps the other from being looked at.
        self.was_first = !self.was_first;
        let order = [self.was_first, !self.was_first];
        let first = poll_fn(|context| {
            if self.requests.poll_stopping(context).is_ready() {
                return Poll::Ready(Err(stopped()));
            }
            for listens in order {
                let polled = if listens {
                    self.poll_said(context).map_ok(Heard::Said)
                } else {
                    future.as_mut().poll(context).map(|done| Ok(Heard::Done(done)))
                };
                if polled.is_ready() {
                    return polled;
                }
            }
            Poll::Pending
        });
        let heard = timeout_at(end, first).await.unwrap_or(Ok(Heard::Nothing))?;
        self.access.holds()?;
        match heard {
            Heard::Said(said) => Ok(Heard::Said(self.rest_of_row(said).await?)),
            other => Ok(other),
        }
    }

    fn poll_said(&mut self, context: &mut Context<'_>) -> Poll<Result<Acknowledged, Status>> {
        if !self.open {
            return Poll::Pending;
        }
        match ready!(self.requests.poll_next(context))? {
            Next::Request(request) => Poll::Ready(acknowledged(request)),
            Next::NotYet => Poll::Pending,
            Next::End => {
                self.open = false;
                Poll::Pending
            }
        }
    }

    /// The last of those that have arrived: it says all that those before it say.
    async fn rest_of_row(&mut self, mut said: Acknowledged) -> Result<Acknowledged, Status> {
        for _ in 1..ROW_MAX {
            match self.requests.arrived().await? {
                Next::Request(request) => said = acknowledged(request)?,
                Next::NotYet => return Ok(said),
                Next::End => {
                    self.open = false;
                    return Ok(said);
                }
            }
        }
        tokio::task::yield_now().await;
        Ok(said)
    }
}

fn acknowledged(request: FollowRequest) -> Result<Acknowledged, Status> {
    let wrong = Status::invalid_argument;
    match request.request {
        Some(Request::Acknowledge(said)) => {
            let at = said.position.ok_or_else(|| wrong("an acknowledgement says up to where"))?;
            let position = position(at).map_err(|error| refusal(&error))?;
            Ok(Acknowledged { position, epoch: said.epoch })
        }
        Some(Request::Hello(_)) => Err(wrong("a hello is said once, and first")),
        None => Err(wrong("a follower says hello, and what it has")),
    }
}
