//! Starting and stopping.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use hozo_traits::{Claim, Endpoint, Error, ErrorKind, Health, Parts, Result};
use parking_lot::Mutex;
use tokio::io::DuplexStream;
use tokio::time::Instant;

use super::connection::Peer;
use super::core::Core;
use super::listener::{self, SocketFile};
use super::threads::Threads;
use super::{accept, connection};
use crate::config::{Config, Listen};

/// Between the two ends of a connection inside the process.
const LOCAL_BUFFER_BYTES: usize = 256 << 10;

/// What is taken besides the time to stop, to break off what did not.
const BREAK_OFF_TIMEOUT: Duration = Duration::from_secs(1);

/// The service while it serves.
pub(super) struct Server {
    core: Arc<Core>,
    endpoints: Vec<Endpoint>,
    /// What goes when it stops.
    held: Mutex<Option<Held>>,
}

struct Held {
    threads: Threads,
    /// Names of sockets: they go when nobody listens there any more, after the
    /// threads.
    _files: Vec<SocketFile>,
}

/// Takes what is claimed and begins to serve.
pub(super) fn start(config: &Config, claims: &[Claim], parts: Parts) -> Result<Server> {
    let count = match config.threads {
        0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
        count => usize::try_from(count).expect("a checked number"),
    };
    let core = Core::new(config.clone(), parts, count)?;
    let threads = Threads::start(count)?;
    let (mut listeners, mut endpoints, mut files) = (Vec::new(), Vec::new(), Vec::new());
    {
        let _inside = threads.handle().enter();
        for claim in claims {
            let (listener, at, file) = listener::bind(claim, config.socket_mode)?;
            let protection = protection(config, &at);
            listeners.push(listener);
            endpoints.push(Endpoint { at, protection });
            files.extend(file);
        }
    }
    // Only when everything was taken: an error leaves nothing, and no client sees
    // a server that goes again.
    for listener in listeners {
        let place = core.listeners.take().expect("as many listeners as one likes");
        let run = accept::run(Arc::clone(&core), listener, threads.dealer(), place);
        threads.handle().spawn(run);
    }
    for Endpoint { at, protection } in &endpoints {
        tracing::info!(%at, protection, dbms = core.names().len(), "serving");
    }
    Ok(Server { core, endpoints, held: Mutex::new(Some(Held { threads, _files: files })) })
}

/// What keeps others out, in a few words.
fn protection(config: &Config, at: &Claim) -> String {
    let mut has: Vec<String> = Vec::new();
    match at {
        Claim::Tcp(_) => {
            has.extend(config.tls.is_some().then(|| "TLS".into()));
            has.extend(config.proves_clients().then(|| "client certificates".into()));
        }
        _ => has.push(format!("socket mode {:04o}", config.socket_mode.0)),
    }
    has.extend(config.tokens.is_some().then(|| "tokens".into()));
    if has.is_empty() { "not protected".into() } else { has.join(", ") }
}

pub(super) fn local(parts: Parts) -> Result<DuplexStream> {
    let mut config = Config::new([Listen::Unix("local".into())]);
    // Both ends are one program: nothing is to be gained by a limit.
    config.max_message_bytes = crate::config::MAX_MESSAGE_BYTES;
    let core = Core::new(config, parts, 1)?;
    let place = core.connections.take().expect("the first of many");
    let (ours, theirs) = tokio::io::duplex(LOCAL_BUFFER_BYTES);
    tokio::spawn(connection::serve(core, ours, Peer::Local, place));
    Ok(theirs)
}

impl hozo_traits::Running for Server {
    fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoints.clone()
    }

    fn health(&self) -> Health {
        if self.core.stopping.is_said() {
            return Health::Failed("the service is stopping, or has stopped".into());
        }
        let failing = self.core.health.failing();
        let names: Vec<_> = failing.iter().map(|index| &*self.core.names()[*index]).collect();
        match names.len() {
            0 => Health::Serving,
            all if all == self.core.names().len() => {
                Health::Failed("the stores of all DBMs fail".into())
            }
            _ => Health::Degraded(format!("the stores of these DBMs fail: {}", names.join(", "))),
        }
    }

    fn reload(&self) -> Result<()> {
        self.core.reload()?;
        tracing::info!("certificates and tokens were read again");
        Ok(())
    }

    fn stop(&self, within: Duration) -> Result<()> {
        let Some(held) = self.held.lock().take() else { return Ok(()) };
        let began = Instant::now();
        self.core.stopping.stop();
        let (tell, told) = mpsc::sync_channel(1);
        let core = Arc::clone(&self.core);
        held.threads.handle().spawn(async move {
            core.listeners.empty().await;
            core.connections.empty().await;
            // Nobody may be waiting any more.
            let _ = tell.send(());
        });
        let ended = told.recv_timeout(within);
        let left = self.core.connections.taken();
        held.threads.end(within.saturating_sub(began.elapsed()).max(BREAK_OFF_TIMEOUT));
        match ended {
            Ok(()) => {
                tracing::info!("stopped");
                Ok(())
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                tracing::warn!(connections = left, "stopped, and broke off what was not finished");
                Err(Error::new(
                    ErrorKind::TimedOut,
                    "requests were broken off that did not finish in the time to stop",
                )
                .with("connections", left)
                .with("within_ms", within.as_millis()))
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What waits is told, as by a stop; nothing is waited for.
        self.core.stopping.stop();
    }
}
