//! `grpc.health.v1.Health`: what load balancers and supervisors ask, without
//! any token.

use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use tokio::sync::watch;
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;
use tonic::server::{Grpc, UnaryService};
use tonic::{Response, Status, async_trait};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;
use tower_service::Service as _;

use super::body::RequestBody;
use super::places::Places;
use super::router::Answer;
use crate::service::Stopping;

/// Nobody asks for a service of a longer name, and anybody may ask.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Requests at once, and as many that watch; they are not counted among the
/// others, so that who may do nothing cannot take their places.
const REQUESTS_MAX: usize = 512;
/// The same on one connection: anybody may connect, and is not to have all.
const CONNECTION_REQUESTS_MAX: usize = 32;
/// For a request to arrive and to be answered: it is short, and nothing is done.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// All of it, under its two names; `dbm/NAME` is one DBM.
const WHOLE: [&str; 2] = ["", "tkrzw_rpc.DBMService"];
/// Replication, where there is any. That the log can be read does not depend on
/// any one DBM.
const REPLICATION: &str = "hozo.v1.Replication";

/// Answers how the DBMs are.
pub(super) struct Health {
    pub(super) places: Places,
    /// Of those who watch, so that there is always one for who asks once.
    pub(super) watches: Places,
    known: Known,
    server: HealthServer<Known>,
}

#[derive(Clone)]
struct Known {
    names: Vec<String>,
    replicates: bool,
    healthy: watch::Receiver<Vec<bool>>,
    stopping: Stopping,
}

impl Health {
    /// The places of one connection.
    pub(super) fn connection_places() -> Places {
        Places::new(CONNECTION_REQUESTS_MAX)
    }

    /// Of the DBMs of these names, by their index.
    pub(super) fn new(
        dbms: &[String],
        replicates: bool,
        healthy: watch::Receiver<Vec<bool>>,
        stopping: Stopping,
    ) -> Self {
        let names = dbms.iter().map(|name| format!("dbm/{name}")).collect();
        let known = Known { names, replicates, healthy, stopping };
        let server = HealthServer::new(known.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let places = || Places::new(REQUESTS_MAX);
        Health { places: places(), watches: places(), known, server }
    }

    pub(super) fn call(&self, request: Request<RequestBody>) -> Answer {
        if request.uri().path() != "/grpc.health.v1.Health/List" {
            return self.server.clone().call(request);
        }
        let list = List(self.known.clone());
        Box::pin(async move {
            let codec = ProstCodec::<HealthListResponse, HealthListRequest>::default();
            let mut grpc = Grpc::new(codec).max_decoding_message_size(MESSAGE_BYTES_MAX);
            Ok(grpc.unary(list, request).await)
        })
    }

    /// The DBMs whose stores failed last.
    pub(super) fn failing(&self) -> Vec<usize> {
        let healthy = self.known.healthy.borrow();
        healthy.iter().enumerate().filter_map(|(index, well)| (!well).then_some(index)).collect()
    }
}

impl Known {
    /// How the service of this name is; `None` if there is none.
    fn status(&self, name: &str, healthy: &[bool]) -> Option<ServingStatus> {
        let serving = if WHOLE.contains(&name) {
            // As long as one DBM can be used it is better to be asked than not.
            healthy.iter().any(|well| *well) || healthy.is_empty()
        } else if self.replicates && name == REPLICATION {
            true
        } else {
            healthy[self.names.iter().position(|known| known == name)?]
        };
        Some(if serving && !self.stopping.is_said() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        })
    }
}

#[async_trait]
impl HealthService for Known {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.status(&request.get_ref().service, &self.healthy.borrow())
            .map(|status| Response::new(of(status)))
            .ok_or_else(|| Status::not_found("there is no service or DBM of that name here"))
    }

    type WatchStream = Watching;

    async fn watch(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<Watching>, Status> {
        let known = self.clone();
        Ok(Response::new(Watching {
            changes: WatchStream::new(known.healthy.clone()),
            stopping: Box::pin(async move { known.stopping.said().await }),
            known: self.clone(),
            name: request.into_inner().service,
            last: None,
            ended: false,
        }))
    }
}

fn of(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// Tells how a service is, now and whenever it changes.
struct Watching {
    known: Known,
    name: String,
    changes: WatchStream<Vec<bool>>,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
    last: Option<ServingStatus>,
    ended: bool,
}

impl Stream for Watching {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(None);
            }
            let healthy = if this.stopping.as_mut().poll(context).is_ready() {
                this.ended = true;
                this.known.healthy.borrow().clone()
            } else {
                match ready!(Pin::new(&mut this.changes).poll_next(context)) {
                    Some(healthy) => healthy,
                    None => return Poll::Ready(None),
                }
            };
            let status =
                this.known.status(&this.name, &healthy).unwrap_or(ServingStatus::ServiceUnknown);
            if this.last.replace(status) != Some(status) {
                return Poll::Ready(Some(Ok(of(status))));
            }
        }
    }
}

/// `List` is newer than the code that `tonic-health` has.
struct List(Known);

impl UnaryService<HealthListRequest> for List {
    type Response = HealthListResponse;
    type Future = std::future::Ready<Result<Response<HealthListResponse>, Status>>;

    fn call(&mut self, _: tonic::Request<HealthListRequest>) -> Self::Future {
        let healthy = self.0.healthy.borrow();
        let services = WHOLE.into_iter().chain([REPLICATION]);
        let names = services.chain(self.0.names.iter().map(String::as_str));
        let statuses = names
            .filter_map(|name| Some((name.to_owned(), of(self.0.status(name, &healthy)?))))
            .collect();
        std::future::ready(Ok(Response::new(HealthListResponse { statuses })))
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthListRequest {}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthListResponse {
    #[prost(map = "string, message", tag = "1")]
    statuses: HashMap<String, HealthCheckResponse>,
}
