//! What all connections of a server share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hozo_proto::hozo_v1::replication_server::ReplicationServer;
use hozo_proto::tkrzw_rpc::dbm_service_server::DbmServiceServer;
use hozo_traits::{Parts, Replicator, Result};
use parking_lot::RwLock;
use tokio_rustls::rustls::ServerConfig;

use super::connection::Peer;
use super::health::Health;
use super::places::{Place, Places};
use super::reflection::Reflection;
use super::room::Room;
use super::tls;
use super::tokens::Tokens;
use crate::config::Config;
use crate::seldom::Seldom;
use crate::service::{Crowd, Options, SEARCH_TIME_MAX, Service, Stopping};

/// Searches, rebuilds and the like at once, for each thread that serves.
const LONG_MAX_PER_THREAD: usize = 8;

/// What all connections of a server share.
pub(super) struct Core {
    pub(super) service: DbmServiceServer<Service>,
    pub(super) replication: ReplicationServer<Service>,
    pub(super) replicator: Option<Arc<dyn Replicator>>,
    pub(super) health: Health,
    pub(super) reflection: Option<Reflection>,
    pub(super) limits: Limits,
    pub(super) listeners: Places,
    pub(super) connections: Places,
    pub(super) requests: Places,
    pub(super) room: Room,
    pub(super) stopping: Stopping,
    /// Requests of nobody that is known.
    pub(super) unauthenticated: Seldom,
    /// Requests of those who may not.
    pub(super) denials: Arc<Seldom>,
    seldom: Seldom,
    config: Config,
    names: Vec<String>,
    tls: RwLock<Option<Arc<ServerConfig>>>,
    tokens: RwLock<Option<Arc<Tokens>>>,
}

/// Limits of one connection and of one request.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) streams: u32,
    pub(super) idle: Duration,
    pub(super) request: Duration,
}

impl Core {
    /// Reads the files that the config names. The config is checked and its
    /// paths are resolved.
    pub(super) fn new(config: Config, parts: Parts, threads: usize) -> Result<Arc<Self>> {
        let names: Vec<String> = parts.dbms.iter().map(|dbm| dbm.name.clone()).collect();
        let tls = config.tls.as_ref().map(tls::load).transpose()?;
        let tokens = load_tokens(&config, &names)?.map(Arc::new);
        let stopping = Stopping::default();
        let replicator = parts.replication.clone();
        let replicates = replicator.is_some();
        let bytes = usize::try_from(config.max_message_bytes).expect("a checked limit");
        let room = Room::new(bytes);
        let crowd = {
            let room = room.clone();
            Crowd::new(move || room.is_full(bytes))
        };
        let service = Service::new(
            parts,
            Options {
                message_bytes_max: bytes,
                waiting_max: count(config.max_requests),
                long_max: LONG_MAX_PER_THREAD * threads,
                search_time_max: SEARCH_TIME_MAX,
                stopping: stopping.clone(),
                crowd,
            },
        );
        Ok(Arc::new(Core {
            health: Health::new(&names, replicates, service.health(), stopping.clone()),
            reflection: config.reflection.then(Reflection::new),
            replicator,
            replication: ReplicationServer::new(service.clone()).max_decoding_message_size(bytes),
            service: DbmServiceServer::new(service).max_decoding_message_size(bytes),
            limits: Limits {
                streams: config.max_streams,
                idle: Duration::from_secs(config.idle_timeout_s),
                request: Duration::from_secs(config.request_timeout_s),
            },
            listeners: Places::new(usize::MAX),
            connections: Places::new(count(config.max_connections)),
            requests: Places::new(count(config.max_requests)),
            room,
            stopping,
            unauthenticated: Seldom::default(),
            denials: Arc::default(),
            seldom: Seldom::default(),
            names,
            config,
            tls: RwLock::new(tls),
            tokens: RwLock::new(tokens),
        }))
    }

    /// Notes a connection that never became one. Whoever scans ports can cause
    /// any number of those, so few are told of.
    pub(super) fn failed_handshake(&self, peer: Peer, why: &dyn fmt::Display) {
        if let Some(others) = self.seldom.now() {
            tracing::warn!(%peer, %why, others, "a connection was not made");
        }
    }

    /// The same of one that was not made when its time was over, or when the
    /// server stopped, which is nobody's fault.
    pub(super) fn unfinished_handshake(&self, peer: Peer, why: &dyn fmt::Display) {
        if self.stopping.is_said() {
            tracing::debug!(%peer, "a connection was not made before the server stopped");
        } else {
            self.failed_handshake(peer, why);
        }
    }

    /// A place for a connection, unless that is one too many.
    pub(super) fn place(&self) -> Option<Place> {
        let place = self.connections.take();
        if place.is_none()
            && let Some(others) = self.seldom.now()
        {
            let most = self.config.max_connections;
            tracing::warn!(most, others, "a connection was closed: there are too many");
        }
        place
    }

    /// Notes that no connection can be taken just now.
    pub(super) fn cannot_accept(&self, why: &dyn fmt::Display) {
        if let Some(others) = self.seldom.now() {
            tracing::error!(%why, others, "no connections can be taken: trying again");
        }
    }

    /// The names of the DBMs, by their index.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.read().clone()
    }

    /// The tokens as they are now; `None` if everybody has every right.
    pub(super) fn tokens(&self) -> Option<Arc<Tokens>> {
        self.tokens.read().clone()
    }

    /// Reads certificates and tokens again; all or nothing.
    pub(super) fn reload(&self) -> Result<()> {
        let tls = self.config.tls.as_ref().map(tls::load).transpose()?;
        let mut tokens = load_tokens(&self.config, &self.names)?;
        *self.tls.write() = tls;
        let mut current = self.tokens.write();
        let gone = match (&mut tokens, &*current) {
            (Some(after), Some(before)) => after.after(before),
            _ => Vec::new(),
        };
        *current = tokens.map(Arc::new);
        drop(current);
        // Only now that nobody is granted it any more.
        gone.iter().for_each(|grant| grant.take_back());
        Ok(())
    }
}

fn load_tokens(config: &Config, names: &[String]) -> Result<Option<Tokens>> {
    let path = config.tokens.as_ref();
    path.map(|path| Tokens::load(path, names)).transpose()
}

fn count(configured: u32) -> usize {
    usize::try_from(configured).expect("a checked number")
}
