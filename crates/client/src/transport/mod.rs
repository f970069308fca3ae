//! The way to the server: one HTTP/2 connection, made when it is needed and
//! again after it ended.
//!
//! This is h2 without a general client around it: who calls hands a request to
//! the connection directly, with no task or channel in between, and what failed
//! says whether the server can have seen the request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use h2::client::SendRequest;
use hozo_traits::{Error, ErrorKind, Result, Retry};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri, Version};
use tokio::io::{AsyncRead, AsyncWrite};

use self::connect::{Target, open, serve};
use crate::Builder;
use crate::address::Address;
use crate::error::{Reached, again};

mod connect;
mod frame;
mod streaming;
mod tls;
mod unary;

pub(crate) use self::frame::{framed, nonsense, too_large};
pub(crate) use self::streaming::Answers;

/// What went wrong, and how far it came.
pub(crate) type Failed = (Error, Reached);

/// A connection that is being made, or is there. All who need it wait for one.
type Connecting = Shared<BoxFuture<'static, Result<SendRequest<Bytes>, Arc<Failed>>>>;

/// A way to one server.
pub(crate) struct Transport {
    target: Arc<Target>,
    scheme: Scheme,
    authority: Authority,
    message_bytes_max: usize,
    current: Mutex<Current>,
}

/// The newest connection, and how many were begun.
#[derive(Default)]
struct Current {
    number: u64,
    connecting: Option<Connecting>,
}

impl Transport {
    /// A way to this address, on which nothing is sent yet.
    pub(crate) fn new(address: &Address, builder: &Builder) -> Result<Transport> {
        let (target, scheme, authority) = connect::target(address, builder)?;
        Ok(Transport {
            target: Arc::new(target),
            scheme,
            authority,
            message_bytes_max: builder.max_message_bytes,
            current: Mutex::default(),
        })
    }

    /// A way over this connection alone.
    pub(crate) fn over<S>(io: S, builder: &Builder) -> Transport
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let keep_alive = builder.keep_alive;
        let connecting = tokio::spawn(async move { serve(io, keep_alive).await });
        Transport {
            target: Arc::new(Target::nowhere()),
            scheme: Scheme::HTTP,
            authority: Authority::from_static("localhost"),
            message_bytes_max: builder.max_message_bytes,
            current: Mutex::new(Current { number: 0, connecting: Some(shared(connecting)) }),
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that was alive a moment ago. One that had ended already is
    /// replaced, once: a server that takes connections only to drop them is not
    /// there.
    async fn connection(&self) -> Result<SendRequest<Bytes>, Failed> {
        for _ in 0..2 {
            let (number, connecting) = self.connecting();
            let connected = match connecting.peek() {
                Some(connected) => connected.clone(),
                None => connecting.await,
            };
            let failed = match connected {
                Err(_) if self.target.is_nowhere() => return Err(no_other()),
                Err(failed) => (again(&failed.0), failed.1),
                Ok(connection) => match connection.ready().await {
                    Ok(connection) => return Ok(connection),
                    Err(_) if self.target.is_nowhere() => return Err(no_other()),
                    Err(_) => {
                        self.forget(number);
                        continue;
                    }
                },
            };
            self.forget(number);
            return Err(failed);
        }
        let what = "the server drops every connection at once";
        Err((Error::new(ErrorKind::Unavailable, what), Reached::Nothing))
    }

    /// The connection that there is, or a new one begun.
    fn connecting(&self) -> (u64, Connecting) {
        let mut current = self.current();
        if let Some(connecting) = &current.connecting {
            return (current.number, connecting.clone());
        }
        let target = self.target.clone();
        // A task of its own: whoever waits may be dropped while others wait on.
        let connecting = shared(tokio::spawn(async move { open(&target).await }));
        current.number += 1;
        current.connecting = Some(connecting.clone());
        (current.number, connecting)
    }

    /// Lets the next call make a new connection, if nobody has yet.
    fn forget(&self, number: u64) {
        let mut current = self.current();
        if current.number == number && !self.target.is_nowhere() {
            current.connecting = None;
        }
    }

    fn request(&self, path: &'static str, headers: HeaderMap) -> Request<()> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(self.scheme.clone());
        uri.authority = Some(self.authority.clone());
        uri.path_and_query = Some(PathAndQuery::from_static(path));
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_parts(uri).expect("it has all three parts");
        *request.headers_mut() = headers;
        request
    }
}

/// The one connection that there was has ended: trying again is no use.
fn no_other() -> Failed {
    let what = "the connection that the client was given has ended";
    let error = Error::new(ErrorKind::Unavailable, what).retrying(Retry::Never);
    (error.with("grpc", "UNAVAILABLE"), Reached::Answered)
}

fn shared(task: tokio::task::JoinHandle<Result<SendRequest<Bytes>, Failed>>) -> Connecting {
    let connecting = async move {
        let ended = |_| {
            let what = "the runtime ended while connecting";
            Err((Error::new(ErrorKind::Unavailable, what), Reached::Nothing))
        };
        task.await.unwrap_or_else(ended).map_err(Arc::new)
    };
    connecting.boxed().shared()
}
