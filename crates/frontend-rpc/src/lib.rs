//! Hozo frontend for Tkrzw-RPC clients: DBMs over gRPC, with what a server needs
//! around them.
//!
//! It answers `tkrzw_rpc.DBMService`, `grpc.health.v1.Health`, server reflection
//! and, for a server with replication, `hozo.v1.Replication`, over TCP with or without TLS and over Unix sockets. Who asks is
//! found out by certificates, by bearer tokens with rights to each DBM, or not at
//! all, as the [`Config`] says.
//!
//! [`Rpc`] is a [`Frontend`](hozo_traits::Frontend): a stack starts it.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use hozo_frontend_rpc::{Config, Rpc};
//! use hozo_traits::{Dbm, Durability, Frontend, Parts, SystemAmbient};
//!
//! let ambient = Arc::new(SystemAmbient);
//! let store = hozo_backend_memory::open(&Default::default(), ambient.clone())?;
//! let casket = Dbm {
//!     name: "casket".into(),
//!     store: "main".into(),
//!     records: store.records("casket")?,
//!     durability: Durability::Sequenced,
//!     path: None,
//! };
//! let config = Config::new(["127.0.0.1:0".parse()?]);
//! let rpc = Rpc::new(config, "/etc/hozo".as_ref())?;
//! let running = rpc.start(Parts { dbms: vec![casket], replication: None, ambient })?;
//! println!("serving at {}", running.endpoints()[0].at);
//! running.stop(Duration::from_secs(10))?;
//! # Ok::<(), hozo_traits::Error>(())
//! ```
//!
//! [`local`] serves a program that has the store open itself, and
//! [`Service`](service::Service) is the service alone, for a server of one's own.
//!
//! # What is bounded
//!
//! | what | by |
//! |---|---|
//! | connections, requests on each and in all, the size of a message | the config |
//! | time to begin (TLS, HTTP/2) | 10 seconds each |
//! | time of a request with one answer; of any request | the config; the client's `grpc-timeout` |
//! | what arrived and was not read | 256 KiB a request, 1 MiB a connection |
//! | what was answered and is not read | 128 KiB a request and one message |
//! | what was read for a follower and is not taken | 256 KiB, or one update |
//! | a request's headers | 16 KiB |
//! | a client that is gone without a word | found out within 80 seconds |
//!
//! # What to know
//!
//! - Each thread has connections of its own, and a connection's requests are
//!   begun in the order in which they come. What takes long is done elsewhere.
//! - A reload holds for certificates from the next connection on, for tokens from
//!   the next request, or message of a stream, on.
//! - Messages over the limit are `RESOURCE_EXHAUSTED`, as everywhere in gRPC.
//! - Health needs no token; reflection and everything else does.
#![forbid(unsafe_code)]

mod config;
mod seldom;
mod server;
pub mod service;

use hozo_traits::Result;

pub use config::{Config, Listen, SocketMode, TlsConfig};
pub use server::{Rpc, TokenEntry, local, parse_tokens, token_hash};
pub use service::Right;

/// The frontend's kind, as in the config.
pub const NAME: &str = "rpc";

/// Whether the settings make sense, without opening or asking anything; see
/// [`Config::check`].
pub fn check(config: &Config) -> Result<()> {
    config.check()
}
