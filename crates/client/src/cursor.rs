//! Going through the records of a DBM step by step.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use hozo_proto::tkrzw_rpc::iterate_request::OpType;
use hozo_proto::tkrzw_rpc::{IterateRequest, IterateResponse};
use hozo_traits::{Error, ErrorKind, Outcome, Result};
use tokio::sync::mpsc;

use crate::dbm::found;
use crate::error::{again, late, outcome};
use crate::transport::Answers;
use crate::{Client, Dbm};

const PATH: &str = "/tkrzw_rpc.DBMService/Iterate";

impl Dbm {
    /// A cursor, which is nowhere yet. Nothing is sent before its first
    /// operation.
    pub fn iterate(&self) -> Cursor {
        Cursor { dbm: self.clone(), state: State::Idle }
    }
}

/// A place in a DBM, kept by the server for as long as the cursor's stream.
///
/// Operations wait for their answers, one after another, each for as long as a
/// call may take. A cursor whose stream broke, or one whose operation was
/// dropped before it was answered, has lost its place: every further operation
/// is an error, and it takes a new cursor to go on.
///
/// DBMs without an order have no last, previous, lower and upper record:
/// [`Unsupported`](ErrorKind::Unsupported). To read many records,
/// [`Dbm::scan`] is faster.
pub struct Cursor {
    dbm: Dbm,
    state: State,
}

enum State {
    Idle,
    Open(Box<Steps>),
    Lost(Error),
}

impl Cursor {
    /// The DBM that it goes through.
    pub fn dbm(&self) -> &Dbm {
        &self.dbm
    }

    /// Goes to the first record. With no record there, it is nowhere.
    pub async fn first(&mut self) -> Result<Outcome> {
        self.go(OpType::OpFirst, Bytes::new(), false).await
    }

    /// Goes to the last record.
    pub async fn last(&mut self) -> Result<Outcome> {
        self.go(OpType::OpLast, Bytes::new(), false).await
    }

    /// Goes to the record of this key, or, in an ordered DBM, to the first above
    /// it; [`Outcome::Missing`] if there is none.
    pub async fn jump(&mut self, key: impl Into<Bytes>) -> Result<Outcome> {
        self.go(OpType::OpJump, key.into(), false).await
    }

    /// Goes to the last record below this key; with `inclusive`, that of the key
    /// itself if there is one.
    pub async fn jump_lower(&mut self, key: impl Into<Bytes>, inclusive: bool) -> Result<Outcome> {
        self.go(OpType::OpJumpLower, key.into(), inclusive).await
    }

    /// Goes to the first record above this key; with `inclusive`, that of the
    /// key itself if there is one.
    pub async fn jump_upper(&mut self, key: impl Into<Bytes>, inclusive: bool) -> Result<Outcome> {
        self.go(OpType::OpJumpUpper, key.into(), inclusive).await
    }

    /// Goes to the next record. Behind the last one it is nowhere, and only the
    /// operation after that says so.
    pub async fn next(&mut self) -> Result<Outcome> {
        self.go(OpType::OpNext, Bytes::new(), false).await
    }

    /// Goes to the previous record.
    pub async fn previous(&mut self) -> Result<Outcome> {
        self.go(OpType::OpPrevious, Bytes::new(), false).await
    }

    /// The record here; `None` if it is nowhere.
    pub async fn get(&mut self) -> Result<Option<(Bytes, Bytes)>> {
        self.read(OpType::OpGet, false, false).await
    }

    /// The key here, without the value being sent.
    pub async fn key(&mut self) -> Result<Option<Bytes>> {
        Ok(self.read(OpType::OpGet, false, true).await?.map(|(key, _)| key))
    }

    /// The value here, without the key being sent.
    pub async fn value(&mut self) -> Result<Option<Bytes>> {
        Ok(self.read(OpType::OpGet, true, false).await?.map(|(_, value)| value))
    }

    /// Sets the value of the record here.
    pub async fn set(&mut self, value: impl Into<Bytes>) -> Result<Outcome> {
        let mut request = self.dbm.step(OpType::OpSet);
        request.value = value.into();
        outcome(self.ask(request).await?.status)
    }

    /// Removes the record here and goes to the next.
    pub async fn remove(&mut self) -> Result<Outcome> {
        self.go(OpType::OpRemove, Bytes::new(), false).await
    }

    /// The record here, and goes to the next.
    pub async fn step(&mut self) -> Result<Option<(Bytes, Bytes)>> {
        self.read(OpType::OpStep, false, false).await
    }

    async fn go(&mut self, operation: OpType, key: Bytes, inclusive: bool) -> Result<Outcome> {
        let step = self.dbm.step(operation);
        let request = IterateRequest { key, jump_inclusive: inclusive, ..step };
        outcome(self.ask(request).await?.status)
    }

    async fn read(
        &mut self,
        operation: OpType,
        omit_key: bool,
        omit_value: bool,
    ) -> Result<Option<(Bytes, Bytes)>> {
        let request = IterateRequest { omit_key, omit_value, ..self.dbm.step(operation) };
        let answer = self.ask(request).await?;
        found(answer.status, (answer.key, answer.value))
    }

    async fn ask(&mut self, request: IterateRequest) -> Result<IterateResponse> {
        // What is found here if this future is dropped before it is ready.
        let dropped = Error::new(
            ErrorKind::Invalid,
            "an operation of this cursor was dropped before it was answered: take a new cursor",
        );
        let done = match mem::replace(&mut self.state, State::Lost(dropped)) {
            State::Idle => match Steps::open(&self.dbm.client, 1, [request]).await {
                Ok(mut steps) => steps.answer().await.map(|answer| (steps, answer)),
                Err(error) => Err(error),
            },
            State::Open(mut steps) => match steps.send(request) {
                Ok(()) => steps.answer().await.map(|answer| (steps, answer)),
                Err(error) => Err(error),
            },
            State::Lost(error) => Err(error),
        };
        match done {
            Ok((steps, answer)) => {
                self.state = State::Open(steps);
                Ok(answer)
            }
            Err(error) => {
                self.state = State::Lost(again(&error));
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor").field("dbm", &self.dbm).finish_non_exhaustive()
    }
}

impl Dbm {
    pub(crate) fn step(&self, operation: OpType) -> IterateRequest {
        IterateRequest {
            dbm_index: self.index,
            operation: operation.into(),
            ..IterateRequest::default()
        }
    }
}

/// An open stream of steps, each of which is answered once.
pub(crate) struct Steps {
    client: Client,
    requests: mpsc::Sender<IterateRequest>,
    answers: Answers,
}

impl Steps {
    /// Opens a stream that begins with `first`, and has room for `room` requests
    /// at once.
    pub(crate) async fn open(
        client: &Client,
        room: usize,
        first: impl IntoIterator<Item = IterateRequest>,
    ) -> Result<Box<Steps>> {
        let (requests, taken) = mpsc::channel(room);
        for request in first {
            requests.try_send(request).map_err(|_| full())?;
        }
        let headers = client.deadline.headers_without();
        let opening = client.inner.transport.stream(PATH, headers, Taken(taken));
        let error = match tokio::time::timeout(client.deadline.within, opening).await {
            Ok(Ok((sending, answers))) => {
                // Ends when the sender of requests is dropped, or the stream.
                tokio::spawn(sending);
                return Ok(Box::new(Steps { client: client.clone(), requests, answers }));
            }
            Ok(Err((error, _))) => error,
            Err(_) => late(),
        };
        Err(error.with("server", &client.inner.address))
    }

    /// Sends a request, for which there must be room.
    pub(crate) fn send(&mut self, request: IterateRequest) -> Result<()> {
        match self.requests.try_send(request) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(full()),
            // The connection gave the requests up; the answers say why.
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Result<IterateResponse> {
        let next = tokio::time::timeout(self.client.deadline.within, self.answers.next());
        let error = match next.await {
            Ok(Ok(Some(answer))) => return Ok(answer),
            Ok(Ok(None)) => Error::new(ErrorKind::Unavailable, "the server has ended the stream"),
            Ok(Err((error, _))) => error,
            Err(_) => late(),
        };
        Err(error.with("server", &self.client.inner.address))
    }
}

fn full() -> Error {
    Error::new(ErrorKind::Internal, "more steps were sent than there is room for")
}

struct Taken(mpsc::Receiver<IterateRequest>);

impl Stream for Taken {
    type Item = IterateRequest;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<IterateRequest>> {
        self.0.poll_recv(context)
    }
}
