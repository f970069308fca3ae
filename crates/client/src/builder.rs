//! How a client is made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hozo_traits::{Ambient, Error, ErrorKind, Result, SystemAmbient};
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Client;
use crate::address::Address;
use crate::transport::Transport;

/// How long a call may take unless [`Builder::timeout`] says.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// How long connecting may take unless [`Builder::connect_timeout`] says.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a call is tried again unless [`Builder::retries`] says.
const RETRIES: u32 = 3;
/// The largest message that is taken unless [`Builder::max_message_bytes`] says.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// How many requests of one stream may wait for their answers, unless
/// [`Builder::max_in_flight`] says.
const IN_FLIGHT_MAX: usize = 1024;

/// What a connection is encrypted and proven with. All of it is PEM text, not
/// the names of files.
#[derive(Clone)]
pub struct Tls {
    pub(crate) ca: String,
    pub(crate) identity: Option<(String, String)>,
    pub(crate) domain: Option<String>,
}

impl Tls {
    /// Trusts servers whose certificates one of these authorities signed. The
    /// system's authorities are never asked: a server of one's own has an
    /// authority of one's own.
    pub fn new(ca_pem: impl Into<String>) -> Tls {
        Tls { ca: ca_pem.into(), identity: None, domain: None }
    }

    /// Shows the server this certificate, as mutual TLS wants.
    #[must_use]
    pub fn identity(self, cert_pem: impl Into<String>, key_pem: impl Into<String>) -> Tls {
        Tls { identity: Some((cert_pem.into(), key_pem.into())), ..self }
    }

    /// The name that the server's certificate must have, where it is not the
    /// address's host.
    #[must_use]
    pub fn domain(self, name: impl Into<String>) -> Tls {
        Tls { domain: Some(name.into()), ..self }
    }
}

impl fmt::Debug for Tls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("identity", &self.identity.as_ref().map(|_| "(secret)"))
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

/// Says how a client connects and calls. Made by [`Client::builder`].
#[derive(Clone)]
pub struct Builder {
    pub(crate) address: String,
    pub(crate) token: Option<String>,
    pub(crate) tls: Option<Tls>,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) max_message_bytes: usize,
    pub(crate) max_in_flight: usize,
    pub(crate) ambient: Arc<dyn Ambient>,
}

impl Builder {
    pub(crate) fn new(address: String) -> Builder {
        Builder {
            address,
            token: None,
            tls: None,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            keep_alive: None,
            retries: RETRIES,
            max_message_bytes: MESSAGE_BYTES_MAX,
            max_in_flight: IN_FLIGHT_MAX,
            ambient: Arc::new(SystemAmbient),
        }
    }

    /// The same for another address.
    pub(crate) fn at(self, address: &str) -> Builder {
        Builder { address: address.to_owned(), ..self }
    }

    /// The bearer token that every call carries. Without TLS it could be read
    /// on the way to another machine: there the address has to say `http://`
    /// for it to be sent.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Builder {
        Builder { token: Some(token.into()), ..self }
    }

    /// Encrypts the connection. An address without `http://` or `https://` then
    /// is one of TLS.
    #[must_use]
    pub fn tls(self, tls: Tls) -> Builder {
        Builder { tls: Some(tls), ..self }
    }

    /// How long a call may take with all its tries, 30 seconds unless given. The
    /// server is told. [`Client::with_timeout`] changes it for some calls.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Builder {
        Builder { timeout, ..self }
    }

    /// How long connecting may take, 10 seconds unless given.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Builder {
        Builder { connect_timeout: timeout, ..self }
    }

    /// Asks the other side for a sign of life so often, and ends the connection
    /// if none comes within 20 seconds. Unless given it is left to TCP: gRPC
    /// servers in C++ and Go drop clients that ask more often than every five
    /// minutes.
    #[must_use]
    pub fn keep_alive(self, interval: Duration) -> Builder {
        Builder { keep_alive: Some(interval), ..self }
    }

    /// How many times a call is tried again where that is safe, 3 unless given.
    #[must_use]
    pub fn retries(self, retries: u32) -> Builder {
        Builder { retries, ..self }
    }

    /// The largest message that is taken from the server, 64 MiB unless given.
    #[must_use]
    pub fn max_message_bytes(self, bytes: usize) -> Builder {
        Builder { max_message_bytes: bytes, ..self }
    }

    /// How many requests of one [`Pipeline`](crate::Pipeline) may wait for their
    /// answers, 1024 unless given; a further one waits for its place.
    #[must_use]
    pub fn max_in_flight(self, requests: usize) -> Builder {
        Builder { max_in_flight: requests.max(1), ..self }
    }

    /// Where the waiting between tries takes its randomness from.
    #[must_use]
    pub fn ambient(self, ambient: Arc<dyn Ambient>) -> Builder {
        Builder { ambient, ..self }
    }

    /// Connects now, so that an address with no server behind it is an error
    /// here. Later the client connects again by itself when it has to.
    pub async fn connect(self) -> Result<Client> {
        let client = self.lazy()?;
        client.reach().await?;
        Ok(client)
    }

    /// A client that connects with its first call. Must be called within a
    /// runtime of tokio.
    pub fn lazy(self) -> Result<Client> {
        let address = Address::read(&self.address)?;
        let token = self.bearer()?;
        let transport = Transport::new(&address, &self)?;
        Ok(Client::new(transport, address, token.as_ref(), self))
    }

    /// A client over this connection, whatever the address was. When it ends,
    /// every further call is [`Unavailable`](ErrorKind::Unavailable). Must be
    /// called within a runtime of tokio.
    pub fn over<S>(self, io: S) -> Result<Client>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let token = self.bearer()?;
        let transport = Transport::over(io, &self);
        Ok(Client::new(transport, Address::Given, token.as_ref(), self))
    }

    fn bearer(&self) -> Result<Option<HeaderValue>> {
        let Some(token) = &self.token else { return Ok(None) };
        let Ok(mut value) = format!("Bearer {token}").parse::<HeaderValue>() else {
            let what = "the token has characters that a header cannot have";
            return Err(Error::new(ErrorKind::Invalid, what));
        };
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl fmt::Debug for Builder {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("address", &self.address)
            .field("token", &self.token.as_ref().map(|_| "(secret)"))
            .field("tls", &self.tls)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("keep_alive", &self.keep_alive)
            .field("retries", &self.retries)
            .field("max_message_bytes", &self.max_message_bytes)
            .field("max_in_flight", &self.max_in_flight)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
