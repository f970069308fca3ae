//! Sockets, TLS, tokens, limits: everything between a client's bytes and the
//! service.

mod accept;
mod access;
mod ack;
mod body;
mod call;
mod connection;
mod core;
mod deadline;
mod health;
mod joined;
mod listener;
mod places;
mod pulse;
mod reflection;
mod room;
mod router;
mod running;
mod threads;
mod tls;
mod tokens;

use std::path::Path;

use hozo_traits::{Claim, Frontend, Needs, Parts, Result, Running};
use tokio::io::DuplexStream;

use crate::config::Config;

pub use self::tokens::{TokenEntry, parse_tokens, token_hash};

/// The service, with its config checked and not yet running.
#[derive(Clone, Debug)]
pub struct Rpc {
    config: Config,
    claims: Vec<Claim>,
}

impl Rpc {
    /// Checks the config, takes its relative paths as relative to `base`, and
    /// looks up the names that it listens at. Nothing is opened.
    pub fn new(config: Config, base: &Path) -> Result<Self> {
        config.check()?;
        let config = config.resolved(base);
        let claims = config.listen.iter().map(|listen| listen.claim()).collect::<Result<_>>()?;
        Ok(Rpc { config, claims })
    }
}

impl Frontend for Rpc {
    fn kind(&self) -> &'static str {
        crate::NAME
    }

    fn needs(&self) -> Needs {
        Needs { dbms: true }
    }

    fn claims(&self) -> Vec<Claim> {
        self.claims.clone()
    }

    fn start(&self, parts: Parts) -> Result<Box<dyn Running>> {
        Ok(Box::new(running::start(&self.config, &self.claims, parts)?))
    }
}

/// Serves one connection inside this process, on the tokio runtime that this is
/// called in, and answers its other end. Who has that has every right.
pub fn local(parts: Parts) -> Result<DuplexStream> {
    running::local(parts)
}
