//! A server that does what a test tells it, for each call that it gets.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::future::{Either, select};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;

/// What becomes of a call.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// It is answered with an empty message, which is success of everything.
    Answer,
    /// It fails with this gRPC code and message.
    Fail(u32, &'static str),
    /// The connection is dropped once the request is here.
    Drop,
    /// The connection is dropped once so many messages of the request are here.
    DropAfter(usize),
    /// So many messages are taken, each answered with this one; then the call
    /// ends in order, whatever else was asked.
    Echo(usize, Bytes),
    /// The stream is refused before it is looked at.
    Refuse,
    /// Nothing.
    Silence,
}

type Script = Arc<dyn Fn(&str, usize) -> Act + Send + Sync>;

/// A server. Its connections and tasks end with the runtime.
pub(crate) struct Scripted {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A call that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Scripted {
    /// The script is given the path and how many calls of it came before.
    pub(crate) async fn start(
        script: impl Fn(&str, usize) -> Act + Send + Sync + 'static,
    ) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, calls): (Script, _) = (Arc::new(script), seen.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, script.clone(), calls.clone()));
            }
        });
        Scripted { url, seen }
    }

    /// A server at a Unix socket, which is there as soon as this answers.
    pub(crate) fn at(
        path: &Path,
        script: impl Fn(&str, usize) -> Act + Send + Sync + 'static,
    ) -> Scripted {
        let listener = UnixListener::bind(path).expect("nothing is there");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, calls): (Script, _) = (Arc::new(script), seen.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, script.clone(), calls.clone()));
            }
        });
        Scripted { url: format!("unix:{}", path.display()), seen }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// All calls so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no test panics there").clone()
    }

    /// How many calls of this rpc came.
    pub(crate) fn count(&self, rpc: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path.ends_with(&format!("/{rpc}"))).count()
    }
}

async fn serve<S>(socket: S, script: Script, seen: Arc<Mutex<Vec<Seen>>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(mut connection) = h2::server::handshake(socket).await else { return };
    let (kill, mut killed) = mpsc::channel::<()>(1);
    loop {
        let next = {
            let accept = std::pin::pin!(connection.accept());
            let kill = std::pin::pin!(killed.recv());
            match select(kill, accept).await {
                Either::Left(_) => return,
                Either::Right((next, _)) => next,
            }
        };
        let Some(Ok((request, respond))) = next else { return };
        let path = request.uri().path().to_owned();
        let act = {
            let mut seen = seen.lock().expect("no test panics there");
            let before = seen.iter().filter(|seen| seen.path == path).count();
            seen.push(Seen { path: path.clone(), headers: request.headers().clone() });
            script(&path, before)
        };
        tokio::spawn(perform(act, request, respond, kill.clone()));
    }
}

async fn perform(
    act: Act,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    kill: mpsc::Sender<()>,
) {
    let mut messages = Messages::of(request.into_body());
    match act {
        Act::Refuse => return respond.send_reset(h2::Reason::REFUSED_STREAM),
        Act::DropAfter(count) => {
            for _ in 0..count {
                messages.next().await;
            }
            let _ = kill.send(()).await;
            return;
        }
        Act::Echo(count, message) => {
            let head = response();
            let Ok(mut stream) = respond.send_response(head, false) else { return };
            for _ in 0..count {
                messages.next().await;
                let _ = stream.send_data(frame(&message), false);
            }
            let _ = stream.send_trailers(trailers(0, ""));
            return;
        }
        _ => {}
    }
    while messages.next().await.is_some() {}
    let answer = match act {
        Act::Answer => Bytes::new(),
        Act::Fail(code, message) => {
            let mut head = response();
            *head.headers_mut() = trailers(code, message);
            head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
            let _ = respond.send_response(head, true);
            return;
        }
        Act::Drop => {
            let _ = kill.send(()).await;
            return;
        }
        _ => return std::future::pending().await,
    };
    let Ok(mut stream) = respond.send_response(response(), false) else { return };
    let _ = stream.send_data(frame(&answer), false);
    let _ = stream.send_trailers(trailers(0, ""));
}

pub(crate) fn response() -> Response<()> {
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(()).expect("it is a response")
}

pub(crate) fn trailers(code: u32, message: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code));
    trailers.insert("grpc-message", HeaderValue::from_static(message));
    trailers
}

pub(crate) fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("small");
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}

/// The messages of a request.
pub(crate) struct Messages {
    body: RecvStream,
    buffer: BytesMut,
}

impl Messages {
    pub(crate) fn of(body: RecvStream) -> Messages {
        Messages { body, buffer: BytesMut::new() }
    }

    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(head) = self.buffer.get(1..5) {
                let length = u32::from_be_bytes(head.try_into().expect("four")) as usize;
                if self.buffer.len() >= 5 + length {
                    self.buffer.advance(5);
                    return Some(self.buffer.split_to(length).freeze());
                }
            }
            let data = self.body.data().await?.ok()?;
            let _ = self.body.flow_control().release_capacity(data.len());
            self.buffer.extend_from_slice(&data);
        }
    }
}
