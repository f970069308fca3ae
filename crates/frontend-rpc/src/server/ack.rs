//! Answers that wait for followers: the header `hozo-ack`.

use std::sync::Arc;
use std::time::Duration;

use hozo_traits::Replicator;
use http::HeaderMap;
use tonic::Status;
use tonic::body::Body;

use super::router::Answer;
use crate::service::refusal;

/// The header: how many followers have to have on stable storage what was
/// updated before the request is answered.
const ACK: &str = "hozo-ack";
/// As many as a config can ask for.
const FOLLOWERS_MAX: u32 = 100;
/// How long that may take if the client gives no time.
const WITHIN: Duration = Duration::from_secs(5);

/// For how many followers the client waits, if for any.
pub(super) fn followers(headers: &HeaderMap) -> Result<Option<u32>, Status> {
    let Some(value) = headers.get(ACK) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|digits| digits.parse().ok());
    let number = number.filter(|number| *number <= FOLLOWERS_MAX);
    let wrong = || Status::invalid_argument("hozo-ack is a number of followers, from 0 to 100");
    number.map(|number| (number > 0).then_some(number)).ok_or_else(wrong)
}

/// The answer, once so many followers have what the request updated. If they
/// have not in time, it is a failed call, although the update was made.
pub(super) fn after(
    answer: Answer,
    followers: u32,
    client: Option<Duration>,
    replicator: Option<&Arc<dyn Replicator>>,
) -> Result<Answer, Status> {
    let Some(replicator) = replicator.cloned() else {
        return Err(Status::unimplemented("this server has no replication: nobody follows it"));
    };
    // So that the client is told before its own time is over.
    let within = client.map_or(WITHIN, |client| client.mul_f64(0.9));
    Ok(Box::pin(async move {
        let answer = answer.await?;
        match replicator.acknowledged(followers, within).await {
            Ok(()) => Ok(answer),
            Err(error) => Ok(refusal(&error).into_http::<Body>()),
        }
    }))
}
