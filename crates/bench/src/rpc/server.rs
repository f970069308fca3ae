//! Where a server is, and how it is spoken to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use hozo::traits::{Error, ErrorKind, Result};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[cfg(test)]
mod tests;

/// The port of an address that has none, as Tkrzw-RPC has it.
const PORT: u16 = 1978;

/// A server to be measured.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name in reports.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// How it is spoken to.
    pub access: Access,
    /// Which of its DBMs.
    pub dbm_index: i32,
    /// Its process, if it is on this machine: its processor time is told then.
    pub pid: Option<u32>,
    /// The name of the one that it is compared with, where that is not the last
    /// of those for which none is named.
    pub against: Option<String>,
    /// The server that follows it, if how far that one is behind is measured.
    pub follower: Option<Box<Server>>,
}

/// Where a server listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A host and a port.
    Tcp {
        /// A name or an IP address.
        host: String,
        /// The port.
        port: u16,
        /// Whether the address says that it is TLS.
        tls: bool,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    /// As it is given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Tcp { host, port, tls } => {
                let scheme = if *tls { "https://" } else { "" };
                let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(f, "{scheme}{open}{host}{close}:{port}")
            }
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::Invalid, format!("{why}; HOST:PORT or unix:PATH is an address"))
                .with("address", text)
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(wrong("the address has no path"));
            }
            return Ok(Address::Unix(PathBuf::from(path)));
        }
        let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => (false, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // The port comes after the last colon, but those of an IPv6 address are
        // in brackets.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong("the address has no port that is one"))?)
            }
            _ => (rest, PORT),
        };
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains('/') {
            return Err(wrong("the address has no host"));
        }
        Ok(Address::Tcp { host: host.to_owned(), port, tls })
    }
}

/// How a server is spoken to.
#[derive(Clone, Default)]
pub struct Access {
    /// The bearer token of every request.
    pub token: Option<String>,
    /// With TLS; without it is plain.
    pub tls: Option<Tls>,
}

impl fmt::Debug for Access {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("token", &self.token.as_ref().map(|_| "..."))
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

/// TLS as it was set up.
#[derive(Clone)]
pub struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: Option<ServerName<'static>>,
}

/// The files of TLS.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// Certificates that the server's must come from.
    pub ca: PathBuf,
    /// The certificate, and its key, by which the server knows this client.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The name in the server's certificate, where it is not the address's.
    pub server_name: Option<String>,
}

impl Tls {
    /// With these files.
    pub fn of(files: &TlsFiles) -> Result<Self> {
        let refused = |e| Error::new(ErrorKind::Invalid, "TLS cannot be set up").caused_by(e);
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&files.ca)? {
            roots.add(certificate).map_err(refused)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_root_certificates(roots);
        let mut config = match &files.client {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable(key, e))?;
                config.with_client_auth_cert(chain, key).map_err(refused)?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = files.server_name.as_deref().map(server_name).transpose()?;
        Ok(Tls { config: Arc::new(config), name })
    }

    /// The name that the server's certificate must have.
    pub(super) fn name_of(&self, host: &str) -> Result<ServerName<'static>> {
        self.name.clone().map_or_else(|| server_name(host), Ok)
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).map_err(|e| {
        Error::new(ErrorKind::Invalid, "it is no name that a certificate can have")
            .with("name", name)
            .caused_by(e)
    })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates: Vec<_> = read.map_err(|e| unreadable(file, e))?;
    if certificates.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "the file has no certificate in PEM")
            .with("file", file.display()));
    }
    Ok(certificates)
}

fn unreadable(file: &Path, e: tokio_rustls::rustls::pki_types::pem::Error) -> Error {
    Error::new(ErrorKind::Invalid, "the file cannot be read as PEM")
        .with("file", file.display())
        .caused_by(e)
}
