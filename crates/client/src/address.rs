//! Where a server is, as people write it.

use std::fmt;
use std::path::PathBuf;

use hozo_traits::{Error, ErrorKind, Result};
use http::Uri;

#[cfg(test)]
mod tests;

/// A server's address, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Address {
    /// `http://host:port`, `https://host:port`; without a scheme `secure` is not
    /// said.
    Tcp { host_port: String, secure: Option<bool> },
    /// `unix:path`.
    Unix(PathBuf),
    /// A connection that is there already.
    Given,
}

const FORMS: &str = "write http://HOST:PORT, https://HOST:PORT, HOST:PORT, or unix:PATH";

impl Address {
    pub(crate) fn read(text: &str) -> Result<Address> {
        let wrong = |what: &'static str| {
            Err(Error::new(ErrorKind::Invalid, format!("{what}: {FORMS}")).with("address", text))
        };
        if let Some(path) = text.strip_prefix("unix:") {
            // Three slashes are a path from the root with an empty authority, as in a URL.
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => wrong("the address names no socket"),
                path => Ok(Address::Unix(path.into())),
            };
        }
        let (secure, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("http", rest)) => (Some(false), rest),
            Some(("https", rest)) => (Some(true), rest),
            Some(_) => return wrong("the address has a scheme that is not known"),
        };
        let host_port = rest.strip_suffix('/').unwrap_or(rest);
        let Ok(uri) = format!("http://{host_port}").parse::<Uri>() else {
            return wrong("the address cannot be read");
        };
        if uri.path() != "/" || uri.query().is_some() || host_port.contains('@') {
            return wrong("the address has more than a host and a port");
        }
        if uri.host().is_none_or(str::is_empty) || uri.port_u16().is_none_or(|port| port == 0) {
            return wrong("the address lacks a host or a port");
        }
        Ok(Address::Tcp { host_port: host_port.to_owned(), secure })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host_port, secure: Some(true) } => write!(f, "https://{host_port}"),
            Address::Tcp { host_port, .. } => write!(f, "http://{host_port}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Given => f.write_str("a connection that was handed in"),
        }
    }
}
