//! Many operations over one stream, without waiting for each answer.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::{Either, select};
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof;
use hozo_proto::tkrzw_rpc::stream_response::ResponseOneof;
use hozo_proto::tkrzw_rpc::{EchoRequest, StreamResponse};
use hozo_traits::{Desired, Error, ErrorKind, Exchanged, Expected, Outcome, Result};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::queue::{Queue, Requests};
use crate::dbm::{exchanged, found};
use crate::error::{check, outcome};
use crate::{Client, Dbm, ExchangeOptions};

mod queue;

const PATH: &str = "/tkrzw_rpc.DBMService/Stream";

impl Dbm {
    /// Opens a stream of operations. It connects by itself when it has to; what
    /// goes wrong with that is the error of its operations. Must be called
    /// within a runtime of tokio.
    pub fn stream(&self) -> Pipeline {
        let queue = Arc::new(Queue::new(self.client.inner.max_in_flight));
        let driver = tokio::spawn(drive(self.client.clone(), queue.clone()));
        Pipeline { dbm: self.clone(), queue, driver: Some(driver) }
    }
}

/// Operations on one DBM, sent one behind the other over one stream.
///
/// The server does them in the order in which they are given and answers in that
/// order. Each is given by awaiting its method, which takes as long as too many
/// wait for their answers; the [`Answer`] that it gives back is awaited for what
/// the operation came to, now or after giving more. Those named `…_unanswered`
/// have none: what they come to is not learnt, unless the stream breaks.
///
/// An error of the stream is the error of every operation that waits and of
/// every later one. Which of those that waited were done is not known. Nothing
/// is sent again by itself. A stream has no deadline.
///
/// Dropping it ends the stream after what was given; [`finish`](Self::finish)
/// waits for that.
pub struct Pipeline {
    dbm: Dbm,
    queue: Arc<Queue>,
    driver: Option<JoinHandle<Result<()>>>,
}

impl Pipeline {
    /// The DBM that it is about.
    pub fn dbm(&self) -> &Dbm {
        &self.dbm
    }

    /// Sends a text there and back. All that was given before is done when its
    /// answer is there.
    pub async fn echo(&self, message: impl Into<String>) -> Result<Answer<String>> {
        let request = EchoRequest { message: message.into() };
        self.ask(RequestOneof::EchoRequest(request), |answer| match answer {
            ResponseOneof::EchoResponse(answer) => check(answer.status).map(|()| answer.echo),
            _ => Err(other()),
        })
        .await
    }

    /// As [`Dbm::get`].
    pub async fn get(&self, key: impl Into<Bytes>) -> Result<Answer<Option<Bytes>>> {
        let request = RequestOneof::GetRequest(self.dbm.get_request(key.into(), false));
        self.ask(request, |answer| match answer {
            ResponseOneof::GetResponse(answer) => found(answer.status, answer.value),
            _ => Err(other()),
        })
        .await
    }

    /// As [`Dbm::contains`].
    pub async fn contains(&self, key: impl Into<Bytes>) -> Result<Answer<bool>> {
        let request = RequestOneof::GetRequest(self.dbm.get_request(key.into(), true));
        self.ask(request, |answer| match answer {
            ResponseOneof::GetResponse(answer) => Ok(found(answer.status, ())?.is_some()),
            _ => Err(other()),
        })
        .await
    }

    /// As [`Dbm::set`].
    pub async fn set(
        &self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        overwrite: bool,
    ) -> Result<Answer<Outcome>> {
        let request = self.dbm.set_request(key.into(), value.into(), overwrite);
        self.ask(RequestOneof::SetRequest(request), |answer| match answer {
            ResponseOneof::SetResponse(answer) => outcome(answer.status),
            _ => Err(other()),
        })
        .await
    }

    /// As [`Dbm::remove`].
    pub async fn remove(&self, key: impl Into<Bytes>) -> Result<Answer<Outcome>> {
        let request = RequestOneof::RemoveRequest(self.dbm.remove_request(key.into()));
        self.ask(request, |answer| match answer {
            ResponseOneof::RemoveResponse(answer) => outcome(answer.status),
            _ => Err(other()),
        })
        .await
    }

    /// As [`Dbm::append`].
    pub async fn append(
        &self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        delimiter: impl Into<Bytes>,
    ) -> Result<Answer<()>> {
        let request = self.dbm.append_request(key.into(), value.into(), delimiter.into());
        self.ask(RequestOneof::AppendRequest(request), |answer| match answer {
            ResponseOneof::AppendResponse(answer) => check(answer.status),
            _ => Err(other()),
        })
        .await
    }

    /// As [`Dbm::compare_exchange`]; `actual` asks for the value that the record
    /// had. In a stream it neither waits nor wakes.
    pub async fn compare_exchange(
        &self,
        key: impl Into<Bytes>,
        expected: Expected,
        desired: Desired,
        actual: bool,
    ) -> Result<Answer<Exchanged>> {
        let read: Read<Exchanged> = match actual {
            true => |answer| exchange(answer, true),
            false => |answer| exchange(answer, false),
        };
        self.ask(self.exchange_request(key.into(), expected, desired, actual), read).await
    }

    /// As [`Dbm::increment`].
    pub async fn increment(
        &self,
        key: impl Into<Bytes>,
        by: i64,
        initial: i64,
    ) -> Result<Answer<i64>> {
        let request = self.dbm.increment_request(key.into(), by, initial);
        self.ask(RequestOneof::IncrementRequest(request), |answer| match answer {
            ResponseOneof::IncrementResponse(answer) => {
                check(answer.status).map(|()| answer.current)
            }
            _ => Err(other()),
        })
        .await
    }

    /// [`set`](Self::set) without an answer.
    pub async fn set_unanswered(
        &self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        overwrite: bool,
    ) -> Result<()> {
        let request = self.dbm.set_request(key.into(), value.into(), overwrite);
        self.queue.give(RequestOneof::SetRequest(request), None).await
    }

    /// [`remove`](Self::remove) without an answer.
    pub async fn remove_unanswered(&self, key: impl Into<Bytes>) -> Result<()> {
        let request = self.dbm.remove_request(key.into());
        self.queue.give(RequestOneof::RemoveRequest(request), None).await
    }

    /// [`append`](Self::append) without an answer.
    pub async fn append_unanswered(
        &self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        delimiter: impl Into<Bytes>,
    ) -> Result<()> {
        let request = self.dbm.append_request(key.into(), value.into(), delimiter.into());
        self.queue.give(RequestOneof::AppendRequest(request), None).await
    }

    /// [`compare_exchange`](Self::compare_exchange) without an answer.
    pub async fn compare_exchange_unanswered(
        &self,
        key: impl Into<Bytes>,
        expected: Expected,
        desired: Desired,
    ) -> Result<()> {
        let request = self.exchange_request(key.into(), expected, desired, false);
        self.queue.give(request, None).await
    }

    /// [`increment`](Self::increment) without an answer.
    pub async fn increment_unanswered(
        &self,
        key: impl Into<Bytes>,
        by: i64,
        initial: i64,
    ) -> Result<()> {
        let request = self.dbm.increment_request(key.into(), by, initial);
        self.queue.give(RequestOneof::IncrementRequest(request), None).await
    }

    /// Ends the stream and waits until everything given was done, also what has
    /// no answer. Answers that were not awaited yet still can be.
    pub async fn finish(mut self) -> Result<()> {
        self.queue.close();
        let Some(driver) = self.driver.take() else { return Ok(()) };
        driver.await.unwrap_or_else(|gone| {
            Err(Error::new(ErrorKind::Internal, "the stream's task has ended").caused_by(gone))
        })
    }

    fn exchange_request(
        &self,
        key: Bytes,
        expected: Expected,
        desired: Desired,
        actual: bool,
    ) -> RequestOneof {
        let options = ExchangeOptions { actual, ..ExchangeOptions::default() };
        let request = self.dbm.exchange_request(key, expected, desired, options);
        RequestOneof::CompareExchangeRequest(request)
    }

    async fn ask<T>(&self, request: RequestOneof, read: Read<T>) -> Result<Answer<T>> {
        let (waiter, receiver) = oneshot::channel();
        self.queue.give(request, Some(waiter)).await?;
        Ok(Answer { receiver, read })
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("dbm", &self.dbm).finish_non_exhaustive()
    }
}

type Read<T> = fn(ResponseOneof) -> Result<T>;

/// What an operation of a [`Pipeline`] will have come to. Dropping it does not
/// take the operation back.
#[must_use = "an operation whose answer is not awaited may have failed"]
pub struct Answer<T> {
    receiver: oneshot::Receiver<Result<ResponseOneof>>,
    read: Read<T>,
}

impl<T> Future for Answer<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let answer = match Pin::new(&mut self.receiver).poll(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(answer) => answer,
        };
        Poll::Ready(match answer {
            Ok(answer) => answer.and_then(self.read),
            Err(_) => Err(Error::new(ErrorKind::Unavailable, "the stream's task has ended")),
        })
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

fn exchange(answer: ResponseOneof, asked: bool) -> Result<Exchanged> {
    match answer {
        ResponseOneof::CompareExchangeResponse(answer) => exchanged(answer, asked),
        _ => Err(other()),
    }
}

fn other() -> Error {
    let what = "the server answered another operation than the one that is due";
    Error::new(ErrorKind::Internal, what)
}

/// Ends the queue, whatever ends the task.
struct EndWhenDropped(Arc<Queue>);

impl Drop for EndWhenDropped {
    fn drop(&mut self) {
        self.0.end(None);
    }
}

async fn drive(client: Client, queue: Arc<Queue>) -> Result<()> {
    let _end = EndWhenDropped(queue.clone());
    let done = exchange_all(&client, &queue).await;
    let done = done.map_err(|error| error.with("server", &client.inner.address));
    if let Err(error) = &done {
        queue.end(Some(crate::error::again(error)));
    }
    done
}

async fn exchange_all(client: &Client, queue: &Arc<Queue>) -> Result<()> {
    let headers = client.deadline.headers_without();
    let requests = Requests(queue.clone());
    let opened = client.inner.transport.stream(PATH, headers, requests).await;
    let (sending, mut answers) = opened.map_err(|(error, _)| error)?;
    let answering = async {
        while let Some(answer) =
            answers.next::<StreamResponse>().await.map_err(|(error, _)| error)?
        {
            let Some(answer) = answer.response_oneof else {
                return Err(Error::new(ErrorKind::Internal, "the server sent an empty answer"));
            };
            if !queue.answer(answer) {
                let what = "the server sent an answer to nothing";
                return Err(Error::new(ErrorKind::Internal, what));
            }
        }
        Ok(())
    };
    // Sending may end first, the stream not before the answers.
    match select(pin!(answering), pin!(sending)).await {
        Either::Left((done, _)) => done?,
        Either::Right(((), answering)) => answering.await?,
    }
    match queue.is_done() {
        true => Ok(()),
        false => {
            let what = "the server ended the stream before all was answered";
            Err(Error::new(ErrorKind::Unavailable, what))
        }
    }
}
