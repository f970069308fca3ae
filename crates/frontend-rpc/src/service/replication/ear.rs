//! Hearing what a follower says while something else is waited for.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, ready};

use hozo_proto::hozo_v1::{FollowPagesRequest, FollowRequest, Hello, PagesHello};
use hozo_proto::hozo_v1::{follow_pages_request, follow_request};
use hozo_traits::{Position, Version};
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::convert::{position, version};
use super::refusal::refusal;
use crate::service::access::Access;
use crate::service::answers::{Next, Requests, stopped};

/// Acknowledgements that are taken in a row before others have their turn.
const ROW_MAX: usize = 64;

/// What a follower says: first who it is, then what it has.
pub(super) trait Said: Sized {
    /// Who it is.
    type Hello;
    /// What it has on stable storage.
    type Has: Send;

    /// Its hello, if it is one.
    fn hello(self) -> Option<Self::Hello>;

    /// What it has; an error if it says something else.
    fn has(self) -> Result<Self::Has, Status>;
}

/// Hears one follower.
pub(super) struct Ear<Q: Said> {
    requests: Requests<Q>,
    access: Access,
    /// Whether there may be more to hear.
    open: bool,
    /// Whether it was listened first when something was waited for last.
    was_first: bool,
}

/// What a follower has on stable storage, and the epoch that it knows.
pub(super) struct Acknowledged<P = Position> {
    pub(super) position: P,
    pub(super) epoch: u64,
}

/// What came first.
pub(super) enum Heard<T, H> {
    /// What was waited for.
    Done(T),
    /// The follower said so.
    Said(H),
    /// Nothing in the time.
    Nothing,
}

impl<Q: Said> Ear<Q> {
    pub(super) fn new(requests: Requests<Q>, access: Access) -> Self {
        Ear { requests, access, open: true, was_first: false }
    }

    /// What a follower says first.
    pub(super) async fn hello(&mut self) -> Result<Q::Hello, Status> {
        let next = self.requests.next().await?;
        self.access.holds()?;
        let hello = match next {
            Next::Request(request) => request.hello(),
            _ => None,
        };
        hello.ok_or_else(|| Status::invalid_argument("what a follower says first is a hello"))
    }

    /// Waits until the future is ready, or the follower says something, or until
    /// `end`. An error if the follower may not go on, or the server does not.
    pub(super) async fn or<T>(
        &mut self,
        end: Instant,
        future: impl Future<Output = T>,
    ) -> Result<Heard<T, Q::Has>, Status> {
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

    fn poll_said(&mut self, context: &mut Context<'_>) -> Poll<Result<Q::Has, Status>> {
        if !self.open {
            return Poll::Pending;
        }
        match ready!(self.requests.poll_next(context))? {
            Next::Request(request) => Poll::Ready(request.has()),
            Next::NotYet => Poll::Pending,
            Next::End => {
                self.open = false;
                Poll::Pending
            }
        }
    }

    /// The last of those that have arrived: it says all that those before it say.
    async fn rest_of_row(&mut self, mut said: Q::Has) -> Result<Q::Has, Status> {
        for _ in 1..ROW_MAX {
            match self.requests.arrived().await? {
                Next::Request(request) => said = request.has()?,
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

const HELLO_AGAIN: &str = "a hello is said once, and first";
const WHAT_IS_SAID: &str = "a follower says hello, and what it has";

impl Said for FollowRequest {
    type Hello = Hello;
    type Has = Acknowledged;

    fn hello(self) -> Option<Hello> {
        match self.request {
            Some(follow_request::Request::Hello(hello)) => Some(hello),
            _ => None,
        }
    }

    fn has(self) -> Result<Acknowledged, Status> {
        use follow_request::Request;
        let wrong = Status::invalid_argument;
        match self.request {
            Some(Request::Acknowledge(said)) => {
                let at = said.position;
                let at = at.ok_or_else(|| wrong("an acknowledgement says up to where"))?;
                let position = position(at).map_err(|error| refusal(&error))?;
                Ok(Acknowledged { position, epoch: said.epoch })
            }
            Some(Request::Hello(_)) => Err(wrong(HELLO_AGAIN)),
            None => Err(wrong(WHAT_IS_SAID)),
        }
    }
}

impl Said for FollowPagesRequest {
    type Hello = PagesHello;
    type Has = Acknowledged<Version>;

    fn hello(self) -> Option<PagesHello> {
        match self.request {
            Some(follow_pages_request::Request::Hello(hello)) => Some(hello),
            _ => None,
        }
    }

    fn has(self) -> Result<Acknowledged<Version>, Status> {
        use follow_pages_request::Request;
        match self.request {
            Some(Request::Acknowledge(said)) => {
                let position = version(&said.version).map_err(|error| refusal(&error))?;
                Ok(Acknowledged { position, epoch: said.epoch })
            }
            Some(Request::Hello(_)) => Err(Status::invalid_argument(HELLO_AGAIN)),
            None => Err(Status::invalid_argument(WHAT_IS_SAID)),
        }
    }
}
