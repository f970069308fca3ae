//! What can be set about a store.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hozo_traits::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The settings of one store. All may be left out: then the cluster is the one that
/// FoundationDB's tools take, by `FDB_CLUSTER_FILE` or
/// `/etc/foundationdb/fdb.cluster`.
///
/// What is said to be of the process is the same for all its stores: the client
/// library is loaded once, and cannot be configured again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The cluster file. The client library rewrites it when coordinators change,
    /// so the process must be able to write it and its directory.
    pub cluster_file: Option<PathBuf>,
    /// What would be in a cluster file, instead of one: `description:id@host:port,...`.
    /// Needs a client library from 7.2 on, and does not learn of new coordinators
    /// once all of these are gone.
    pub cluster: Option<String>,
    /// What every key begins with: `hozo/` unless given. Stores with different
    /// prefixes share a cluster; with the same, they are one store. 1 to 16
    /// printable characters of ASCII.
    pub prefix: String,
    /// How long one operation may take, its retries included, in milliseconds:
    /// 10000 unless given. A commit that takes longer may have been made.
    pub timeout_ms: u64,
    /// The client library, libfdb_c, 7.1 to 7.4. Unless given, `HOZO_FDB_CLIENT`
    /// says where, or it is looked for where the system keeps libraries. Of the process.
    pub client_library: Option<PathBuf>,
    /// A directory with client libraries of other versions, which take over when the
    /// cluster is upgraded to theirs. Of the process.
    pub external_clients: Option<PathBuf>,
    /// A directory for the client library's trace files; none are written unless it
    /// is given. Of the process.
    pub trace_dir: Option<PathBuf>,
    /// The certificate, in PEM, where the cluster uses TLS. Of the process, as all
    /// about TLS.
    pub tls_certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    pub tls_key: Option<PathBuf>,
    /// The file with the password of the key, if it has one.
    pub tls_key_password_file: Option<PathBuf>,
    /// The password of the key, if it has one and no file has it.
    pub tls_key_password: Option<String>,
    /// The certificates of those who may sign the cluster's, in PEM.
    pub tls_ca: Option<PathBuf>,
    /// What the cluster's certificates must say, in FoundationDB's own language, as
    /// `Check.Valid=1,S.O=Example`.
    pub tls_verify_peers: Option<String>,
    /// How long the outcome of a commit is kept for who asks again, in seconds:
    /// 86400, a day, unless given; at least 3600.
    pub commit_id_keep_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            cluster_file: None,
            cluster: None,
            prefix: "hozo/".to_owned(),
            timeout_ms: 10_000,
            client_library: None,
            external_clients: None,
            trace_dir: None,
            tls_certificate: None,
            tls_key: None,
            tls_key_password_file: None,
            tls_key_password: None,
            tls_ca: None,
            tls_verify_peers: None,
            commit_id_keep_s: 24 * 60 * 60,
        }
    }
}

/// Longer prefixes would take more of a transaction than is reckoned with.
const PREFIX_BYTES_MAX: usize = 16;
/// The library takes 32 bits with a sign.
const TIMEOUT_MS_MAX: u64 = i32::MAX as u64;

impl Config {
    /// Whether the settings make sense, without looking at anything else.
    pub fn check(&self) -> Result<()> {
        let wrong = |setting: &'static str, what: &'static str| {
            Error::new(ErrorKind::Invalid, what).with("setting", setting)
        };
        if self.cluster.is_some() && self.cluster_file.is_some() {
            return Err(wrong("cluster", "a store has a cluster or a cluster_file, not both"));
        }
        if self.cluster.as_deref().is_some_and(|text| !text.contains('@') || text.contains('\0')) {
            return Err(wrong("cluster", "a cluster is described as description:id@host:port,..."));
        }
        let printable = self.prefix.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if self.prefix.is_empty() || self.prefix.len() > PREFIX_BYTES_MAX || !printable {
            return Err(wrong("prefix", "a prefix has 1 to 16 printable characters of ASCII")
                .with("bytes", self.prefix.len()));
        }
        if self.timeout_ms == 0 || self.timeout_ms > TIMEOUT_MS_MAX {
            return Err(wrong("timeout_ms", "a timeout is 1 to 2147483647 milliseconds")
                .with("value", self.timeout_ms));
        }
        if self.tls_key_password.is_some() && self.tls_key_password_file.is_some() {
            return Err(wrong(
                "tls_key_password",
                "the key's password is given, or in a file, not both",
            ));
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return Err(wrong("tls_certificate", "a certificate and its key are given together"));
        }
        Ok(())
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl fmt::Debug for Config {
    /// The password is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.tls_key_password.as_ref().map(|_| "(hidden)");
        f.debug_struct("Config")
            .field("cluster_file", &self.cluster_file)
            .field("cluster", &self.cluster)
            .field("prefix", &self.prefix)
            .field("timeout_ms", &self.timeout_ms)
            .field("client_library", &self.client_library)
            .field("external_clients", &self.external_clients)
            .field("trace_dir", &self.trace_dir)
            .field("tls_certificate", &self.tls_certificate)
            .field("tls_key", &self.tls_key)
            .field("tls_key_password_file", &self.tls_key_password_file)
            .field("tls_key_password", &password)
            .field("tls_ca", &self.tls_ca)
            .field("tls_verify_peers", &self.tls_verify_peers)
            .field("commit_id_keep_s", &self.commit_id_keep_s)
            .finish()
    }
}
