//! Certificates, keys, and who vouches for clients.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hozo_traits::{Error, ErrorKind, Result};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ServerConfig, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, version};

use crate::TlsConfig;

/// Nobody's chain of certificates is longer.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the files and tries whether they belong together.
pub(super) fn load(config: &TlsConfig) -> Result<Arc<ServerConfig>> {
    let chain = certificates(&config.cert, "tls.cert")?;
    let key = PrivateKeyDer::from_pem_slice(&read(&config.key, "tls.key")?).map_err(|e| {
        invalid("the file has no private key in PEM", "tls.key", &config.key).caused_by(e)
    })?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|e| Error::new(ErrorKind::Internal, "TLS cannot be set up").caused_by(e))?;
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let wrong = |what| invalid(what, "tls.client_ca", path);
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, "tls.client_ca")? {
                roots
                    .add(certificate)
                    .map_err(|e| wrong("a certificate cannot vouch for clients").caused_by(e))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|e| wrong("the certificates cannot vouch for clients").caused_by(e))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut server = builder.with_single_cert(chain, key).map_err(|e| {
        invalid("certificate and key do not belong together", "tls.cert", &config.cert)
            .with("key", config.key.display())
            .caused_by(e)
    })?;
    // Who offers protocols must offer HTTP/2; who offers none may speak it.
    server.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(server))
}

fn certificates(path: &Path, setting: &'static str) -> Result<Vec<CertificateDer<'static>>> {
    let text = read(path, setting)?;
    let found = CertificateDer::pem_slice_iter(&text)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|e| invalid("the file is damaged PEM", setting, path).caused_by(e))?;
    if found.is_empty() {
        return Err(invalid("the file has no certificate in PEM", setting, path));
    }
    Ok(found)
}

fn read(path: &Path, setting: &'static str) -> Result<Vec<u8>> {
    read_file(path, setting, FILE_BYTES_MAX)
}

/// Reads a file of the config's, up to a size that no sensible one has.
pub(super) fn read_file(path: &Path, setting: &'static str, max: u64) -> Result<Vec<u8>> {
    let cannot = |e| invalid("the file cannot be read", setting, path).caused_by(e);
    let length = fs::metadata(path).map_err(cannot)?.len();
    if length > max {
        return Err(invalid("the file is too large to be one of those", setting, path)
            .with("bytes", length)
            .with("most", max));
    }
    fs::read(path).map_err(cannot)
}

pub(super) fn invalid(what: &'static str, setting: &'static str, path: &Path) -> Error {
    Error::new(ErrorKind::Invalid, what).with("setting", setting).with("file", path.display())
}
