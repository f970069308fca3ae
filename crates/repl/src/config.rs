//! What is said of one server's part in replication.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hozo_ordered::GroupSyncConfig;
use hozo_traits::{Error, ErrorKind, Result, Role, ServerId};

/// How a server takes part; `[replication.NAME]` of a config.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Which server this is.
    pub server: ServerId,
    /// The directory of the update log; made when it is first opened.
    pub dir: PathBuf,
    /// Whom it follows, if anybody.
    pub follow: Option<String>,
    /// Whether it tells its source what it has durably. Only then does it count for
    /// the acknowledgement of updates, and is kept for it what it lacks.
    pub acknowledge: bool,
    /// Whether it takes writes; one that follows another may be one of two
    /// masters.
    pub role: Role,
    /// Whether it is the home of namespaces if it is one of two masters: of both
    /// it takes their commits.
    pub home: bool,
    /// How many followers have to have an update on stable storage before it is
    /// answered.
    pub ack: u32,
    /// How long that may take.
    pub ack_timeout: Duration,
    /// The size of the smallest segment of a new log: a power of two from 64 KiB
    /// to 1 GiB. Segments grow with the log.
    pub segment_bytes: u64,
    /// Updates that are older go, unless a follower needs them.
    pub keep: Option<Duration>,
    /// What followers need, goes as well when the log takes more than this.
    pub keep_bytes: u64,
    /// How long an update may stay without an fsync for which nobody waits; all
    /// the time there is leaves it to the system.
    pub sync_lag: Duration,
    /// Added to the time from which updates are asked of a server of Tkrzw, in
    /// milliseconds.
    pub timestamp_skew_ms: i64,
}

impl Config {
    /// What is usual, of a master in this directory.
    pub fn new(server: ServerId, dir: impl Into<PathBuf>) -> Config {
        Config {
            server,
            dir: dir.into(),
            follow: None,
            acknowledge: true,
            role: Role::Master,
            home: false,
            ack: 0,
            ack_timeout: Duration::from_secs(5),
            segment_bytes: 1 << 20,
            keep: Some(Duration::from_secs(7 * 24 * 3600)),
            keep_bytes: 10 << 30,
            sync_lag: Duration::from_millis(50),
            timestamp_skew_ms: 0,
        }
    }

    /// An error if it makes no sense, with the key under `key`.
    pub fn check(&self) -> Result<()> {
        let invalid = |message: &'static str, key: &'static str| {
            Err(Error::new(ErrorKind::Invalid, message).with("key", key))
        };
        if !self.segment_bytes.is_power_of_two()
            || !((1 << 16)..=(1 << 30)).contains(&self.segment_bytes)
        {
            return invalid(
                "a segment's size is a power of two from 64 KiB to 1 GiB",
                "segment_bytes",
            );
        }
        match (self.role, &self.follow) {
            (Role::Follower, None) => invalid("a follower needs somebody to follow", "follow"),
            (Role::DualMaster, None) => invalid("one of two masters follows the other", "follow"),
            (Role::Follower, Some(_)) if self.home => {
                invalid("a follower is not the home of namespaces", "home")
            }
            (Role::Master, Some(_)) => {
                invalid("who follows is a follower or one of two masters", "role")
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn sync(&self) -> GroupSyncConfig {
        GroupSyncConfig {
            persistent: true,
            lag: (self.sync_lag < Duration::MAX).then_some(self.sync_lag),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("server", &self.server)
            .field("dir", &self.dir)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
