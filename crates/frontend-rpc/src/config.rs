//! What can be set about the service.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hozo_traits::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

mod listen;

pub use listen::Listen;

#[cfg(test)]
mod tests;

/// The settings of one service: `[[frontend]]` with `kind = "rpc"`. Only
/// `listen` must be given. There are no secrets in it: certificates, keys and
/// tokens are in files of their own. Relative paths are relative to the file
/// that the config is in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen, one place or a list: `"127.0.0.1:1978"`,
    /// `"localhost:1978"`, `"[::]:1978"`, `"unix:/run/hozo/dbm.sock"`.
    #[serde(with = "listen::one_or_more")]
    pub listen: Vec<Listen>,
    /// Whether to listen beyond this machine without TLS, or without asking
    /// who it is: `false` unless given.
    #[serde(default)]
    pub insecure: bool,
    /// Who may use Unix sockets, as `chmod` has it: `"0600"`, the owner alone,
    /// unless given.
    #[serde(default, with = "octal")]
    pub socket_mode: SocketMode,
    /// TLS for TCP: none unless given. Unix sockets have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// The file of token hashes and rights. With it every request needs a
    /// token, also on Unix sockets; without it who connects has every right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<PathBuf>,
    /// Whether clients may ask which services and messages there are: `true`
    /// unless given.
    #[serde(default = "yes")]
    pub reflection: bool,
    /// The largest message that is received: 4194304 unless given, as every
    /// gRPC has it; at most 1 GiB. Larger ones are `RESOURCE_EXHAUSTED`.
    #[serde(default = "default_max_message_bytes")]
    pub max_message_bytes: u64,
    /// Connections at once: 10000 unless given. What comes then is closed.
    #[serde(default = "default_max_connections")]
    pub max_connections: u32,
    /// Requests at once on one connection, streams among them: 4096 unless
    /// given. Tkrzw's Ruby client leaves the stream of an iterator open until
    /// the iterator is collected.
    #[serde(default = "default_max_streams")]
    pub max_streams: u32,
    /// Requests at once in all, streams among them: 16384 unless given. What
    /// comes then is `RESOURCE_EXHAUSTED`.
    #[serde(default = "default_max_requests")]
    pub max_requests: u32,
    /// How long a connection may have no request, in seconds: 900 unless given.
    #[serde(default = "default_idle_timeout_s")]
    pub idle_timeout_s: u64,
    /// How long a request with one answer may take to arrive and to be
    /// answered, in seconds: 60 unless given. What waits because its
    /// `retry_wait` says so has that time besides.
    #[serde(default = "default_request_timeout_s")]
    pub request_timeout_s: u64,
    /// How long requests that were accepted may go on when the process is told
    /// to stop, in seconds: 10 unless given.
    #[serde(default = "default_stop_timeout_s")]
    pub stop_timeout_s: u64,
    /// Threads that serve: 0, one for each processor, unless given.
    #[serde(default)]
    pub threads: u32,
}

/// Files in PEM, read when the service starts and when it is told to read them
/// again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The server's certificate, followed by those between it and its root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificates of who vouches for clients. With it every client must show
    /// a certificate of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
}

/// The permission bits of a Unix socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketMode(pub u32);

impl Default for SocketMode {
    fn default() -> Self {
        SocketMode(0o600)
    }
}

pub(crate) const MAX_MESSAGE_BYTES: u64 = 1 << 30;
const MAX_THREADS: u32 = 1024;
/// The most that any count or time may be: nobody means more, and sums of them
/// stay in range.
const MAX_COUNT: u64 = 1 << 30;

const fn yes() -> bool {
    true
}

const fn default_max_message_bytes() -> u64 {
    4 << 20
}

const fn default_max_connections() -> u32 {
    10_000
}

const fn default_max_streams() -> u32 {
    4096
}

const fn default_max_requests() -> u32 {
    16_384
}

const fn default_idle_timeout_s() -> u64 {
    900
}

const fn default_request_timeout_s() -> u64 {
    60
}

const fn default_stop_timeout_s() -> u64 {
    10
}

impl Config {
    /// The defaults, listening there.
    pub fn new(listen: impl IntoIterator<Item = Listen>) -> Self {
        Config {
            listen: listen.into_iter().collect(),
            insecure: false,
            socket_mode: SocketMode::default(),
            tls: None,
            tokens: None,
            reflection: yes(),
            max_message_bytes: default_max_message_bytes(),
            max_connections: default_max_connections(),
            max_streams: default_max_streams(),
            max_requests: default_max_requests(),
            idle_timeout_s: default_idle_timeout_s(),
            request_timeout_s: default_request_timeout_s(),
            stop_timeout_s: default_stop_timeout_s(),
            threads: 0,
        }
    }

    /// Whether the settings make sense, without opening or asking anything.
    /// The error says which `setting`, and which `value` of it, is wrong.
    pub fn check(&self) -> Result<()> {
        self.check_listen()?;
        self.check_numbers()?;
        self.check_paths()?;
        self.check_protection()
    }

    fn check_listen(&self) -> Result<()> {
        if self.listen.is_empty() {
            return wrong("listen", "the service listens at one place at least", "[]");
        }
        for (place, listen) in self.listen.iter().enumerate() {
            if self.listen[..place].contains(listen) && !listen.is_any_port() {
                return wrong("listen", "the same place is given twice", listen);
            }
        }
        if self.socket_mode.0 & !0o777 != 0 || self.socket_mode.0 & 0o600 != 0o600 {
            let what = "a socket's mode is from \"0600\" to \"0777\", and its owner may use it";
            return wrong("socket_mode", what, format!("{:04o}", self.socket_mode.0));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<()> {
        if !(1..=MAX_MESSAGE_BYTES).contains(&self.max_message_bytes) {
            let what = "a message's limit is from 1 to 1073741824 bytes";
            return wrong("max_message_bytes", what, self.max_message_bytes);
        }
        if self.threads > MAX_THREADS {
            return wrong("threads", "there are at most 1024 threads", self.threads);
        }
        let numbers = [
            ("max_connections", u64::from(self.max_connections)),
            ("max_streams", u64::from(self.max_streams)),
            ("max_requests", u64::from(self.max_requests)),
            ("idle_timeout_s", self.idle_timeout_s),
            ("request_timeout_s", self.request_timeout_s),
            ("stop_timeout_s", self.stop_timeout_s),
        ];
        for (setting, value) in numbers {
            if !(1..=MAX_COUNT).contains(&value) {
                return wrong(setting, "this is from 1 to 1073741824", value);
            }
        }
        Ok(())
    }

    fn check_paths(&self) -> Result<()> {
        let tls = self.tls.iter().flat_map(|tls| {
            let given = [("tls.cert", Some(&tls.cert)), ("tls.key", Some(&tls.key))];
            given.into_iter().chain([("tls.client_ca", tls.client_ca.as_ref())])
        });
        for (setting, path) in tls.chain([("tokens", self.tokens.as_ref())]) {
            if path.is_some_and(|path| path.as_os_str().is_empty()) {
                return wrong(setting, "a file has a name", "\"\"");
            }
        }
        Ok(())
    }

    /// What others can reach is protected, or said not to be.
    fn check_protection(&self) -> Result<()> {
        let proven = self.tokens.is_some() || self.proves_clients();
        if self.insecure || (self.tls.is_some() && proven) {
            return Ok(());
        }
        match self.listen.iter().find(|listen| !listen.is_local()) {
            None => Ok(()),
            Some(listen) => {
                let what = "who is not on this machine could read and change everything there: \
                            give `tls` and, to know who asks, `tokens` or `tls.client_ca`; or \
                            listen on 127.0.0.1, [::1] or a Unix socket; or say \
                            `insecure = true`";
                wrong("listen", what, listen)
            }
        }
    }

    /// Whether every client that comes by TCP shows a certificate.
    pub(crate) fn proves_clients(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
    }

    /// How long requests that were accepted may go on when the process stops.
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_timeout_s)
    }

    /// The same, with paths that do not depend on the working directory.
    pub(crate) fn resolved(mut self, base: &Path) -> Self {
        for listen in &mut self.listen {
            if let Listen::Unix(path) = listen {
                *path = base.join(&*path);
            }
        }
        if let Some(tls) = &mut self.tls {
            tls.cert = base.join(&tls.cert);
            tls.key = base.join(&tls.key);
            tls.client_ca = tls.client_ca.as_ref().map(|path| base.join(path));
        }
        self.tokens = self.tokens.map(|path| base.join(path));
        self
    }
}

fn wrong<T>(setting: &'static str, what: &'static str, value: impl std::fmt::Display) -> Result<T> {
    Err(Error::new(ErrorKind::Invalid, what).with("setting", setting).with("value", value))
}

/// Permission bits as text: TOML has octal numbers, and nobody remembers the `0o`.
mod octal {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::SocketMode;

    pub(super) fn serialize<S: Serializer>(mode: &SocketMode, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:04o}", mode.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SocketMode, D::Error> {
        let text = String::deserialize(from)?;
        u32::from_str_radix(&text, 8).map(SocketMode).map_err(|_| {
            de::Error::custom(format_args!(
                "a socket's mode is octal digits in quotes, such as \"0600\", not {text:?}"
            ))
        })
    }
}
