//! One HTTP/2 connection.

use bytes::Bytes;
use h2::client::{self, SendRequest};
use hozo::traits::{Error, ErrorKind, Result};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Uri, Version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsConnector;

use super::server::{Access, Address, Server};

/// How much a server may send ahead on one stream, and on the connection: the
/// larger they are, the fewer frames only say that there is room again.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Until a connection is there.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Where every method of the DBM service is.
const SERVICE: &str = "/tkrzw_rpc.DBMService/";
/// Where the methods about replication are.
const REPLICATION: &str = "/hozo.v1.Replication/";

/// A connection, and the requests that can be begun on it.
pub(super) struct Connection {
    send: SendRequest<Bytes>,
    /// What all requests have in common.
    base: Request<()>,
}

impl Connection {
    /// Connects, and drives the connection by a task of its own until nobody
    /// holds it any more.
    pub(super) async fn open(server: &Server) -> Result<Self> {
        let failed = |e: Error| e.with("server", &server.name);
        match timeout(CONNECT_MAX, open(server)).await {
            Ok(connection) => connection.map_err(failed),
            Err(_) => {
                let what = "the server does not accept the connection";
                Err(failed(Error::new(ErrorKind::TimedOut, what)))
            }
        }
    }

    /// What begins requests.
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.send.clone()
    }

    /// The head of a request to this method.
    pub(super) fn head(&self, method: &str) -> Request<()> {
        self.head_of(SERVICE, method)
    }

    /// The head of a request to this method about replication.
    pub(super) fn head_about_replication(&self, method: &str) -> Request<()> {
        self.head_of(REPLICATION, method)
    }

    fn head_of(&self, service: &str, method: &str) -> Request<()> {
        let mut head = self.base.clone();
        let mut parts = head.uri().clone().into_parts();
        let path = format!("{service}{method}");
        parts.path_and_query = Some(PathAndQuery::try_from(path).expect("methods are words"));
        *head.uri_mut() = Uri::from_parts(parts).expect("a scheme, an authority and a path");
        head
    }
}

async fn open(server: &Server) -> Result<Connection> {
    let unreachable =
        |e| Error::new(ErrorKind::Unavailable, "the server cannot be reached").caused_by(e);
    let base = base(&server.address, &server.access)?;
    match &server.address {
        Address::Unix(path) => {
            let socket = UnixStream::connect(path).await.map_err(unreachable)?;
            secure(socket, "localhost", server, base).await
        }
        Address::Tcp { host, port, .. } => {
            let socket = TcpStream::connect((&**host, *port)).await.map_err(unreachable)?;
            socket.set_nodelay(true).map_err(unreachable)?;
            secure(socket, host, server, base).await
        }
    }
}

async fn secure<S>(socket: S, host: &str, server: &Server, base: Request<()>) -> Result<Connection>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(tls) = &server.access.tls else {
        return shake_hands(socket, base).await;
    };
    let connector = TlsConnector::from(tls.config.clone());
    let socket = connector.connect(tls.name_of(host)?, socket).await.map_err(|e| {
        Error::new(ErrorKind::Unavailable, "TLS with the server failed").caused_by(e)
    })?;
    shake_hands(socket, base).await
}

async fn shake_hands<S>(socket: S, base: Request<()>) -> Result<Connection>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = client::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .enable_push(false);
    let (send, connection) = builder.handshake(socket).await.map_err(|e| {
        Error::new(ErrorKind::Unavailable, "the server does not speak HTTP/2").caused_by(e)
    })?;
    // How it ended, requests tell that were under way.
    tokio::spawn(async move { drop(connection.await) });
    Ok(Connection { send, base })
}

/// The head that requests have in common.
fn base(address: &Address, access: &Access) -> Result<Request<()>> {
    let authority = match address {
        Address::Unix(_) => "localhost".to_owned(),
        Address::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
        Address::Tcp { host, port, .. } => format!("{host}:{port}"),
    };
    let authority = Authority::try_from(authority).map_err(|e| {
        Error::new(ErrorKind::Invalid, "the address cannot be asked by HTTP").caused_by(e)
    })?;
    let scheme = if access.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build();
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri.expect("a scheme, an authority and a path");
    let headers = request.headers_mut();
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let agent = concat!("hozo-bench/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    if let Some(token) = &access.token {
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
            Error::new(ErrorKind::Invalid, "the token has characters that no token has")
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(request)
}
