//! Taking connections.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::connection::{self, Peer};
use super::core::Core;
use super::listener::Listener;
use super::places::Place;
use super::threads::Dealer;

/// How long to leave clients waiting when none can be taken: out of files, say.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections until the server stops.
pub(super) async fn run(core: Arc<Core>, listener: Listener, dealer: Dealer, place: Place) {
    loop {
        match unless_stopping(&core, take(&core, &listener, &dealer)).await {
            None => break,
            Some(Ok(())) => {}
            Some(Err(e)) => {
                core.cannot_accept(&e);
                if unless_stopping(&core, tokio::time::sleep(PAUSE)).await.is_none() {
                    break;
                }
            }
        }
    }
    // The place is given back when nobody listens any more.
    drop(listener);
    drop(place);
}

async fn take(core: &Arc<Core>, listener: &Listener, dealer: &Dealer) -> io::Result<()> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            let Some(place) = core.place() else { return Ok(()) };
            // Answers are small and waited for.
            stream.set_nodelay(true)?;
            let peer = Peer::Tcp(address);
            let (core, stream) = (Arc::clone(core), stream.into_std()?);
            match core.tls() {
                None => dealer.deal(move || {
                    Ok(connection::serve(core, TcpStream::from_std(stream)?, peer, place))
                }),
                Some(tls) => dealer.deal(move || {
                    let acceptor = TlsAcceptor::from(tls);
                    let stream = TcpStream::from_std(stream)?;
                    Ok(connection::serve_tls(core, acceptor, stream, peer, place))
                }),
            }
        }
        Listener::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            let Some(place) = core.place() else { return Ok(()) };
            let (core, stream) = (Arc::clone(core), stream.into_std()?);
            dealer.deal(move || {
                Ok(connection::serve(core, UnixStream::from_std(stream)?, Peer::Local, place))
            });
        }
    }
    Ok(())
}

/// What the future gives, unless the server stops first.
async fn unless_stopping<T>(core: &Core, future: impl Future<Output = T>) -> Option<T> {
    let mut stopping = pin!(core.stopping.said());
    let mut future = pin!(future);
    poll_fn(|context| {
        if stopping.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
}
