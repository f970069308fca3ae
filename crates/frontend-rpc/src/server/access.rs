//! Finding out who asks.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use tonic::Status;

use super::core::Core;
use super::health::Health;
use super::places::Places;
use super::tokens::Tokens;
use crate::service::Access;

/// Who asks on one connection. Most say the same each time, so what was found
/// last is kept.
pub(super) struct Asker {
    last: Option<Found>,
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
    pub(super) fn new() -> Self {
        Asker { last: None, health: Health::connection_places() }
    }

    /// What a request with these headers may.
    pub(super) fn access(&mut self, core: &Core, headers: &HeaderMap) -> Result<Access, Status> {
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

/// The token of an `authorization` header.
fn bearer(said: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, token) = said.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token.trim_ascii())
}
