//! One unary call: its deadline, and when it is tried again.

use std::sync::Arc;
use std::time::Duration;

use hozo_proto::tkrzw_rpc::EchoRequest;
use hozo_traits::{Ambient, Result};
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use crate::Client;
use crate::error::{Reached, check, late};
use crate::rpcs::Unary;
use crate::transport::framed;

#[cfg(test)]
mod tests;

/// The first wait before trying again is up to this long; each further one up to
/// twice as long.
const BACKOFF: Duration = Duration::from_millis(50);
/// No wait is longer than this.
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// What a gRPC deadline is at most; more than its eight digits would not fit.
const DEADLINE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

const TIMEOUT: &str = "grpc-timeout";

/// How long calls may take, with all headers that a call has.
#[derive(Clone)]
pub(crate) struct Deadline {
    pub(crate) within: Duration,
    headers: Arc<HeaderMap>,
}

impl Deadline {
    pub(crate) fn new(within: Duration, token: Option<&HeaderValue>) -> Deadline {
        let within = within.min(DEADLINE_MAX);
        let agent = concat!("hozo-client/", env!("CARGO_PKG_VERSION"));
        let mut headers = HeaderMap::with_capacity(5);
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("user-agent", HeaderValue::from_static(agent));
        headers.insert(TIMEOUT, timeout_header(within));
        if let Some(token) = token {
            headers.insert("authorization", token.clone());
        }
        Deadline { within, headers: Arc::new(headers) }
    }

    /// The same with another time.
    pub(crate) fn changed(&self, within: Duration) -> Deadline {
        let within = within.min(DEADLINE_MAX);
        Deadline { within, headers: Arc::new(self.with_timeout(within)) }
    }

    /// This and so much more, for a call that is to wait.
    pub(crate) fn longer(&self, wait: Option<Duration>) -> Option<Deadline> {
        wait.filter(|wait| !wait.is_zero())
            .map(|wait| self.changed(self.within.saturating_add(wait)))
    }

    fn with_timeout(&self, within: Duration) -> HeaderMap {
        let mut headers = HeaderMap::clone(&self.headers);
        headers.insert(TIMEOUT, timeout_header(within));
        headers
    }

    /// The headers of a stream, which may last.
    pub(crate) fn headers_without(&self) -> HeaderMap {
        let mut headers = HeaderMap::clone(&self.headers);
        headers.remove(TIMEOUT);
        headers
    }
}

/// `grpc-timeout`: at most eight digits and a unit. Rounded down, and never 0,
/// which some servers take for none.
fn timeout_header(within: Duration) -> HeaderValue {
    let (number, unit) = match within.as_micros() {
        micros @ 0..=99_999_999 => (micros.max(1), 'u'),
        micros @ 100_000_000..=99_999_999_999 => (micros / 1_000, 'm'),
        micros => ((micros / 1_000_000).min(99_999_999), 'S'),
    };
    let text = format!("{number}{unit}");
    text.parse().expect("digits and a letter are a header's value")
}

impl Client {
    /// Calls, and answers what came; the status in it is still to be looked at.
    pub(crate) async fn call<Q: Unary>(&self, request: Q) -> Result<Q::Answer> {
        self.call_within(request, &self.deadline).await
    }

    /// [`call`](Self::call) with a deadline of its own.
    pub(crate) async fn call_within<Q: Unary>(
        &self,
        request: Q,
        deadline: &Deadline,
    ) -> Result<Q::Answer> {
        let until = Instant::now() + deadline.within;
        let answer =
            match tokio::time::timeout_at(until, self.tries(request, deadline, until)).await {
                Ok(answer) => answer,
                Err(_) => Err(late()),
            };
        answer.map_err(|error| error.with("server", &self.inner.address))
    }

    async fn tries<Q: Unary>(
        &self,
        request: Q,
        deadline: &Deadline,
        until: Instant,
    ) -> Result<Q::Answer> {
        let (message, repeatable) = (framed(&request), request.repeatable());
        drop(request);
        let mut headers = HeaderMap::clone(&deadline.headers);
        let mut tried = 0;
        loop {
            let attempt = self.inner.transport.unary(Q::PATH, headers, message.clone());
            let (error, reached) = match attempt.await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let again = match reached {
                Reached::Nothing => true,
                Reached::Unavailable => repeatable,
                Reached::Answered => false,
            };
            if !again || tried == self.inner.retries {
                return Err(error);
            }
            let wait = backoff(tried, self.inner.ambient.as_ref());
            if Instant::now() + wait >= until {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            tried += 1;
            headers = deadline.with_timeout(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Makes sure that there is a server that speaks gRPC.
    pub(crate) async fn reach(&self) -> Result<()> {
        check(self.call(EchoRequest::default()).await?.status)
    }
}

/// Between half of a bound that doubles with each try, and all of it.
fn backoff(tried: u32, ambient: &dyn Ambient) -> Duration {
    let bound = BACKOFF.saturating_mul(1 << tried.min(16)).min(BACKOFF_MAX);
    let mut random = [0; 4];
    ambient.fill_random(&mut random);
    let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    bound.div_f64(2.0).mul_f64(1.0 + share)
}
