//! What can be set about a store.

use std::path::PathBuf;
use std::time::Duration;

use hozo_traits::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The settings of one store. Only `path` must be given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The store's directory. It is made if it is not there.
    pub path: PathBuf,
    /// Memory for what was read or written: 64 MiB unless given, at least
    /// 1 MiB. sled counts roughly and takes more.
    #[serde(default = "default_cache_bytes")]
    pub cache_bytes: u64,
    /// How long to wait for a store that is open elsewhere, in milliseconds:
    /// 5000 unless given. A store that this process has just closed may need
    /// some of it, since sled's threads let go of it a little later.
    #[serde(default = "default_lock_timeout_ms")]
    pub lock_timeout_ms: u64,
    /// How long the outcome of a commit is kept for who asks again, in
    /// seconds: 86400, a day, unless given; at least 3600.
    #[serde(default = "default_commit_id_keep_s")]
    pub commit_id_keep_s: u64,
    /// Whether to keep FoundationDB's limits, so that what works here works
    /// there: `false` unless given.
    #[serde(default)]
    pub strict: bool,
}

const CACHE_BYTES_MIN: u64 = 1 << 20;

const fn default_cache_bytes() -> u64 {
    64 << 20
}

const fn default_lock_timeout_ms() -> u64 {
    5000
}

const fn default_commit_id_keep_s() -> u64 {
    24 * 60 * 60
}

impl Config {
    /// The defaults, for a store at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Config {
            path: path.into(),
            cache_bytes: default_cache_bytes(),
            lock_timeout_ms: default_lock_timeout_ms(),
            commit_id_keep_s: default_commit_id_keep_s(),
            strict: false,
        }
    }

    /// Whether the settings make sense, without touching the disk.
    pub fn check(&self) -> Result<()> {
        if self.path.as_os_str().is_empty() {
            return Err(
                Error::new(ErrorKind::Invalid, "the store needs a path").with("setting", "path")
            );
        }
        if self.cache_bytes < CACHE_BYTES_MIN {
            return Err(Error::new(ErrorKind::Invalid, "a setting of the store is too small")
                .with("setting", "cache_bytes")
                .with("value", self.cache_bytes)
                .with("at least", CACHE_BYTES_MIN));
        }
        Ok(())
    }

    pub(crate) fn lock_timeout(&self) -> Duration {
        Duration::from_millis(self.lock_timeout_ms)
    }
}

#[cfg(test)]
mod tests;
