use std::fs;
use std::path::Path;
use std::sync::Arc;

use hozo_traits::ErrorKind;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::kit::{Client, Server, echo, refused, run, serve_in};

const PLAIN: &str = "tls = { cert = \"server.pem\", key = \"server.key\" }";
const MUTUAL: &str =
    "tls = { cert = \"server.pem\", key = \"server.key\", client_ca = \"ca.pem\" }";

/// One who vouches for others.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as files have them.
struct Identity {
    cert: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    fn vouch(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { cert, key: key.serialize_pem() }
    }
}

fn write(directory: &Path, ca: &Authority, server: &Identity) {
    fs::write(directory.join("ca.pem"), &ca.pem).unwrap();
    fs::write(directory.join("server.pem"), &server.cert).unwrap();
    fs::write(directory.join("server.key"), &server.key).unwrap();
}

fn directory(ca: &Authority) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), ca, &ca.vouch("localhost"));
    directory
}

/// A connection of who trusts `ca` and is `identity`.
async fn connect(
    server: &Server,
    ca: &Authority,
    identity: Option<&Identity>,
    protocols: &[&[u8]],
) -> Result<Client, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.pem.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(identity.cert.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let tcp = TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
    let client = Client::over(tls.map_err(|e| e.to_string())?).await.map_err(|e| e.to_string())?;
    // With TLS 1.3 a client learns only afterwards that it was refused.
    client.ready().await.map_err(|e| e.to_string())?;
    Ok(client)
}

#[test]
fn requests_are_answered_over_tls() {
    let ca = Authority::new("ca");
    let server = serve_in(directory(&ca), PLAIN).unwrap();
    assert_eq!(server.running.endpoints()[0].protection, "TLS");
    run(async {
        // Who offers protocols, and who offers none.
        for protocols in [&[&b"h2"[..]][..], &[b"http/1.1", b"h2"], &[]] {
            echo(&connect(&server, &ca, None, protocols).await.unwrap()).await;
        }
        // Who does not speak ours, who does not trust us, and who speaks no TLS.
        connect(&server, &ca, None, &[b"http/1.1"]).await.err().unwrap();
        connect(&server, &Authority::new("other"), None, &[b"h2"]).await.err().unwrap();
        let tcp = TcpStream::connect(server.address()).await.unwrap();
        let refused = match Client::over(tcp).await {
            Ok(client) => client.ready().await.err(),
            Err(e) => Some(e),
        };
        assert!(refused.is_some());
    });
}

#[test]
fn with_a_client_ca_every_client_shows_a_certificate_of_it() {
    let ca = Authority::new("ca");
    let server = serve_in(directory(&ca), MUTUAL).unwrap();
    assert_eq!(server.running.endpoints()[0].protection, "TLS, client certificates");
    let (ours, others) = (ca.vouch("client"), Authority::new("ca").vouch("client"));
    run(async {
        echo(&connect(&server, &ca, Some(&ours), &[b"h2"]).await.unwrap()).await;
        connect(&server, &ca, None, &[b"h2"]).await.err().unwrap();
        connect(&server, &ca, Some(&others), &[b"h2"]).await.err().unwrap();
    });
}

#[test]
fn a_reload_changes_certificates_for_who_comes_then() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let server = serve_in(directory(&old), MUTUAL).unwrap();
    run(async {
        let before = connect(&server, &old, Some(&old.vouch("client")), &[b"h2"]).await.unwrap();
        echo(&before).await;
        write(server.directory.path(), &new, &new.vouch("localhost"));
        server.running.reload().unwrap();
        echo(&connect(&server, &new, Some(&new.vouch("client")), &[b"h2"]).await.unwrap()).await;
        connect(&server, &old, Some(&old.vouch("client")), &[b"h2"]).await.err().unwrap();
        // Whom the new one does not vouch for.
        connect(&server, &new, Some(&old.vouch("client")), &[b"h2"]).await.err().unwrap();
        echo(&before).await;
    });
}

#[test]
fn a_reload_of_bad_files_changes_nothing() {
    let ca = Authority::new("ca");
    let server = serve_in(directory(&ca), MUTUAL).unwrap();
    let client = ca.vouch("client");
    let file = |name: &str| server.directory.path().join(name);
    run(async {
        let other = ca.vouch("localhost");
        for (name, text) in [
            ("server.pem", "no certificate"),
            ("server.key", "no key"),
            // A key, but another's.
            ("server.key", &other.key),
            ("ca.pem", ""),
        ] {
            let before = fs::read(file(name)).unwrap();
            fs::write(file(name), text).unwrap();
            let error = server.running.reload().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            echo(&connect(&server, &ca, Some(&client), &[b"h2"]).await.unwrap()).await;
            fs::write(file(name), before).unwrap();
        }
        fs::remove_file(file("server.pem")).unwrap();
        server.running.reload().unwrap_err();
        echo(&connect(&server, &ca, Some(&client), &[b"h2"]).await.unwrap()).await;
    });
}

#[test]
fn a_server_does_not_start_without_its_certificate() {
    let ca = Authority::new("ca");
    let files = directory(&ca);
    fs::remove_file(files.path().join("server.key")).unwrap();
    let error = refused(files, PLAIN);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("setting tls.key"), "{error}");
}

#[test]
fn a_unix_socket_beside_it_has_no_tls() {
    let ca = Authority::new("ca");
    let settings = format!("listen = [\"127.0.0.1:0\", \"unix:dbm.sock\"]\n{MUTUAL}");
    let server = serve_in(directory(&ca), &settings).unwrap();
    run(async {
        echo(&Client::unix(&server.directory.path().join("dbm.sock")).await).await;
        connect(&server, &ca, None, &[b"h2"]).await.err().unwrap();
    });
}
