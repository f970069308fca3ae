//! From a request's path to who answers it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use h2::RecvStream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service as _;

use super::access::{Asked, Asker};
use super::body::{Arrival, RequestBody};
use super::core::Core;
use super::places::Place;
use super::room::Share;
use super::{ack, deadline, health};
use crate::service::KIND;

#[cfg(test)]
mod tests;

/// The answer to come.
pub(super) type Answer =
    Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send + 'static>>;

/// A request that was accepted.
pub(super) struct Accepted {
    pub(super) answer: Answer,
    /// By whom, if that may be denied something.
    pub(super) asked: Option<Box<Asked>>,
    pub(super) times: Times,
    /// Taken as long as the request is answered.
    pub(super) place: Place,
    /// The same, of the connection.
    pub(super) own_place: Option<Place>,
    /// Room for what of the answer is not sent yet.
    pub(super) share: Share,
    /// Whether an answer may tell of an update that was made: it is given even
    /// where there is no room for it. The service looks for room before.
    pub(super) owed: bool,
}

/// How long a request may take.
pub(super) struct Times {
    /// What the client gives.
    pub(super) client: Option<Duration>,
    /// What the server gives a request with one answer.
    pub(super) server: Option<Duration>,
    /// After how long it is looked what a client took of an answer whose room
    /// others need.
    pub(super) taking: Duration,
    /// Once this is true the server gives it any time: it may be one that waits.
    pub(super) arrived: Option<Arc<Arrival>>,
}

/// Whose request it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Dbms,
    Replication,
    Health,
    Reflection,
}

/// How often a request is answered, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manner {
    Once,
    /// To one message, and perhaps only after any time.
    Late,
    /// The same, with a record that the request may have removed or replaced.
    Taking,
    Often,
}

/// Whose a path is, and in what manner it is answered.
fn route(path: &str) -> Option<(Whose, Manner)> {
    let (service, method) = path.strip_prefix('/')?.rsplit_once('/')?;
    let whose = match service {
        "tkrzw_rpc.DBMService" => Whose::Dbms,
        "hozo.v1.Replication" => Whose::Replication,
        "grpc.health.v1.Health" => Whose::Health,
        "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection" => {
            Whose::Reflection
        }
        _ => return None,
    };
    let manner = match method {
        // These wait for records, or go through all of them.
        "CompareExchange" | "PopFirst" => Manner::Taking,
        "Search" | "Clear" | "Rebuild" | "Synchronize" => Manner::Late,
        // These change what a server is, which may take another's answer.
        "ChangeMaster" | "ChangeSource" | "Promote" | "Prune" => Manner::Late,
        // One message asks for all that is said.
        "Watch" | "Replicate" => Manner::Late,
        "Stream" | "Iterate" | "Follow" | "FollowPages" | "ServerReflectionInfo" => Manner::Often,
        _ => Manner::Once,
    };
    Some((whose, manner))
}

/// Hands a request to who answers it, or says at once why not.
pub(super) fn accept(
    core: &Core,
    asker: &mut Asker,
    request: Request<RecvStream>,
) -> Result<Accepted, Response<()>> {
    let (mut parts, stream) = request.into_parts();
    tracing::debug!(path = parts.uri.path(), "request");
    speaks_grpc(&parts.method, &parts.headers)?;
    let Some((whose, manner)) = route(parts.uri.path()) else {
        return Err(refusal(Status::unimplemented("there is no service of that name here")));
    };
    let mut asked = None;
    if whose != Whose::Health {
        let access = asker.access(core, &parts.uri, &parts.headers).map_err(refusal)?;
        asked = asker.asked(core, &parts.uri, &access);
        parts.extensions.insert(access);
    }
    let client = deadline::timeout(&parts.headers).map_err(refusal)?;
    let acknowledged = match whose {
        Whose::Dbms => ack::followers(&parts.headers).map_err(refusal)?,
        _ => None,
    };
    if acknowledged.is_some() && manner == Manner::Often {
        let what = "hozo-ack is for requests with one answer; a DBM's own `ack` holds for streams";
        return Err(refusal(Status::invalid_argument(what)));
    }
    let places = match (whose, manner) {
        (Whose::Health, Manner::Late) => &core.health.watches,
        (Whose::Health, _) => &core.health.places,
        _ => &core.requests,
    };
    let place = places.take().ok_or_else(|| {
        refusal(Status::resource_exhausted("too many requests at once: try again later"))
    })?;
    let own_place = match whose {
        Whose::Health => Some(asker.health.take().ok_or_else(|| {
            let what = "too many requests at once on this connection: try again later";
            refusal(Status::resource_exhausted(what))
        })?),
        Whose::Dbms | Whose::Replication | Whose::Reflection => None,
    };
    let owed = whose == Whose::Dbms && matches!(manner, Manner::Taking | Manner::Often);
    let taking = core.limits.request;
    let mut times = Times { client, server: None, taking, arrived: None };
    if manner != Manner::Often {
        times.server = Some(match whose {
            Whose::Health => core.limits.request.min(health::REQUEST_TIMEOUT),
            Whose::Dbms | Whose::Replication | Whose::Reflection => core.limits.request,
        });
    }
    let mut body = RequestBody::new(stream, &core.room);
    if matches!(manner, Manner::Late | Manner::Taking) {
        let telling = body.telling();
        body = telling.0;
        times.arrived = Some(telling.1);
    }
    let answer: Answer = match whose {
        // One is a few counters: a clone for the request costs less than a lock.
        Whose::Dbms => core.service.clone().call(Request::from_parts(parts, body)),
        Whose::Replication => core.replication.clone().call(Request::from_parts(parts, body)),
        Whose::Health => {
            let body = body.until(&core.stopping);
            core.health.call(Request::from_parts(parts, body))
        }
        Whose::Reflection => match &core.reflection {
            Some(reflection) => {
                let body = body.until(&core.stopping);
                reflection.call(Request::from_parts(parts, body))
            }
            None => return Err(refusal(Status::unimplemented("there is no reflection here"))),
        },
    };
    let answer = match acknowledged {
        Some(followers) => {
            ack::after(answer, followers, client, core.replicator.as_ref()).map_err(refusal)?
        }
        None => answer,
    };
    Ok(Accepted { asked, answer, times, place, own_place, share: core.room.share(), owed })
}

/// What is not gRPC is answered as HTTP.
fn speaks_grpc(method: &Method, headers: &HeaderMap) -> Result<(), Response<()>> {
    let plain = |status| {
        let mut response = Response::new(());
        *response.status_mut() = status;
        response
    };
    if method != Method::POST {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Err(response);
    }
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let rest = kind.strip_prefix(b"application/grpc");
    // Not application/grpc-web, which frames its messages in another way.
    if rest.is_some_and(|rest| matches!(rest, b"" | b"+proto") || rest.starts_with(b";")) {
        return Ok(());
    }
    Err(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

fn refusal(status: Status) -> Response<()> {
    status.into_http()
}

/// Says of messages that are too large what every gRPC says: `tonic` says
/// `OUT_OF_RANGE`. So does replication, which names the kind of its error.
pub(super) fn translate(headers: &mut HeaderMap) {
    const STATUS: &str = "grpc-status";
    if headers.get(STATUS).is_some_and(|code| code == "11") && !headers.contains_key(KIND) {
        headers.insert(STATUS, HeaderValue::from_static("8"));
    }
}
