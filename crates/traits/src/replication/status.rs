//! How replication is.

use std::time::Duration;

use bytes::Bytes;

use crate::{Position, ServerId, Timestamp, Version};

/// What a server is to its clients and to other servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It takes writes, and follows nobody.
    Master,
    /// It takes writes, and follows another master.
    DualMaster,
    /// It follows a source, and takes no writes but from there.
    Follower,
}

impl Role {
    /// Whether clients may write.
    pub fn takes_writes(self) -> bool {
        self != Role::Follower
    }

    /// In one word, or two.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Master => "master",
            Role::DualMaster => "dual master",
            Role::Follower => "follower",
        }
    }
}

/// How following goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FollowState {
    /// There is no connection yet, or none any more: it is tried again.
    Connecting,
    /// Reads a snapshot, since the log is not enough.
    Loading,
    /// Updates come as they are made.
    Following,
    /// It does not go on by itself; the error says why.
    Stopped,
}

impl FollowState {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            FollowState::Connecting => "connecting",
            FollowState::Loading => "loading",
            FollowState::Following => "following",
            FollowState::Stopped => "stopped",
        }
    }
}

/// Whom a server follows, and how that goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceStatus {
    /// Its address, as it was given.
    pub address: String,
    /// Its server id, once known.
    pub server: Option<ServerId>,
    /// How it goes.
    pub state: FollowState,
    /// What went wrong last, if anything did since it last went well.
    pub error: Option<String>,
    /// Updates that the source has and this server has not, as last heard.
    pub behind: u64,
    /// How old the oldest of them is, or how long ago the source was last heard
    /// of; zero if it has all.
    pub lag: Duration,
    /// Records of a snapshot that were read, and about how many there are.
    pub loaded: Option<(u64, u64)>,
}

/// Who follows a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FollowerStatus {
    /// Its server id, if it said one.
    pub server: Option<ServerId>,
    /// How it is called: its address.
    pub name: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// What it has durably, if it acknowledges.
    pub has: Option<Position>,
    /// Updates that it has not acknowledged.
    pub behind: u64,
}

/// How replication is on one server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicationStatus {
    /// Its kind, as in the config.
    pub kind: &'static str,
    /// The server.
    pub server: ServerId,
    /// Its role.
    pub role: Role,
    /// The newest epoch that it knows.
    pub epoch: u64,
    /// Why it takes no writes although it is a master: another was promoted.
    pub fenced: Option<String>,
    /// How far its log is durable.
    pub head: Position,
    /// The time of the newest update.
    pub newest: Timestamp,
    /// Bytes that the log takes.
    pub log_bytes: u64,
    /// Whom it follows.
    pub source: Option<SourceStatus>,
    /// Who follows it.
    pub followers: Vec<FollowerStatus>,
    /// How many followers have to have an update before it is answered.
    pub ack: u32,
    /// Records that two masters changed without knowing of each other, since
    /// the log was made.
    pub conflicts: u64,
    /// The stores whose namespaces are replicated.
    pub pages: Vec<PagesStatus>,
}

/// How the replication of one store's namespaces is on one server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PagesStatus {
    /// The store.
    pub store: String,
    /// Whether this server is the home of its namespaces: takes commits.
    pub home: bool,
    /// The newest commit that is on stable storage here.
    pub durable: Version,
    /// How following goes; `None` if it follows nobody.
    pub source: Option<PagesSource>,
    /// Who follows it.
    pub followers: Vec<PagesFollower>,
}

/// How following one store's namespaces goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PagesSource {
    /// How it goes.
    pub state: FollowState,
    /// What went wrong last, if anything did since it last went well.
    pub error: Option<String>,
    /// The newest commit on stable storage there, as last heard.
    pub newest: Version,
    /// Commits that the source has and this server has not: how far apart the
    /// counters of both versions are.
    pub behind: u64,
}

/// Who follows a store's namespaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PagesFollower {
    /// Its server id, if it said one.
    pub server: Option<ServerId>,
    /// How it is called.
    pub name: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// Up to where it has everything durably, if it acknowledges.
    pub has: Option<Version>,
    /// Commits that it has not acknowledged.
    pub behind: u64,
}

/// A record that two masters changed without knowing of each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConflictReport {
    /// When it was found.
    pub found: Timestamp,
    /// The DBM's index.
    pub dbm: u32,
    /// The record; `None` if one of both cleared the DBM.
    pub key: Option<Bytes>,
    /// Whose update stands, and when it was made.
    pub kept: (ServerId, Timestamp),
    /// Whose does not.
    pub lost: (ServerId, Timestamp),
}
