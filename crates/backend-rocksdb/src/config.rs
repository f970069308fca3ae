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
    /// Memory for blocks that were read, uncompressed: 64 MiB unless given.
    #[serde(default = "default_block_cache_bytes")]
    pub block_cache_bytes: usize,
    /// Memory for what is written and not yet in table files, all parts of the
    /// store together: 64 MiB unless given, at least 64 KiB. About as many
    /// bytes of log are read again when the store opens after a crash.
    #[serde(default = "default_write_buffer_bytes")]
    pub write_buffer_bytes: usize,
    /// How table files are compressed: `lz4` unless given.
    #[serde(default)]
    pub compression: Compression,
    /// How many table files stay open: 256 unless given, at least 32.
    #[serde(default = "default_max_open_files")]
    pub max_open_files: u32,
    /// How long to wait for a store that another process holds, in
    /// milliseconds: 5000 unless given.
    #[serde(default = "default_lock_timeout_ms")]
    pub lock_timeout_ms: u64,
    /// How a durable commit reaches stable storage: `fdatasync` unless given.
    #[serde(default)]
    pub sync: LogSync,
    /// How far ahead of its end the log is written with zeros, so that a
    /// durable commit overwrites blocks instead of growing a file: 512 KiB
    /// unless given, 0 for not at all, at most 64 MiB.
    #[serde(default = "default_log_ahead_bytes")]
    pub log_ahead_bytes: u64,
    /// How long the outcome of a commit is kept for who asks again, in
    /// seconds: 86400, a day, unless given; at least 3600.
    #[serde(default = "default_commit_id_keep_s")]
    pub commit_id_keep_s: u64,
    /// Whether to keep FoundationDB's limits, so that what works here works
    /// there: `false` unless given.
    #[serde(default)]
    pub strict: bool,
}

/// How table files are compressed.
///
/// Measured on pages of text-like rows with LZ4 at 1.0: not compressed they
/// take 1.6 times the disk and 0.6 times the time of a read that misses the
/// block cache; with `zstd`, 0.64 times the disk and 2.2 times the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4 everywhere.
    #[default]
    Lz4,
    /// Zstandard where most of the data is, the last level; LZ4 above it.
    Zstd,
}

/// How a durable commit reaches stable storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogSync {
    /// `fdatasync`: the data, and what is needed to find it again.
    #[default]
    Fdatasync,
    /// `fsync`: timestamps as well, for file systems where the other is not
    /// to be trusted.
    Fsync,
}

const fn default_block_cache_bytes() -> usize {
    64 << 20
}

const fn default_write_buffer_bytes() -> usize {
    64 << 20
}

const fn default_max_open_files() -> u32 {
    256
}

const fn default_lock_timeout_ms() -> u64 {
    5000
}

const fn default_log_ahead_bytes() -> u64 {
    512 << 10
}

const fn default_commit_id_keep_s() -> u64 {
    24 * 60 * 60
}

impl Config {
    /// The defaults, for a store at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Config {
            path: path.into(),
            block_cache_bytes: default_block_cache_bytes(),
            write_buffer_bytes: default_write_buffer_bytes(),
            compression: Compression::default(),
            max_open_files: default_max_open_files(),
            lock_timeout_ms: default_lock_timeout_ms(),
            sync: LogSync::default(),
            log_ahead_bytes: default_log_ahead_bytes(),
            commit_id_keep_s: default_commit_id_keep_s(),
            strict: false,
        }
    }

    /// Whether the settings make sense, without touching the disk.
    pub fn check(&self) -> Result<()> {
        let at_least = |key: &'static str, value: u64, least: u64| {
            if value >= least {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Invalid, "a setting of the store is too small")
                .with("setting", key)
                .with("value", value)
                .with("at least", least))
        };
        if self.path.as_os_str().is_empty() {
            return Err(
                Error::new(ErrorKind::Invalid, "the store needs a path").with("setting", "path")
            );
        }
        at_least("write_buffer_bytes", self.write_buffer_bytes as u64, 64 << 10)?;
        at_least("max_open_files", u64::from(self.max_open_files), 32)?;
        if self.log_ahead_bytes > LOG_AHEAD_BYTES_MAX {
            return Err(Error::new(ErrorKind::Invalid, "a setting of the store is too large")
                .with("setting", "log_ahead_bytes")
                .with("value", self.log_ahead_bytes)
                .with("at most", LOG_AHEAD_BYTES_MAX));
        }
        Ok(())
    }

    pub(crate) fn lock_timeout(&self) -> Duration {
        Duration::from_millis(self.lock_timeout_ms)
    }
}

const LOG_AHEAD_BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests;
