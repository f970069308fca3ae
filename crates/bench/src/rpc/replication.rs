//! What becomes of the updates of a server over a fresh store.

use std::fmt;

use toml::{Table, Value};

use super::server::Address;

/// Where updates go besides the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replication {
    /// Nowhere.
    None,
    /// Into an update log, which nobody reads.
    Log,
    /// Through the log to one follower.
    Follower,
    /// The same, and each waits until the follower has it on its disk.
    Ack,
}

impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Replication::None => "none",
            Replication::Log => "log",
            Replication::Follower => "follower",
            Replication::Ack => "ack",
        })
    }
}

impl Replication {
    /// The name of a server over a store of this backend: `hashdbm + log`.
    pub fn name(self, backend: &str) -> String {
        match self {
            Replication::None => backend.to_owned(),
            _ => format!("{backend} + {self}"),
        }
    }

    /// Whether a second server follows.
    pub(super) fn has_follower(self) -> bool {
        matches!(self, Replication::Follower | Replication::Ack)
    }

    /// Adds the server's part to its config; it is that of a follower if it is
    /// said whom it follows.
    pub(super) fn add_to(self, config: &mut Table, follows: Option<&Address>) {
        if self == Replication::None {
            return;
        }
        let mut part = Table::new();
        part.insert("kind".to_owned(), "ulog".into());
        part.insert("dir".to_owned(), "ulog".into());
        let server_id = if follows.is_some() { 2 } else { 1 };
        part.insert("server_id".to_owned(), Value::Integer(server_id));
        if let Some(source) = follows {
            part.insert("follow".to_owned(), source.to_string().into());
        } else if self == Replication::Ack {
            part.insert("ack".to_owned(), Value::Integer(1));
        }
        let mut parts = Table::new();
        parts.insert("bench".to_owned(), part.into());
        config.insert("replication".to_owned(), parts.into());
    }
}
