//! gRPC's framing: messages with their lengths, and how a call ended.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::{Reason, RecvStream};
use hozo_traits::{Error, ErrorKind};
use http::{HeaderMap, Response, StatusCode};
use prost::Message;
use tonic::Code;

use super::Failed;
use crate::error::{Reached, from_grpc};

/// A flag for compression, which is never used, and a length.
const PREFIX_BYTES: usize = 5;

/// A message as it goes over the wire.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let mut buffer = BytesMut::with_capacity(PREFIX_BYTES + message.encoded_len());
    put(message, &mut buffer);
    buffer.freeze()
}

/// Puts a message behind others.
pub(super) fn put(message: &impl Message, buffer: &mut BytesMut) {
    let length = message.encoded_len();
    buffer.reserve(PREFIX_BYTES + length);
    buffer.put_u8(0);
    // Nothing of that size is sent: a server refuses far less.
    buffer.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode(buffer).expect("there is room");
}

/// The messages that arrive on a stream.
pub(super) struct Incoming {
    body: RecvStream,
    /// What arrived and is not taken yet. Messages are slices of it, so a value
    /// is not copied unless its message came in several parts.
    chunk: Bytes,
    bytes_max: usize,
}

impl Incoming {
    pub(super) fn new(body: RecvStream, bytes_max: usize) -> Incoming {
        Incoming { body, chunk: Bytes::new(), bytes_max }
    }

    /// The next message's bytes; `None` at the end, when [`ended`](Self::ended)
    /// says what it came to.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        if self.chunk.is_empty() {
            match self.data().await? {
                None => return Ok(None),
                Some(data) => self.chunk = data,
            }
        }
        while self.chunk.len() < PREFIX_BYTES {
            self.join(PREFIX_BYTES).await?;
        }
        let (flag, length) = (self.chunk[0], (&self.chunk[1..PREFIX_BYTES]).get_u32());
        if flag != 0 {
            return Err(nonsense("the server sent a message that is compressed"));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.bytes_max {
            let what =
                "the server's answer is too large; raise `max_message_bytes`, or ask for less";
            let error = Error::new(ErrorKind::TooLarge, what).with("bytes", length);
            return Err((error.with("max_message_bytes", self.bytes_max), Reached::Answered));
        }
        if self.chunk.len() < PREFIX_BYTES + length {
            self.join(PREFIX_BYTES + length).await?;
        }
        self.chunk.advance(PREFIX_BYTES);
        Ok(Some(self.chunk.split_to(length)))
    }

    /// Reads on until so many bytes are together.
    async fn join(&mut self, bytes: usize) -> Result<(), Failed> {
        // What is said of a length is not believed before it is there.
        let mut joined = BytesMut::with_capacity(bytes.min(self.chunk.len() + (64 << 10)));
        joined.extend_from_slice(&self.chunk);
        while joined.len() < bytes {
            let Some(data) = self.data().await? else {
                // The status says more than that something is missing.
                self.chunk = Bytes::new();
                self.ended().await?;
                return Err(nonsense("the server's answer ends within a message"));
            };
            joined.extend_from_slice(&data);
        }
        self.chunk = joined.freeze();
        Ok(())
    }

    async fn data(&mut self) -> Result<Option<Bytes>, Failed> {
        loop {
            let data = match self.body.data().await {
                None => return Ok(None),
                Some(data) => data.map_err(|error| broken(&error))?,
            };
            // What is read makes room for more. A stream that is over needs none.
            let _ = self.body.flow_control().release_capacity(data.len());
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    /// What the call came to.
    pub(super) async fn ended(&mut self) -> Result<(), Failed> {
        let trailers = self.body.trailers().await.map_err(|error| broken(&error))?;
        match trailers.as_ref().and_then(status) {
            Some(status) => status,
            None => Err(nonsense("the server's answer ends without a status")),
        }
    }
}

/// Whether a response is one of gRPC that has messages; `false` if it is over
/// already, well.
pub(super) fn begins<B>(response: &Response<B>) -> Result<bool, Failed> {
    if let Some(status) = status(response.headers()) {
        return status.map(|()| false);
    }
    let code = match response.status() {
        StatusCode::OK => {
            let kind = response.headers().get(http::header::CONTENT_TYPE);
            if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
                return Ok(true);
            }
            Code::Unknown
        }
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::Unimplemented,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    };
    let message = format!("the server answered with HTTP {}, not gRPC", response.status());
    Err(from_grpc(code, &message))
}

/// The status in headers or trailers, if there is one.
fn status(headers: &HeaderMap) -> Option<Result<(), Failed>> {
    let number = headers.get("grpc-status")?;
    if number == "0" {
        return Some(Ok(()));
    }
    let number = number.to_str().ok().and_then(|number| number.parse().ok());
    let message = headers.get("grpc-message").map_or(&b""[..], |message| message.as_bytes());
    Some(Err(from_grpc(number.map_or(Code::Unknown, Code::from_i32), &unescaped(message))))
}

/// A message as it was before gRPC made a header of it. What was never escaped
/// stays.
fn unescaped(message: &[u8]) -> String {
    let digit = |at: usize| message.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let (mut bytes, mut at) = (Vec::with_capacity(message.len()), 0);
    while at < message.len() {
        match (message[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high << 4 | low).unwrap_or(b'?'));
                at += 3;
            }
            (byte, ..) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A message of bytes that the server said are one.
pub(super) fn decoded<A: Message + Default>(bytes: Bytes) -> Result<A, Failed> {
    A::decode(bytes).map_err(|error| {
        let (what, reached) = nonsense("the server sent what is no message of the protocol");
        (what.caused_by(error), reached)
    })
}

pub(super) fn nonsense(what: &'static str) -> Failed {
    (Error::new(ErrorKind::Internal, what).with("grpc", "INTERNAL"), Reached::Answered)
}

/// What an error of HTTP/2 is to who calls.
pub(super) fn broken(error: &h2::Error) -> Failed {
    let refused =
        error.is_reset() && error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM);
    let what = match error.is_reset() && error.is_remote() {
        true => "the server broke the call off",
        false => "the connection to the server broke",
    };
    let error = Error::new(ErrorKind::Unavailable, what)
        .caused_by(error.to_string())
        .with("grpc", "UNAVAILABLE");
    (error, if refused { Reached::Nothing } else { Reached::Unavailable })
}

#[cfg(test)]
mod tests;
