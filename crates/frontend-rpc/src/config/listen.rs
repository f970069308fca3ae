//! Where to listen, as configs write it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

use hozo_traits::{Claim, Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A place to listen at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listen {
    /// An address and port: `127.0.0.1:1978`, `[::1]:1978`. Port 0 is one that
    /// the system chooses.
    Address(SocketAddr),
    /// A name and port: `db1.example.org:1978`. The name is looked up when the
    /// service is made from its config; its first IPv4 address is taken, or its
    /// first. `localhost` is 127.0.0.1 without being looked up.
    Name(String, u16),
    /// A Unix socket at a path: `unix:/run/hozo/dbm.sock`.
    Unix(PathBuf),
}

impl Listen {
    /// Whether only programs on this machine can come.
    pub fn is_local(&self) -> bool {
        match self {
            Listen::Address(address) => address.ip().to_canonical().is_loopback(),
            Listen::Name(name, _) => is_localhost(name),
            Listen::Unix(_) => true,
        }
    }

    /// Whether the system chooses the port, so that it can be said twice.
    pub(super) fn is_any_port(&self) -> bool {
        match self {
            Listen::Address(address) => address.port() == 0,
            Listen::Name(_, port) => *port == 0,
            Listen::Unix(_) => false,
        }
    }

    /// What it takes outside the process; a name is looked up.
    pub(crate) fn claim(&self) -> Result<Claim> {
        Ok(match self {
            Listen::Address(address) => Claim::Tcp(*address),
            Listen::Name(name, port) => Claim::Tcp(look_up(name, *port)?),
            Listen::Unix(path) => Claim::Socket(path.clone()),
        })
    }
}

fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
}

fn look_up(name: &str, port: u16) -> Result<SocketAddr> {
    if is_localhost(name) {
        return Ok((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into());
    }
    let unknown = || {
        Error::new(ErrorKind::Invalid, "there is no address for the name to listen at")
            .with("setting", "listen")
            .with("value", format_args!("{name}:{port}"))
    };
    let found: Vec<_> =
        (name, port).to_socket_addrs().map_err(|e| unknown().caused_by(e))?.collect();
    found.iter().find(|address| address.is_ipv4()).or(found.first()).copied().ok_or_else(unknown)
}

impl FromStr for Listen {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: &'static str| {
            Error::new(ErrorKind::Invalid, what).with("setting", "listen").with("value", text)
        };
        if let Some(path) = text.strip_prefix("unix:") {
            // Clients in other languages write unix:///path, too.
            let path = path.strip_prefix("//").filter(|p| p.starts_with('/')).unwrap_or(path);
            if path.is_empty() {
                return Err(wrong("a Unix socket has a path, as in \"unix:/run/hozo/dbm.sock\""));
            }
            return Ok(Listen::Unix(path.into()));
        }
        if let Ok(address) = text.parse() {
            return Ok(Listen::Address(address));
        }
        let form = "one listens at \"ADDRESS:PORT\", such as \"127.0.0.1:1978\" or \
                    \"[::1]:1978\", or at \"unix:PATH\"";
        let (name, port) = text.rsplit_once(':').ok_or_else(|| wrong(form))?;
        let port = port.parse().map_err(|_| wrong(form))?;
        if name == "*" {
            return Err(wrong("every address is \"0.0.0.0:PORT\", and with IPv6 \"[::]:PORT\""));
        }
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.len() > 253 || !name.chars().all(letters) {
            return Err(wrong(form));
        }
        // What looks like an address but is none is a slip, not a name.
        if name.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return Err(wrong(form));
        }
        Ok(Listen::Name(name.into(), port))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Address(address) => write!(f, "{address}"),
            Listen::Name(name, port) => write!(f, "{name}:{port}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse()
            .map_err(|e: Error| de::Error::custom(format_args!("{}: {text:?}", e.message())))
    }
}

/// One place as text, or a list of them.
pub(super) mod one_or_more {
    use std::fmt;

    use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
    use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
    use serde::ser::{Serialize, Serializer};

    use super::Listen;

    pub(crate) fn serialize<S: Serializer>(listen: &Vec<Listen>, to: S) -> Result<S::Ok, S::Error> {
        match &listen[..] {
            [one] => one.serialize(to),
            _ => listen.serialize(to),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Listen>, D::Error> {
        // Not an untagged enum: that forgets what was wrong.
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Vec<Listen>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a place to listen at, such as \"127.0.0.1:1978\", or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Listen::deserialize(StrDeserializer::new(text)).map(|one| vec![one])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq))
            }
        }
        from.deserialize_any(OneOrMore)
    }
}
