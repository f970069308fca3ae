//! TLS, by rustls with ring.

use std::io;
use std::sync::Arc;

use hozo_traits::{Error, ErrorKind, Result};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Tls;

/// HTTP/2, as TLS names it.
const ALPN: &[u8] = b"h2";

/// What a connection is encrypted with.
pub(super) struct Secure {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Secure {
    pub(super) fn new(tls: &Tls, host: &str) -> Result<Secure> {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = tls.domain.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name.clone()).map_err(|error| {
            wrong("a certificate cannot have this name", error).with("name", name)
        })?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&tls.ca, "the certificate authority")? {
            roots.add(certificate).map_err(|error| {
                wrong("the certificate authority's certificate cannot be used", error)
            })?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "TLS cannot be set up").caused_by(error)
            })?
            .with_root_certificates(roots);
        let mut config = match &tls.identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificates = certificates(certificate, "the client")?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|error| wrong("the client's key cannot be read as PEM", error))?;
                config.with_client_auth_cert(certificates, key).map_err(|error| {
                    wrong("the client's certificate and key cannot be used", error)
                })?
            }
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Secure { connector: TlsConnector::from(Arc::new(config)), name })
    }

    pub(super) async fn connect(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let stream = self.connector.connect(self.name.clone(), socket).await?;
        // A server that chose nothing may still speak it, as some gRPC servers do.
        match stream.get_ref().1.alpn_protocol() {
            None | Some(ALPN) => Ok(stream),
            Some(_) => {
                let what = "the server speaks TLS, but not HTTP/2";
                Err(io::Error::new(io::ErrorKind::InvalidData, what))
            }
        }
    }
}

fn certificates(pem: &str, whose: &'static str) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let read = read
        .map_err(|error| wrong("a certificate cannot be read as PEM", error).with("of", whose))?;
    if read.is_empty() {
        let what = "there is no certificate in the text; PEM is wanted, not the name of a file";
        return Err(Error::new(ErrorKind::Invalid, what).with("of", whose));
    }
    Ok(read)
}

fn wrong(what: &'static str, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Invalid, what).caused_by(cause)
}
