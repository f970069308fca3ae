//! Finding out who asks.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Uri, header};
use tonic::Status;

use super::connection::Peer;
use super::core::Core;
use super::health::Health;
use super::places::Places;
use super::tokens::Tokens;
use crate::seldom::Seldom;
use crate::service::{Access, Grant};

/// Who asks on one connection. Most say the same each time, so what was found
/// last is kept.
pub(super) struct Asker {
    last: Option<Found>,
    peer: Peer,
    /// Places for questions about health.
    pub(super) health: Places,
}

struct Found {
    said: HeaderValue,
    /// Whose answer it was: after a reload it is asked again.
    by: Arc<Tokens>,
    access: Access,
}

impl Asker {
    pub(super) fn new(peer: Peer) -> Self {
        Asker { last: None, peer, health: Health::connection_places() }
    }

    /// What a request with this URI and these headers may.
    pub(super) fn access(
        &mut self,
        core: &Core,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Access, Status> {
        self.find(core, headers).inspect_err(|status| {
            if let Some(others) = core.unauthenticated.now() {
                let (peer, method, why) = (self.peer, uri.path(), status.message());
                tracing::warn!(%peer, method, why, others, "it is not known who asks");
            }
        })
    }

    /// What is to be said if the one who asks is denied what it asks; nothing if
    /// it may do all.
    pub(super) fn asked(&self, core: &Core, uri: &Uri, access: &Access) -> Option<Box<Asked>> {
        let Access::Rights(grant) = access else { return None };
        let (peer, uri, grant) = (self.peer, uri.clone(), Arc::clone(grant));
        Some(Box::new(Asked { peer, uri, grant, denials: Arc::clone(&core.denials) }))
    }

    fn find(&mut self, core: &Core, headers: &HeaderMap) -> Result<Access, Status> {
        let Some(tokens) = core.tokens() else { return Ok(Access::Full) };
        let said = headers.get(header::AUTHORIZATION).ok_or_else(|| {
            Status::unauthenticated("a token is wanted here: `authorization: Bearer TOKEN`")
        })?;
        if let Some(last) = &self.last
            && Arc::ptr_eq(&last.by, &tokens)
            && last.said == *said
        {
            return Ok(last.access.clone());
        }
        let token = bearer(said.as_bytes()).ok_or_else(|| {
            Status::unauthenticated("what proves who asks is `authorization: Bearer TOKEN`")
        })?;
        let grant = tokens
            .grant(token)
            .ok_or_else(|| Status::unauthenticated("the token is not known here"))?;
        let access = Access::Rights(Arc::clone(grant));
        self.last = Some(Found { said: said.clone(), by: tokens, access: access.clone() });
        Ok(access)
    }
}

/// Who asked for what.
pub(super) struct Asked {
    peer: Peer,
    uri: Uri,
    grant: Arc<Grant>,
    denials: Arc<Seldom>,
}

impl Asked {
    /// Notes an answer with these headers or trailers if it was denied. Whoever
    /// has a token can cause any number of those, so few are told of.
    pub(super) fn answered(&self, headers: &HeaderMap) {
        const DENIED: [&str; 2] = ["7", "16"];
        let denied =
            headers.get("grpc-status").is_some_and(|code| DENIED.iter().any(|c| code == c));
        if denied && let Some(others) = self.denials.now() {
            let status = Status::from_header_map(headers);
            let why = status.as_ref().map_or("", Status::message);
            let (peer, method, token) = (self.peer, self.uri.path(), self.grant.name());
            tracing::info!(%peer, method, token, why, others, "a request was denied");
        }
    }
}

/// The token of an `authorization` header.
fn bearer(said: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, token) = said.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token.trim_ascii())
}
