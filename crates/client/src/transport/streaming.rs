//! Many requests, many answers.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use h2::SendStream;
use h2::client::ResponseFuture;
use hozo_traits::Error;
use http::HeaderMap;
use prost::Message;

use super::frame::{Incoming, begins, broken, decoded, put};
use super::{Failed, Transport};
use crate::error::Reached;

/// Requests that wait are sent together up to about so many bytes.
const BATCH_BYTES: usize = 32 << 10;

impl Transport {
    /// Opens a stream. What comes back first sends the requests, and must be
    /// polled beside the answers; it ends when the requests do, or the stream.
    pub(crate) async fn stream<Q, S>(
        &self,
        path: &'static str,
        headers: HeaderMap,
        requests: S,
    ) -> Result<(impl Future<Output = ()> + Send + use<Q, S>, Answers), Failed>
    where
        Q: Message,
        S: Stream<Item = Q> + Send + Unpin,
    {
        let mut connection = self.connection().await?;
        let unsent = |error| (broken(&error).0, Reached::Nothing);
        let (response, body) =
            connection.send_request(self.request(path, headers), false).map_err(unsent)?;
        let answers = Answers(State::Before(response, self.message_bytes_max));
        Ok((pump(requests, body), answers))
    }
}

/// The answers on a stream. Dropping it ends the stream.
pub(crate) struct Answers(State);

enum State {
    Before(ResponseFuture, usize),
    Within(Incoming),
    Over,
}

impl Answers {
    /// The next answer; `None` after the server ended the stream well.
    pub(crate) async fn next<A: Message + Default>(&mut self) -> Result<Option<A>, Failed> {
        self.next_checked(|_, _| Ok(())).await
    }

    /// [`next`](Self::next), of a message that is only decoded if `check` has
    /// nothing against its bytes, of which it is also told how many there may
    /// be. May be dropped while it waits: the next one goes on where it was.
    pub(crate) async fn next_checked<A: Message + Default>(
        &mut self,
        check: impl FnOnce(&[u8], usize) -> Result<(), Error>,
    ) -> Result<Option<A>, Failed> {
        let next = self.bytes().await;
        let bytes_max = match &self.0 {
            State::Within(incoming) => incoming.bytes_max(),
            _ => 0,
        };
        let next = match next {
            Ok(Some(bytes)) => {
                let checked = check(&bytes, bytes_max).map_err(|e| (e, Reached::Answered));
                checked.and_then(|()| decoded(bytes)).map(Some)
            }
            other => other.map(|_| None),
        };
        if !matches!(next, Ok(Some(_))) {
            self.0 = State::Over;
        }
        next
    }

    /// How many bytes of answers have arrived, whole answers or not.
    pub(crate) fn arrived(&self) -> u64 {
        match &self.0 {
            State::Within(incoming) => incoming.arrived(),
            State::Before(..) | State::Over => 0,
        }
    }

    async fn bytes(&mut self) -> Result<Option<Bytes>, Failed> {
        if let State::Before(response, bytes_max) = &mut self.0 {
            let bytes_max = *bytes_max;
            let response = response.await.map_err(|error| broken(&error))?;
            if !begins(&response)? {
                return Ok(None);
            }
            self.0 = State::Within(Incoming::new(response.into_body(), bytes_max));
        }
        let State::Within(incoming) = &mut self.0 else { return Ok(None) };
        if let Some(bytes) = incoming.next().await? {
            return Ok(Some(bytes));
        }
        incoming.ended().await.map(|()| None)
    }
}

/// Sends requests as they come, those that wait together in one piece. An error
/// ends it without a word: the answers have it too.
async fn pump<Q, S>(mut requests: S, mut body: SendStream<Bytes>)
where
    Q: Message,
    S: Stream<Item = Q> + Unpin,
{
    let mut buffer = BytesMut::new();
    loop {
        let more = poll_fn(|context| {
            while buffer.len() < BATCH_BYTES {
                match Pin::new(&mut requests).poll_next(context) {
                    Poll::Ready(Some(request)) => put(&request, &mut buffer),
                    Poll::Ready(None) => return Poll::Ready(false),
                    Poll::Pending if buffer.is_empty() => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            Poll::Ready(true)
        });
        let more = more.await;
        let sent = send(&mut body, buffer.split().freeze()).await;
        if sent.is_none() {
            return;
        }
        if !more {
            let _ = body.send_data(Bytes::new(), true);
            return;
        }
    }
}

/// Sends it all, as fast as the server takes it; `None` if the stream is over.
async fn send(body: &mut SendStream<Bytes>, mut data: Bytes) -> Option<()> {
    while !data.is_empty() {
        body.reserve_capacity(data.len());
        while body.capacity() == 0 {
            poll_fn(|context| body.poll_capacity(context)).await?.ok()?;
        }
        let part = data.split_to(body.capacity().min(data.len()));
        body.send_data(part, false).ok()?;
    }
    Some(())
}
