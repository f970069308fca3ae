//! What can be set about a store.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hozo_traits::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::SyncMode;

#[cfg(test)]
mod tests;

/// The settings of one store. Only `path` must be given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The store's directory. It is made if it is not there.
    pub path: PathBuf,
    /// When the updates of DBMs that did not ask to be durable reach stable
    /// storage: at most so much later, `"50ms"` unless given; `"commit"` for
    /// before they are answered; `"system"` for when the operating system
    /// likes, as Tkrzw does. A killed process loses nothing in any case: this
    /// is about power cuts.
    #[serde(default)]
    pub record_sync: SyncMode,
    /// The size that segments of a log begin with, for logs that are new: 1 MiB
    /// unless given; a power of two from 64 KiB to 1 GiB. They grow with the log,
    /// to about a 32nd of it. Space comes back a segment at a time, and a log
    /// can have four million times this, at most 4 TiB.
    #[serde(default = "default_segment_bytes")]
    pub segment_bytes: u64,
    /// How much is written to a log between two checkpoints of its index at
    /// most: 256 MiB unless given, at least 1 MiB. As much is read again when
    /// the store opens after a crash. It is less while the index is small: 16
    /// MiB, or four times the index.
    #[serde(default = "default_checkpoint_bytes")]
    pub checkpoint_bytes: u64,
    /// How long to wait for a store that another process holds, in
    /// milliseconds: 5000 unless given.
    #[serde(default = "default_lock_timeout_ms")]
    pub lock_timeout_ms: u64,
    /// How long the outcome of a commit of pages is kept for who asks again, in
    /// seconds: 86400, a day, unless given; at least 3600.
    #[serde(default = "default_commit_id_keep_s")]
    pub commit_id_keep_s: u64,
    /// Whether to keep FoundationDB's limits for pages, so that what works here
    /// works there: `false` unless given.
    #[serde(default)]
    pub strict: bool,
}

impl fmt::Display for SyncMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SyncMode::Commit => f.write_str("commit"),
            SyncMode::Within(time) => write!(f, "{}ms", time.as_millis()),
            SyncMode::System => f.write_str("system"),
        }
    }
}

impl FromStr for SyncMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let millis = || {
            let millis: u64 = text.strip_suffix("ms")?.parse().ok()?;
            (1..=RECORD_SYNC_MS_MAX).contains(&millis).then(|| Duration::from_millis(millis))
        };
        match text {
            "commit" => Ok(SyncMode::Commit),
            "system" => Ok(SyncMode::System),
            _ => millis().map(SyncMode::Within).ok_or_else(|| {
                Error::new(
                    ErrorKind::Invalid,
                    "records are synced \"commit\", \"system\", or within milliseconds such as \
                     \"50ms\", from 1 to 3600000",
                )
                .with("given", text)
            }),
        }
    }
}

impl Serialize for SyncMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SyncMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// An hour.
const RECORD_SYNC_MS_MAX: u64 = 3_600_000;

const fn default_segment_bytes() -> u64 {
    1 << 20
}

const fn default_checkpoint_bytes() -> u64 {
    256 << 20
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
            record_sync: SyncMode::default(),
            segment_bytes: default_segment_bytes(),
            checkpoint_bytes: default_checkpoint_bytes(),
            lock_timeout_ms: default_lock_timeout_ms(),
            commit_id_keep_s: default_commit_id_keep_s(),
            strict: false,
        }
    }

    /// Whether the settings make sense, without touching the disk.
    pub fn check(&self) -> Result<()> {
        let wrong = |setting: &'static str, what: &'static str, value: u64| {
            Err(Error::new(ErrorKind::Invalid, what).with("setting", setting).with("value", value))
        };
        if self.path.as_os_str().is_empty() {
            return Err(
                Error::new(ErrorKind::Invalid, "the store needs a path").with("setting", "path")
            );
        }
        let sizes = hozo_log::SEGMENT_LOG2;
        if !self.segment_bytes.is_power_of_two()
            || !sizes.contains(&self.segment_bytes.trailing_zeros())
        {
            let what = "a segment's size is a power of two from 65536 to 1073741824";
            return wrong("segment_bytes", what, self.segment_bytes);
        }
        if self.checkpoint_bytes < CHECKPOINT_BYTES_MIN {
            let what = "at least 1048576 bytes are written between two checkpoints";
            return wrong("checkpoint_bytes", what, self.checkpoint_bytes);
        }
        if self.commit_id_keep_s < 3600 {
            let what = "commit ids are kept for 3600 seconds at least";
            return wrong("commit_id_keep_s", what, self.commit_id_keep_s);
        }
        Ok(())
    }

    pub(crate) fn lock_timeout(&self) -> Duration {
        Duration::from_millis(self.lock_timeout_ms)
    }
}

/// Fewer would be checkpoints all the time.
const CHECKPOINT_BYTES_MIN: u64 = 1 << 20;
