//! One request, one answer.

use bytes::Bytes;
use http::HeaderMap;
use prost::Message;

use super::frame::{Incoming, begins, broken, decoded, nonsense};
use super::{Failed, Transport};
use crate::error::Reached;

impl Transport {
    /// Sends a message, as [`framed`](super::framed) made it, and waits for the
    /// answer. Dropping the future takes the call back.
    pub(crate) async fn unary<A: Message + Default>(
        &self,
        path: &'static str,
        headers: HeaderMap,
        message: Bytes,
    ) -> Result<A, Failed> {
        let mut connection = self.connection().await?;
        let unsent = |error| (broken(&error).0, Reached::Nothing);
        let (response, mut body) =
            connection.send_request(self.request(path, headers), false).map_err(unsent)?;
        // An error here is one of the stream, which the response has as well, and
        // perhaps with a status of the server's.
        let _ = body.send_data(message, true);
        let response = response.await.map_err(|error| broken(&error))?;
        if !begins(&response)? {
            return Err(nonsense("the server answered well, but without an answer"));
        }
        let mut incoming = Incoming::new(response.into_body(), self.message_bytes_max);
        let Some(answer) = incoming.next().await? else {
            incoming.ended().await?;
            return Err(nonsense("the server answered well, but without an answer"));
        };
        if incoming.next().await?.is_some() {
            return Err(nonsense("the server answered one call twice"));
        }
        incoming.ended().await?;
        decoded(answer)
    }
}
