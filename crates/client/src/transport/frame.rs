//! gRPC's framing: messages with their lengths, and how a call ended.

use std::mem;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::{Reason, RecvStream};
use hozo_traits::{Error, ErrorKind};
use http::{HeaderMap, Response, StatusCode};
use prost::Message;
use tonic::Code;

use super::Failed;
use crate::error::{Reached, from_grpc, of_kind};

/// The header of a status in which Hozo's servers name the kind of an error.
const KIND: &str = "hozo-error-kind";
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

/// The messages that arrive on a stream. What it is asked for may be dropped
/// while it waits: nothing that arrived is lost.
pub(super) struct Incoming {
    body: RecvStream,
    /// What arrived and is not taken yet. Messages are slices of it, so a value
    /// is not copied unless its message came in several parts.
    chunk: Bytes,
    /// The parts so far of what came in several; then nothing is in `chunk`.
    joined: BytesMut,
    bytes_max: usize,
    /// How many bytes have arrived.
    arrived: u64,
}

impl Incoming {
    pub(super) fn new(body: RecvStream, bytes_max: usize) -> Incoming {
        Incoming { body, chunk: Bytes::new(), joined: BytesMut::new(), bytes_max, arrived: 0 }
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// How many bytes have arrived, whole messages or not.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// The next message's bytes; `None` at the end, when [`ended`](Self::ended)
    /// says what it came to.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        if self.waiting().is_empty() {
            match self.data().await? {
                None => return Ok(None),
                Some(data) => self.chunk = data,
            }
        }
        self.join(PREFIX_BYTES).await?;
        let prefix = self.waiting();
        let (flag, length) = (prefix[0], (&prefix[1..PREFIX_BYTES]).get_u32());
        if flag != 0 {
            return Err(nonsense("the server sent a message that is compressed"));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.bytes_max {
            let error = too_large(self.bytes_max).with("bytes", length);
            return Err((error, Reached::Answered));
        }
        self.join(PREFIX_BYTES + length).await?;
        if !self.joined.is_empty() {
            self.chunk = mem::take(&mut self.joined).freeze();
        }
        self.chunk.advance(PREFIX_BYTES);
        Ok(Some(self.chunk.split_to(length)))
    }

    /// What arrived and is not taken yet.
    fn waiting(&self) -> &[u8] {
        if self.joined.is_empty() { &self.chunk } else { &self.joined }
    }

    /// Reads on until so many bytes are together.
    async fn join(&mut self, bytes: usize) -> Result<(), Failed> {
        if self.waiting().len() >= bytes {
            return Ok(());
        }
        if self.joined.is_empty() {
            // What is said of a length is not believed before it is there.
            self.joined.reserve(bytes.min(self.chunk.len() + (64 << 10)));
            self.joined.extend_from_slice(&mem::take(&mut self.chunk));
        }
        while self.joined.len() < bytes {
            let Some(data) = self.data().await? else {
                // The status says more than that something is missing.
                self.joined = BytesMut::new();
                self.ended().await?;
                return Err(nonsense("the server's answer ends within a message"));
            };
            self.joined.extend_from_slice(&data);
        }
        Ok(())
    }

    async fn data(&mut self) -> Result<Option<Bytes>, Failed> {
        loop {
            let data = match self.body.data().await {
                None => return Ok(None),
                Some(data) => data.map_err(|error| broken(&error))?,
            };
            self.arrived = self.arrived.saturating_add(data.len() as u64);
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
    let code = number.map_or(Code::Unknown, Code::from_i32);
    let (error, reached) = from_grpc(code, &unescaped(message));
    // Hozo's servers say the kind where a code does not.
    let said = headers.get(KIND).map(|kind| kind.as_bytes());
    let kind = ErrorKind::ALL.into_iter().find(|kind| Some(kind.as_str().as_bytes()) == said);
    let error = match kind {
        Some(kind) => of_kind(&error, kind),
        None => error,
    };
    Some(Err((error, reached)))
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

/// An answer, or what it would take to keep it, is larger than this client takes.
pub(crate) fn too_large(bytes_max: usize) -> Error {
    let what = "the server's answer is too large; raise `max_message_bytes`, or ask for less";
    Error::new(ErrorKind::TooLarge, what).with("max_message_bytes", bytes_max)
}

pub(crate) fn nonsense(what: &'static str) -> Failed {
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
