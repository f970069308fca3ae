//! Making one connection.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong};
use hozo_traits::{Error, ErrorKind, Result, Retry};
use http::uri::{Authority, Scheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::Failed;
use super::tls::Secure;
use crate::Builder;
use crate::address::Address;
use crate::error::Reached;

/// How long the answer to a sign of life may take.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// After so much silence the system asks whether the other side is still there.
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);
/// When what was sent is not acknowledged for so long, the connection has ended:
/// the next call makes another.
#[cfg(target_os = "linux")]
const TCP_UNANSWERED_MS: u32 = 30_000;
/// What the server may send before this side has taken it, per stream and in
/// all, so that large values and many streams flow.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// What this side keeps of a stream that the server takes slowly.
const SEND_BUFFER_BYTES_MAX: usize = 1 << 20;
/// The headers of one answer.
const HEADER_BYTES_MAX: u32 = 64 << 10;

/// Where a connection goes, and how.
pub(super) struct Target {
    place: Place,
    within: Duration,
    keep_alive: Option<Duration>,
}

enum Place {
    Tcp {
        host_port: String,
        secure: Option<Secure>,
    },
    Unix(PathBuf),
    /// The one connection that there was is all there is.
    Nowhere,
}

impl Target {
    pub(super) fn nowhere() -> Target {
        Target { place: Place::Nowhere, within: Duration::ZERO, keep_alive: None }
    }

    pub(super) fn is_nowhere(&self) -> bool {
        matches!(self.place, Place::Nowhere)
    }
}

/// What an address and the settings say together.
pub(super) fn target(address: &Address, builder: &Builder) -> Result<(Target, Scheme, Authority)> {
    let invalid = |what| Err(Error::new(ErrorKind::Invalid, what).with("address", address));
    let (place, scheme, authority) = match address {
        Address::Tcp { host_port, secure } => {
            let Ok(authority) = host_port.parse::<Authority>() else {
                return invalid("the address cannot be read");
            };
            let readable = secure.is_none() && builder.tls.is_none() && !is_here(authority.host());
            if readable && builder.token.is_some() {
                return invalid(
                    "others could read the token on its way: write https:// and give the \
                     certificate of an authority, or http:// to send it all the same",
                );
            }
            let (secure, scheme) = match (secure.unwrap_or(builder.tls.is_some()), &builder.tls) {
                (false, None) => (None, Scheme::HTTP),
                (true, Some(tls)) => (Some(Secure::new(tls, authority.host())?), Scheme::HTTPS),
                (true, None) => {
                    return invalid(
                        "an https address needs the certificate of an authority to trust",
                    );
                }
                (false, Some(_)) => {
                    return invalid("TLS is given, but the address has none: write https://");
                }
            };
            (Place::Tcp { host_port: host_port.clone(), secure }, scheme, authority)
        }
        Address::Unix(_) if builder.tls.is_some() => {
            return invalid("a Unix socket is local and has no TLS");
        }
        Address::Unix(path) => {
            (Place::Unix(path.clone()), Scheme::HTTP, Authority::from_static("localhost"))
        }
        Address::Given => return invalid("a connection that was handed in has no address"),
    };
    let (within, keep_alive) = (builder.connect_timeout, builder.keep_alive);
    Ok((Target { place, within, keep_alive }, scheme, authority))
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Connects.
pub(super) async fn open(target: &Target) -> Result<SendRequest<Bytes>, Failed> {
    let opening = async {
        match &target.place {
            Place::Nowhere => {
                Err(io::Error::new(io::ErrorKind::NotConnected, "the connection has ended").into())
            }
            Place::Unix(path) => serve(UnixStream::connect(path).await?, target.keep_alive)
                .await
                .map_err(Wrong::Http),
            Place::Tcp { host_port, secure } => {
                let socket = TcpStream::connect(host_port).await?;
                socket.set_nodelay(true)?;
                rustix::net::sockopt::set_socket_keepalive(&socket, true)
                    .map_err(io::Error::from)?;
                rustix::net::sockopt::set_tcp_keepidle(&socket, TCP_KEEP_ALIVE)
                    .map_err(io::Error::from)?;
                #[cfg(target_os = "linux")]
                rustix::net::sockopt::set_tcp_user_timeout(&socket, TCP_UNANSWERED_MS)
                    .map_err(io::Error::from)?;
                match secure {
                    None => serve(socket, target.keep_alive).await.map_err(Wrong::Http),
                    Some(secure) => {
                        let socket = secure.connect(socket).await?;
                        serve(socket, target.keep_alive).await.map_err(Wrong::Http)
                    }
                }
            }
        }
    };
    let wrong = match timeout(target.within, opening).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(Wrong::Http(failed))) => return Err(failed),
        Ok(Err(Wrong::Io(error))) => error,
        Err(_) => io::Error::new(io::ErrorKind::TimedOut, "nobody answered in time"),
    };
    let error = Error::new(ErrorKind::Unavailable, "cannot connect to the server");
    // What TLS refused it refuses again.
    let error = match wrong.kind() {
        io::ErrorKind::InvalidData => (error.retrying(Retry::Never), Reached::Answered),
        _ => (error, Reached::Nothing),
    };
    Err((error.0.caused_by(wrong).with("grpc", "UNAVAILABLE"), error.1))
}

enum Wrong {
    Io(io::Error),
    Http(Failed),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Wrong {
        Wrong::Io(error)
    }
}

/// Speaks HTTP/2 over a connection, in a task that ends when it does.
pub(super) async fn serve<S>(
    io: S,
    keep_alive: Option<Duration>,
) -> Result<SendRequest<Bytes>, Failed>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut http = h2::client::Builder::new();
    http.initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .enable_push(false);
    let handshake = http.handshake(io).await;
    let (requests, mut connection) =
        handshake.map_err(|error| (super::frame::broken(&error).0, Reached::Nothing))?;
    let pings = keep_alive.and_then(|every| Some((every, connection.ping_pong()?)));
    // Its error is that of every call that it carries.
    let task = tokio::spawn(async move { drop(connection.await) });
    if let Some((every, pings)) = pings {
        tokio::spawn(keep_asking(pings, every, task.abort_handle()));
    }
    Ok(requests)
}

/// Ends a connection whose other side gives no sign of life.
async fn keep_asking(mut pings: PingPong, every: Duration, connection: AbortHandle) {
    loop {
        sleep(every).await;
        match timeout(KEEP_ALIVE_TIMEOUT, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return,
            Err(_) => return connection.abort(),
        }
    }
}
