//! One connection, from its first byte to its last.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{self, SendResponse};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::access::Asker;
use super::call::Call;
use super::core::Core;
use super::joined::{Hold, Joined};
use super::places::Place;
use super::pulse::{Beat, Pulse};
use super::router;

/// For TLS, and then for the first bytes of HTTP/2.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// What a client may send of one request's messages before they are read.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// The same, of all requests of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// What is kept of one answer that the client does not read.
const SEND_BUFFER_BYTES: usize = 64 << 10;
/// The names and values of a request's headers.
const HEADER_BYTES_MAX: u32 = 16 << 10;
/// What small frames may cost that arrived and were not read yet; `h2` counts
/// 256 bytes for each. A window full of the smallest messages that are sensible
/// costs less, so that only who means harm is cut off.
const SMALL_FRAMES_BUDGET_BYTES: usize = 16 << 20;
/// Requests taken in a row before their answers are written.
const BATCH_MAX: usize = 64;
/// Requests taken before other connections have their turn.
const TURN_MAX: usize = 256;

/// Who is at the other end.
#[derive(Clone, Copy)]
pub(super) enum Peer {
    Tcp(SocketAddr),
    /// On this machine, or in this process.
    Local,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => write!(f, "{address}"),
            Peer::Local => f.write_str("local"),
        }
    }
}

type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

/// Serves one client until it goes, is idle, or the server stops.
pub(super) async fn serve<IO>(core: Arc<Core>, io: IO, peer: Peer, place: Place)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let (io, hold) = Joined::new(io);
    let handshake = server::Builder::new()
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_concurrent_streams(core.limits.streams)
        .data_frame_budget(SMALL_FRAMES_BUDGET_BYTES)
        .handshake(io);
    match in_time(&core, handshake).await {
        Some(Ok(connection)) => drive(&core, peer, connection, hold).await,
        Some(Err(e)) => core.failed_handshake(peer, &e),
        None => core.unfinished_handshake(peer, &"no HTTP/2 in time"),
    }
    drop(place);
}

/// The same, with TLS first.
pub(super) async fn serve_tls<IO>(
    core: Arc<Core>,
    acceptor: TlsAcceptor,
    io: IO,
    peer: Peer,
    place: Place,
) where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    match in_time(&core, acceptor.accept(io)).await {
        Some(Ok(io)) => serve(core, io, peer, place).await,
        Some(Err(e)) => core.failed_handshake(peer, &e),
        None => core.unfinished_handshake(peer, &"no TLS in time"),
    }
}

/// What the future gives, unless that takes too long or the server stops.
async fn in_time<T>(core: &Core, future: impl Future<Output = T>) -> Option<T> {
    let mut stopping = pin!(core.stopping.said());
    let mut future = pin!(tokio::time::timeout(HANDSHAKE_TIMEOUT, future));
    poll_fn(|context| {
        if let Poll::Ready(done) = future.as_mut().poll(context) {
            return Poll::Ready(done.ok());
        }
        stopping.as_mut().poll(context).map(|()| None)
    })
    .await
}

async fn drive<IO>(
    core: &Core,
    peer: Peer,
    mut connection: server::Connection<IO, Bytes>,
    hold: Hold,
) where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut stopping = pin!(core.stopping.said());
    let mut driver = Driver {
        core,
        asker: Asker::new(peer),
        pulse: Pulse::new(core.limits.idle, connection.ping_pong()),
        connection,
        hold,
        accepted: Vec::new(),
    };
    let ended = poll_fn(|context| driver.poll(context, stopping.as_mut())).await;
    if let Err(e) = ended {
        tracing::debug!(%peer, error = %e, "a connection broke off");
    }
}

struct Driver<'a, IO> {
    core: &'a Core,
    connection: server::Connection<IO, Bytes>,
    hold: Hold,
    asker: Asker,
    pulse: Pulse,
    accepted: Vec<Accepted>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Driver<'_, IO> {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut stopping: Pin<&mut impl Future<Output = ()>>,
    ) -> Poll<Result<(), h2::Error>> {
        let mut served = 0;
        loop {
            // First take all that arrived, then answer, then write what was
            // answered: the fewer and larger writes, the better.
            let mut ended = false;
            while self.accepted.len() < BATCH_MAX {
                match self.connection.poll_accept(context) {
                    Poll::Ready(Some(accepted)) => self.accepted.push(accepted?),
                    Poll::Ready(None) => {
                        ended = true;
                        break;
                    }
                    Poll::Pending => break,
                }
            }
            if ended {
                return Poll::Ready(Ok(()));
            }
            if !self.accepted.is_empty() {
                served += self.accepted.len();
                self.answer();
                if served < TURN_MAX {
                    continue;
                }
                // One who always asks again is told all the same.
                self.hear(context, stopping);
                // The others' turn, with everything written so far.
                context.waker().wake_by_ref();
                return self.hold.released(|| self.connection.poll_closed(context));
            }
            if self.hold.has_kept() {
                // Asked for the next request, as another may arrive on the way.
                match self.hold.released(|| self.connection.poll_accept(context)) {
                    Poll::Ready(Some(accepted)) => {
                        self.accepted.push(accepted?);
                        continue;
                    }
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Pending => {}
                }
            }
            if self.hear(context, stopping.as_mut()) {
                continue;
            }
            match self.pulse.poll(context, self.connection.has_streams()) {
                Beat::Wait => return Poll::Pending,
                Beat::Again => {}
                Beat::Idle => self.connection.graceful_shutdown(),
                Beat::Gone => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Begins to close if the server has just stopped.
    fn hear(
        &mut self,
        context: &mut Context<'_>,
        stopping: Pin<&mut impl Future<Output = ()>>,
    ) -> bool {
        let stops = !self.pulse.is_closing() && stopping.poll(context).is_ready();
        if stops {
            self.connection.graceful_shutdown();
            self.pulse.close();
        }
        stops
    }

    fn answer(&mut self) {
        self.pulse.used();
        for (request, mut respond) in self.accepted.drain(..) {
            match router::accept(self.core, &mut self.asker, request) {
                Ok(accepted) => Call::begin(accepted, respond),
                Err(refusal) => {
                    // An error is a client that is gone.
                    let _ = respond.send_response(refusal, true);
                }
            }
        }
    }
}
