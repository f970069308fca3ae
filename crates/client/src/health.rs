//! `grpc.health.v1`: whether a server serves.

use hozo_traits::Result;

use crate::Client;
use crate::rpcs::Unary;

/// Whether a service serves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HealthStatus {
    /// It does.
    Serving,
    /// It does not.
    NotServing,
    /// The server does not know.
    Unknown,
}

/// The protocol's request.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

/// The protocol's answer.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

impl Unary for HealthCheckRequest {
    type Answer = HealthCheckResponse;
    const PATH: &'static str = "/grpc.health.v1.Health/Check";

    fn repeatable(&self) -> bool {
        true
    }
}

impl Client {
    /// Whether the server serves. One without the health service, such as
    /// Tkrzw's, is [`Unsupported`](hozo_traits::ErrorKind::Unsupported).
    pub async fn health(&self) -> Result<HealthStatus> {
        self.health_of("").await
    }

    /// Whether a service of the server serves: `dbm/NAME` is a DBM. A service
    /// that there is not is [`NotFound`](hozo_traits::ErrorKind::NotFound).
    pub async fn health_of(&self, service: impl Into<String>) -> Result<HealthStatus> {
        let answer = self.call(HealthCheckRequest { service: service.into() }).await?;
        Ok(match answer.status {
            1 => HealthStatus::Serving,
            2 => HealthStatus::NotServing,
            _ => HealthStatus::Unknown,
        })
    }
}
