//! A server of streams that does what a test writes down as a function.

use std::future::Future;

use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;
use hozo_client::{Builder, Client};
use hozo_proto::hozo_v1::follow_request::Request;
use hozo_proto::hozo_v1::{FollowRequest, Hello};
use http::{HeaderMap, HeaderValue};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::scripted::{Messages, frame, response, trailers};

/// A call that came.
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    messages: Messages,
    respond: SendResponse<Bytes>,
    answers: Option<SendStream<Bytes>>,
}

impl Call {
    /// The next message that the client sends; `None` when it sends no more, or
    /// has gone.
    pub(crate) async fn next<M: Message + Default>(&mut self) -> Option<M> {
        let bytes = self.messages.next().await?;
        Some(M::decode(bytes).expect("the client sends what is right"))
    }

    pub(crate) async fn hello(&mut self) -> Hello {
        let first: Option<FollowRequest> = self.next().await;
        match first.and_then(|first| first.request) {
            Some(Request::Hello(hello)) => hello,
            other => panic!("no hello: {other:?}"),
        }
    }

    pub(crate) fn give(&mut self, message: &impl Message) {
        self.give_bytes(frame(&message.encode_to_vec()));
    }

    /// Bytes as they are, without framing.
    pub(crate) fn give_bytes(&mut self, bytes: Bytes) {
        let answers = self.answers.get_or_insert_with(|| {
            self.respond.send_response(response(), false).expect("the client is there")
        });
        // Of a client that went nothing is wanted.
        let _ = answers.send_data(bytes, false);
    }

    /// Ends the call with this code, and perhaps the kind of an error.
    pub(crate) fn end(&mut self, code: u32, message: &'static str, kind: Option<&'static str>) {
        let mut end = trailers(code, message);
        if let Some(kind) = kind {
            end.insert("hozo-error-kind", HeaderValue::from_static(kind));
        }
        match &mut self.answers {
            Some(answers) => drop(answers.send_trailers(end)),
            None => {
                let mut head = response();
                head.headers_mut().extend(end);
                let _ = self.respond.send_response(head, true);
            }
        }
    }

    /// Waits until the client does not listen any more.
    pub(crate) async fn left(&mut self) {
        while self.messages.next().await.is_some() {}
        let answers = self.answers.as_mut().expect("something was given");
        let _ = std::future::poll_fn(|context| answers.poll_reset(context)).await;
    }
}

/// A client of such a server, in this process.
pub(crate) fn client<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(Call) -> F + Clone + Send + Sync + 'static,
) -> Client {
    client_of(Client::builder(""), 1 << 20, serve)
}

/// With these settings, and a server that takes so many bytes unread.
pub(crate) fn client_of<F: Future<Output = ()> + Send + 'static>(
    builder: Builder,
    window_bytes: u32,
    serve: impl Fn(Call) -> F + Clone + Send + Sync + 'static,
) -> Client {
    let (near, far) = tokio::io::duplex(64 << 10);
    tokio::spawn(accept(far, window_bytes, serve));
    builder.over(near).expect("nothing is wrong with it")
}

/// Serves the calls of one connection.
pub(crate) async fn accept<S, F>(
    io: S,
    window_bytes: u32,
    serve: impl Fn(Call) -> F + Clone + Send + Sync + 'static,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()> + Send + 'static,
{
    let mut server = h2::server::Builder::new();
    let handshake = server.initial_window_size(window_bytes).handshake(io);
    let Ok(mut connection) = handshake.await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (head, body) = request.into_parts();
        let call = Call {
            path: head.uri.path().to_owned(),
            headers: head.headers,
            messages: Messages::of(body),
            respond,
            answers: None,
        };
        let serve = serve.clone();
        tokio::spawn(async move { serve(call).await });
    }
}
