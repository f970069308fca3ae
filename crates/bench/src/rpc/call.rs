//! gRPC over a connection: one request and its answer, and messages in frames.

use bytes::{Buf, Bytes, BytesMut};
use h2::RecvStream;
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};

use super::trouble::Trouble;

#[cfg(test)]
mod tests;

/// What comes before each message: whether it is compressed, and its length.
pub(super) const PREFIX_BYTES: usize = 5;
/// The longest message that is taken.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// One request, as it is framed already, and its answer.
pub(super) async fn unary(
    send: &SendRequest<Bytes>,
    head: &Request<()>,
    message: Bytes,
) -> Result<Bytes, Trouble> {
    let mut send = send.clone().ready().await?;
    let (response, mut body) = send.send_request(head.clone(), false)?;
    body.send_data(message, true)?;
    let response = response.await?;
    accepted(response.status(), response.headers())?;
    let mut body = response.into_body();
    let mut messages = Messages::default();
    let mut answer = None;
    while let Some(bytes) = data(&mut body).await? {
        messages.add(bytes);
        while let Some(message) = messages.next()? {
            if answer.replace(message).is_some() {
                return Err(Trouble::garbage("there are two answers to one request"));
            }
        }
    }
    let trailers = body.trailers().await?;
    ended(trailers.as_ref())?;
    answer.ok_or_else(|| Trouble::garbage("there is no answer, and no error"))
}

/// The next bytes of a body; room for as many more is given back.
pub(super) async fn data(body: &mut RecvStream) -> Result<Option<Bytes>, Trouble> {
    let Some(bytes) = body.data().await else { return Ok(None) };
    let bytes = bytes?;
    body.flow_control().release_capacity(bytes.len())?;
    Ok(Some(bytes))
}

/// Whether a response is gRPC's, and not an error from the beginning.
pub(super) fn accepted(status: StatusCode, headers: &HeaderMap) -> Result<(), Trouble> {
    if status != StatusCode::OK {
        return Err(Trouble::of(format!("HTTP {}", status.as_u16()), "instead of gRPC"));
    }
    if headers.contains_key("grpc-status") { ended(Some(headers)) } else { Ok(()) }
}

/// What the trailers say.
pub(super) fn ended(trailers: Option<&HeaderMap>) -> Result<(), Trouble> {
    let Some(trailers) = trailers else {
        return Err(Trouble::garbage("the answer ends without a status"));
    };
    let text = |name| trailers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    match text("grpc-status") {
        Some(code) if code == "0" => Ok(()),
        Some(code) => {
            let code = code.parse().unwrap_or(u32::MAX);
            Err(Trouble::grpc(code, text("grpc-message").unwrap_or_default()))
        }
        None => Err(Trouble::garbage("the answer ends without a status")),
    }
}

/// Takes messages out of the bytes that they come in.
#[derive(Default)]
pub(super) struct Messages {
    /// What came and was not taken yet.
    rest: Bytes,
}

impl Messages {
    /// Adds what came next.
    pub(super) fn add(&mut self, bytes: Bytes) {
        if self.rest.is_empty() {
            // The usual case: a frame has whole messages, and nothing is copied.
            self.rest = bytes;
        } else {
            let mut joined = BytesMut::with_capacity(self.rest.len() + bytes.len());
            joined.extend_from_slice(&self.rest);
            joined.extend_from_slice(&bytes);
            self.rest = joined.freeze();
        }
    }

    /// The next message that is there as a whole.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        let Some(prefix) = self.rest.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let [compressed, length @ ..] = *prefix;
        let length = u32::from_be_bytes(length) as usize;
        if compressed != 0 {
            return Err(Trouble::garbage("the answer is compressed, which nobody asked for"));
        }
        if length > MESSAGE_BYTES_MAX {
            return Err(Trouble::garbage("the answer is longer than any that is taken"));
        }
        if self.rest.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.rest.advance(PREFIX_BYTES);
        Ok(Some(self.rest.split_to(length)))
    }
}
