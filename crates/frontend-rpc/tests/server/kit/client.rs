//! gRPC by hand over `h2`, so that a test sees what is on the wire.

use std::net::SocketAddr;
use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// One connection.
pub(crate) struct Client {
    send: SendRequest<Bytes>,
    pings: Mutex<h2::PingPong>,
    /// Ends when the connection does.
    driver: JoinHandle<Result<(), h2::Error>>,
}

/// An answer, whatever it is.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) http: u16,
    /// The gRPC status; -1 if there was none.
    pub(crate) code: i32,
    pub(crate) message: String,
    /// The trailer `hozo-error-kind`.
    pub(crate) kind: String,
    pub(crate) answers: Vec<Bytes>,
}

/// A request whose messages and answers come as they like.
pub(crate) struct Conversation {
    pub(crate) send: SendStream<Bytes>,
    response: Option<h2::client::ResponseFuture>,
    receive: Option<RecvStream>,
    buffer: BytesMut,
    head: (u16, HeaderMap),
}

/// A message as gRPC frames it.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

impl Client {
    pub(crate) async fn tcp(address: SocketAddr) -> Self {
        Client::over(TcpStream::connect(address).await.unwrap()).await.unwrap()
    }

    /// One that lets the server send so many bytes of an answer ahead.
    pub(crate) async fn narrow(address: SocketAddr, window: u32) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window);
        Client::with(builder.handshake(tcp).await.unwrap())
    }

    pub(crate) async fn unix(path: &Path) -> Self {
        Client::over(UnixStream::connect(path).await.unwrap()).await.unwrap()
    }

    pub(crate) async fn over<IO>(io: IO) -> Result<Self, h2::Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Ok(Client::with(h2::client::handshake(io).await?))
    }

    fn with<IO>(
        (send, mut connection): (SendRequest<Bytes>, h2::client::Connection<IO, Bytes>),
    ) -> Self
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pings = Mutex::new(connection.ping_pong().unwrap());
        Client { send, pings, driver: tokio::spawn(connection) }
    }

    /// Waits until the connection has ended.
    pub(crate) async fn ended(self) -> Result<(), h2::Error> {
        drop(self.send);
        self.driver.await.unwrap()
    }

    /// Waits until the server closes the connection, which this side keeps.
    pub(crate) async fn closed(mut self) -> Result<(), h2::Error> {
        let ended = (&mut self.driver).await.unwrap();
        drop(self.send);
        ended
    }

    /// Breaks the connection off.
    pub(crate) fn abort(self) {
        self.driver.abort();
    }

    /// Waits until the server has said something, and lets requests be made.
    pub(crate) async fn ready(&self) -> Result<(), h2::Error> {
        let mut pings = self.pings.lock().await;
        pings.ping(h2::Ping::opaque()).await.map(|_| ())
    }

    /// How many requests the server lets this connection make at once.
    pub(crate) fn streams_at_once(&self) -> usize {
        self.send.current_max_send_streams()
    }

    /// Asks once, with these headers besides.
    pub(crate) async fn ask(
        &self,
        path: &str,
        message: &impl Message,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut conversation = self.begin(path, headers).await.unwrap();
        conversation.say(message, true);
        conversation.rest().await
    }

    /// Asks once for an answer that must come.
    pub(crate) async fn get<T: Message + Default>(&self, path: &str, message: &impl Message) -> T {
        let reply = self.ask(path, message, &[]).await;
        assert_eq!((reply.code, reply.answers.len()), (0, 1), "{path}: {reply:?}");
        T::decode(&*reply.answers[0]).unwrap()
    }

    pub(crate) async fn begin(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Conversation, h2::Error> {
        let mut request = Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.raw(request.body(()).unwrap(), false).await
    }

    pub(crate) async fn raw(
        &self,
        request: Request<()>,
        end: bool,
    ) -> Result<Conversation, h2::Error> {
        let mut ready = self.send.clone().ready().await?;
        let (response, send) = ready.send_request(request, end)?;
        Ok(Conversation {
            send,
            response: Some(response),
            receive: None,
            buffer: BytesMut::new(),
            head: (0, HeaderMap::new()),
        })
    }
}

impl Conversation {
    pub(crate) fn say(&mut self, message: &impl Message, end: bool) {
        // The server may have said no already, and closed its ears.
        let _ = self.send.send_data(frame(&message.encode_to_vec()), end);
    }

    /// The next answer; `None` when there are no more.
    pub(crate) async fn answer(&mut self) -> Result<Option<Bytes>, h2::Error> {
        if let Some(response) = self.response.take() {
            let (head, receive) = response.await?.into_parts();
            self.head = (head.status.as_u16(), head.headers);
            self.receive = Some(receive);
        }
        let receive = self.receive.as_mut().unwrap();
        loop {
            if let Some(length) = self.buffer.get(1..5) {
                let end = 5 + u32::from_be_bytes(length.try_into().unwrap()) as usize;
                if self.buffer.len() >= end {
                    return Ok(Some(self.buffer.split_to(end).freeze().slice(5..)));
                }
            }
            match receive.data().await {
                None => return Ok(None),
                Some(data) => {
                    let data = data?;
                    receive.flow_control().release_capacity(data.len())?;
                    self.buffer.put(data);
                }
            }
        }
    }

    /// Takes the next bytes, whatever they are; false when it is over.
    pub(crate) async fn drip(&mut self) -> bool {
        if let Some(response) = self.response.take() {
            let Ok(response) = response.await else { return false };
            self.receive = Some(response.into_body());
        }
        let receive = self.receive.as_mut().unwrap();
        let Some(Ok(data)) = receive.data().await else { return false };
        receive.flow_control().release_capacity(data.len()).is_ok()
    }

    /// The next answer, which must come.
    pub(crate) async fn next<T: Message + Default>(&mut self) -> T {
        T::decode(self.answer().await.unwrap().expect("another answer")).unwrap()
    }

    /// The rest of the answers and the status.
    pub(crate) async fn rest(mut self) -> Reply {
        let mut answers = Vec::new();
        loop {
            match self.answer().await {
                Ok(Some(answer)) => answers.push(answer),
                Ok(None) => break,
                Err(e) => {
                    let (http, message) = (self.head.0, e.to_string());
                    return Reply { http, code: -1, message, kind: String::new(), answers };
                }
            }
        }
        let trailers = self.receive.unwrap().trailers().await.unwrap().unwrap_or_default();
        let text = |name: &str| {
            let value = trailers.get(name).or(self.head.1.get(name))?;
            Some(value.to_str().unwrap().to_owned())
        };
        let code = text("grpc-status").map_or(-1, |code| code.parse().unwrap());
        let message = text("grpc-message").unwrap_or_default().replace("%20", " ");
        let kind = text("hozo-error-kind").unwrap_or_default();
        Reply { http: self.head.0, code, message, kind, answers }
    }
}
