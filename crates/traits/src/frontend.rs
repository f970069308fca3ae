//! The joint between a stack and what serves its clients.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{Ambient, Durability, KvStore, Replicator, Result};

/// A DBM that frontends serve: `[[dbm]]` of a config.
#[derive(Clone)]
pub struct Dbm {
    /// Its name, unique in the stack.
    pub name: String,
    /// The name of the store that it is in.
    pub store: String,
    /// Its records.
    pub records: Arc<dyn KvStore>,
    /// How durable an update is before it is answered, where the client does
    /// not say.
    pub durability: Durability,
    /// Where the store keeps its files, if it has any.
    pub path: Option<PathBuf>,
}

/// What a stack hands to a frontend that is started.
#[derive(Clone)]
pub struct Parts {
    /// The DBMs, in the order of the config: the place of one is its index on
    /// the wire.
    pub dbms: Vec<Dbm>,
    /// This server's part in replication, if it has one.
    pub replication: Option<Arc<dyn Replicator>>,
    /// Time and randomness.
    pub ambient: Arc<dyn Ambient>,
}

/// What a frontend needs from a stack, checked before anything starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// At least one DBM.
    pub dbms: bool,
}

/// Something outside the process that only one frontend can have.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Claim {
    /// A TCP port; port 0 clashes with nothing, since the system chooses.
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Socket(PathBuf),
    /// A directory to mount on.
    Mount(PathBuf),
}

impl Claim {
    /// Whether both cannot be had at once. The unspecified address is every
    /// address of its port.
    pub fn clashes(&self, other: &Claim) -> bool {
        match (self, other) {
            (Claim::Tcp(a), Claim::Tcp(b)) => {
                let all = a.ip().is_unspecified() || b.ip().is_unspecified();
                a.port() != 0 && a.port() == b.port() && (all || a.ip() == b.ip())
            }
            (Claim::Socket(a), Claim::Socket(b)) | (Claim::Mount(a), Claim::Mount(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for Claim {
    /// As configs and clients write it: `127.0.0.1:1978`, `unix:/run/hozo.sock`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Claim::Tcp(address) => write!(f, "{address}"),
            Claim::Socket(path) => write!(f, "unix:{}", path.display()),
            Claim::Mount(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Where a running frontend can be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// What it took, with the port that it got.
    pub at: Claim,
    /// What keeps others out, in a few words: `TLS, tokens`, or `not protected`.
    pub protection: String,
}

/// How a running frontend is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// It serves.
    Serving,
    /// It serves, but not everything; in words.
    Degraded(String),
    /// It does not serve any more; in words.
    Failed(String),
}

/// A crate that serves clients, built from its config and not yet running.
///
/// It has no runtime in its face: [`start`](Self::start) and what it answers
/// block, and an async frontend keeps a runtime of its own.
pub trait Frontend: Send + Sync {
    /// Its kind, as in the config.
    fn kind(&self) -> &'static str;

    /// What it needs from the stack.
    fn needs(&self) -> Needs;

    /// What it takes outside the process. A clash is an error of the config.
    fn claims(&self) -> Vec<Claim>;

    /// Takes what it claims and begins to serve. When this answers, clients can
    /// reach it; after an error nothing of it is left.
    fn start(&self, parts: Parts) -> Result<Box<dyn Running>>;
}

/// A frontend that serves. Dropping it stops it, without waiting for clients.
pub trait Running: Send + Sync {
    /// Where it can be reached.
    fn endpoints(&self) -> Vec<Endpoint>;

    /// How it is.
    fn health(&self) -> Health;

    /// Reads again what may change while it runs, such as certificates and
    /// tokens. After an error everything is as before.
    fn reload(&self) -> Result<()>;

    /// Takes nothing new, finishes what was accepted, and gives back what it
    /// claimed. What is not finished `within` that time is broken off, and the
    /// answer is [`TimedOut`](crate::ErrorKind::TimedOut). Stopping twice is
    /// stopping once.
    fn stop(&self, within: Duration) -> Result<()>;
}

#[cfg(test)]
mod tests;
