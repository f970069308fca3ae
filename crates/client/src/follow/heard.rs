//! A stream on which something is expected to come all the time.

use std::time::Duration;

use futures_core::Stream;
use hozo_traits::{Error, ErrorKind, Result};
use prost::Message;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::Client;
use crate::error::{again, late};
use crate::transport::Answers;

/// A server from which nothing came for so long, not even that it has nothing,
/// is not there any more.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(10);

/// An open stream of answers. Dropping it ends the stream.
pub(super) struct Heard {
    client: Client,
    answers: Answers,
    sending: AbortHandle,
    /// How its errors are to be understood.
    meaning: fn(Error) -> Error,
    /// Since when somebody waits and nothing comes.
    silent_since: Option<Instant>,
    /// The bytes that had arrived then.
    arrived: u64,
    /// The error with which it ended.
    ended: Option<Error>,
}

impl Heard {
    /// Opens a stream of these requests.
    pub(super) async fn open<Q, S>(
        client: &Client,
        path: &'static str,
        requests: S,
        meaning: fn(Error) -> Error,
    ) -> Result<Heard>
    where
        Q: Message + 'static,
        S: Stream<Item = Q> + Send + Unpin + 'static,
    {
        let headers = client.deadline.headers_without();
        let opening = client.inner.transport.stream(path, headers, requests);
        let error = match timeout(client.deadline.within, opening).await {
            Ok(Ok((sending, answers))) => {
                let sending = tokio::spawn(sending).abort_handle();
                let client = client.clone();
                let (silent_since, arrived, ended) = (None, 0, None);
                return Ok(Heard {
                    client,
                    answers,
                    sending,
                    meaning,
                    silent_since,
                    arrived,
                    ended,
                });
            }
            Ok(Err((error, _))) => error,
            Err(_) => late(),
        };
        Err(meaning(error).with("server", &client.inner.address))
    }

    /// The first answer, for which there is as much time as for a call.
    pub(super) async fn first<A: Message + Default>(
        &mut self,
        check: impl Fn(&[u8], usize) -> Result<()>,
    ) -> Result<A> {
        let within = self.client.deadline.within;
        match timeout(within, self.answers.next_checked(check)).await {
            Ok(next) => self.taken(next.map_err(|(error, _)| error)),
            Err(_) => self.taken(Err(late())),
        }
    }

    /// The next answer. An end is an error, as is a silence of `patience`: of
    /// bytes, so that a large answer may take its time. May be dropped while it
    /// waits.
    pub(super) async fn next<A: Message + Default>(
        &mut self,
        check: impl Fn(&[u8], usize) -> Result<()>,
        patience: Duration,
    ) -> Result<A> {
        if let Some(error) = &self.ended {
            return Err(again(error));
        }
        loop {
            let until = *self.silent_since.get_or_insert_with(Instant::now) + patience;
            match timeout_at(until, self.answers.next_checked(&check)).await {
                Ok(next) => return self.taken(next.map_err(|(error, _)| error)),
                Err(_) if self.answers.arrived() != self.arrived => {
                    self.arrived = self.answers.arrived();
                    self.silent_since = None;
                }
                Err(_) => {
                    let what = "nothing came from the server for too long: it, or the way to it, \
                                is gone";
                    let error = Error::new(ErrorKind::Unavailable, what);
                    return self.taken(Err(error.with("seconds", patience.as_secs())));
                }
            }
        }
    }

    fn taken<A>(&mut self, next: Result<Option<A>>) -> Result<A> {
        let error = match next {
            Ok(Some(answer)) => {
                self.silent_since = None;
                self.arrived = self.answers.arrived();
                return Ok(answer);
            }
            Ok(None) => Error::new(ErrorKind::Unavailable, "the server has ended the stream"),
            Err(error) => (self.meaning)(error),
        };
        Err(self.ends(error))
    }

    /// From now on it is over, with this error, which it answers with where it
    /// came from.
    pub(super) fn ends(&mut self, error: Error) -> Error {
        let error = error.with("server", &self.client.inner.address);
        self.ended = Some(again(&error));
        self.sending.abort();
        error
    }

    /// An error if it is over.
    pub(super) fn check(&self) -> Result<()> {
        match &self.ended {
            Some(error) => Err(again(error)),
            None => Ok(()),
        }
    }
}

impl Drop for Heard {
    /// What still sends would wait for a server that takes nothing.
    fn drop(&mut self) {
        self.sending.abort();
    }
}
