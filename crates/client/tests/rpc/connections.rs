//! TCP, Unix sockets, TLS, mutual TLS and tokens, against Hozo's server.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hozo_client::{Client, ErrorKind, Retry, Tls};
use hozo_traits::{Claim, Frontend, Running};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::run;
use crate::served::Served;

/// A server with this config, in a directory that its paths are relative to.
struct Listening {
    running: Box<dyn Running>,
    directory: TempDir,
    _served: Served,
}

impl Listening {
    fn new(config: &str, prepare: impl FnOnce(&Path)) -> Listening {
        let (served, directory) = (Served::new(), tempfile::tempdir().expect("a directory"));
        prepare(directory.path());
        let config = toml::from_str(config).expect("a config");
        let rpc = hozo_frontend_rpc::Rpc::new(config, directory.path()).expect("it is right");
        let running = rpc.start(served.parts.clone()).expect("it starts");
        Listening { running, directory, _served: served }
    }

    /// Where it listens, as clients write it; `localhost` for TCP.
    fn address(&self) -> String {
        match &self.running.endpoints()[0].at {
            Claim::Tcp(address) => format!("localhost:{}", address.port()),
            other => other.to_string(),
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.running.stop(Duration::from_secs(5));
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("a certificate");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("signed").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate of this name, and its key.
    fn vouch(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a certificate");
        let cert = params.signed_by(&key, &self.issuer).expect("signed").pem();
        (cert, key.serialize_pem())
    }

    fn write(&self, directory: &Path, name: &str) {
        let (cert, key) = self.vouch(name);
        for (file, text) in [("ca.pem", &self.pem), ("server.pem", &cert), ("server.key", &key)] {
            fs::write(directory.join(file), text).expect("written");
        }
    }
}

#[test]
fn plain_tcp_and_unix_sockets() {
    for listen in ["127.0.0.1:0", "unix:dbm.sock"] {
        let server = Listening::new(&format!("listen = {listen:?}"), |_| ());
        run(async {
            let client = Client::connect(server.address()).await.expect("it connects");
            client.dbm(0).set("k", "v", true).await.expect("set");
            assert_eq!(client.dbm(0).get("k").await.expect("read").expect("there"), "v");
        });
    }
}

#[test]
fn keep_alive_leaves_a_living_server_alone() {
    let server = Listening::new("listen = \"127.0.0.1:0\"", |_| ());
    run(async {
        let builder = Client::builder(server.address()).keep_alive(Duration::from_millis(1));
        let client = builder.connect().await.expect("it connects");
        for _ in 0..200 {
            client.dbm(0).increment("n", 1, 0).await.expect("it answers");
        }
    });
}

const TLS: &str = "listen = \"127.0.0.1:0\"\n\
                   tls = { cert = \"server.pem\", key = \"server.key\" }";
const MUTUAL: &str = "listen = \"127.0.0.1:0\"\n\
    tls = { cert = \"server.pem\", key = \"server.key\", client_ca = \"ca.pem\" }";

#[test]
fn tls_trusts_whom_it_is_told_to() {
    let (ca, other) = (Authority::new(), Authority::new());
    let server = Listening::new(TLS, |directory| ca.write(directory, "localhost"));
    run(async {
        let builder = |tls| Client::builder(server.address()).tls(tls);
        let client = builder(Tls::new(&ca.pem)).connect().await.expect("it connects");
        assert_eq!(client.echo("hello").await.expect("echoed"), "hello");
        let error = builder(Tls::new(&other.pem)).connect().await.expect_err("another");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Never));
        assert!(error.to_string().contains("certificate"), "{error}");
        let domain = Tls::new(&ca.pem).domain("db.example");
        let error = builder(domain).connect().await.expect_err("not its name");
        assert!(error.to_string().contains("db.example"), "{error}");
        // Without TLS there is no answer that is HTTP/2.
        let error = Client::builder(server.address()).retries(0).connect().await;
        assert_eq!(error.expect_err("it speaks TLS").kind(), ErrorKind::Unavailable);
    });
}

#[test]
fn mutual_tls_shows_who_asks() {
    let ca = Authority::new();
    let server = Listening::new(MUTUAL, |directory| ca.write(directory, "db.example"));
    run(async {
        let tls = || Tls::new(&ca.pem).domain("db.example");
        let (cert, key) = ca.vouch("client");
        let known = Client::builder(server.address()).tls(tls().identity(cert, key));
        let client = known.connect().await.expect("it connects");
        assert_eq!(client.echo("hello").await.expect("echoed"), "hello");
        let unknown = Client::builder(server.address()).tls(tls()).retries(0);
        let error = unknown.connect().await.expect_err("it shows no certificate");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let other = Authority::new().vouch("client");
        let other = Client::builder(server.address()).tls(tls().identity(other.0, other.1));
        let error = other.retries(0).connect().await.expect_err("nobody vouches for it");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    });
}

#[test]
fn tokens_are_sent_with_calls_and_streams() {
    let config = "listen = \"127.0.0.1:0\"\ntokens = \"tokens.toml\"";
    let server = Listening::new(config, |directory| {
        let entry = |name: &str, right: &str| {
            let hash: String = hozo_frontend_rpc::token_hash(&format!("token of {name}"))
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!(
                "[[token]]\nname = {name:?}\nsha256 = \"{hash}\"\nrights = {{ casket = {right:?} }}\n"
            )
        };
        let tokens = entry("writer", "write") + &entry("reader", "read");
        fs::write(directory.join("tokens.toml"), tokens).expect("written");
    });
    run(async {
        let client = |token: &str| Client::builder(server.address()).token(token).lazy();
        let writer = client("token of writer").expect("a client").dbm(0);
        writer.set("k", "v", true).await.expect("it may");
        let stream = writer.stream();
        let answer = stream.increment("n", 1, 0).await.expect("given");
        assert_eq!(answer.await.expect("it may"), 1);

        let reader = client("token of reader").expect("a client");
        assert_eq!(reader.dbm(0).get("k").await.expect("it may").expect("there"), "v");
        let error = reader.dbm(0).set("k", "w", true).await.expect_err("it may not");
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().contains("casket"), "{error}");
        let mut cursor = reader.dbm(0).iterate();
        cursor.first().await.expect("it may");
        assert_eq!(cursor.set("w").await.expect_err("it may not").kind(), ErrorKind::Denied);

        let error = Client::connect(server.address()).await.expect_err("it has no token");
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        let wrong = Client::builder(server.address()).token("another").connect().await;
        let error = wrong.expect_err("it has a wrong one");
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert!(!format!("{error:?}").contains("another"), "{error:?}");
        Client::builder(server.address()).lazy().expect("a client").health().await.expect("open");
    });
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let first = Listening::new("listen = \"unix:dbm.sock\"", |_| ());
    let path = first.directory.path().join("dbm.sock");
    let address = first.address();
    run(async {
        let client = Client::connect(address).await.expect("it connects");
        client.dbm(0).set("k", "v", true).await.expect("set");
        tokio::task::block_in_place(|| first.running.stop(Duration::from_secs(5))).expect("stops");
        let gone = client.dbm(0).remove("k").await.expect_err("nobody is there");
        assert_eq!(gone.kind(), ErrorKind::Unavailable);
        let config = format!("listen = \"unix:{}\"", path.display());
        let _second = Listening::new(&config, |_| ());
        assert_eq!(client.dbm(0).get("k").await.expect("it answers"), None);
    });
}

#[test]
fn a_given_connection_is_all_that_there_is() {
    run(async {
        let (here, there) = tokio::io::duplex(1 << 16);
        let client = Client::over(here);
        drop(there);
        // The first call may still have been on its way; later ones find nothing.
        let first = client.dbm(0).remove("k").await.expect_err("nobody is there");
        assert_eq!(first.kind(), ErrorKind::Unavailable);
        let error = client.dbm(0).get("k").await.expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("was given"), "{error}");
    });
}

#[test]
fn a_message_that_is_too_large_for_the_server_is_an_error_that_says_so() {
    let server = Listening::new("listen = \"127.0.0.1:0\"", |_| ());
    run(async {
        let dbm = Client::connect(server.address()).await.expect("it connects").dbm(0);
        let error = dbm.set("k", vec![0; 5 << 20], true).await.expect_err("too large");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::TooLarge, Retry::Never), "{error}");
        let stream = dbm.stream();
        let answer = stream.set("k", vec![0; 5 << 20], true).await.expect("given");
        let error = answer.await.expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert_eq!(dbm.get("k").await.expect("it answers"), None);
    });
}

#[test]
fn what_listens_but_speaks_something_else_is_an_error() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound").to_string();
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ =
                    socket.write_all(b"220 mail.example ESMTP\r\n".repeat(100).as_slice()).await;
            }
        });
        let error = Client::builder(address).retries(1).connect().await.expect_err("no HTTP/2");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    });
}
