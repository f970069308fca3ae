//! The joint between a stack's records and the servers that have them, too.
//!
//! Two traits: a [`ChangeFeed`] gives what was changed, in order, to whoever
//! follows; a [`Replicator`] is one server's part in it: its role, whom it
//! follows, and who follows it. Frontends and tools see only these.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Effect, Error, ErrorKind, Result, Timestamp};

/// Who makes updates: a number from 1 to 2^31 - 1 that no other server has, as
/// on the wire of Tkrzw-RPC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(NonZeroU32);

impl ServerId {
    /// The server `id`; an error unless it is in the range.
    pub fn new(id: u32) -> Result<Self> {
        match NonZeroU32::new(id) {
            Some(some) if id <= i32::MAX as u32 => Ok(ServerId(some)),
            _ => {
                Err(Error::new(ErrorKind::Invalid, "a server id is a number from 1 to 2147483647")
                    .with("given", id))
            }
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far the updates of one server go: how many there were, and a digest of
/// all of them. Two histories of one server with the same number and another
/// digest are not the same history.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Reach {
    /// The number of the last update; the first has 1.
    pub seq: u64,
    /// A checksum over all updates up to it, each with its content.
    pub digest: u32,
}

/// Where a log, or who follows it, is: for each server how far its updates are
/// there. A server's updates are everywhere applied in their order, so this is
/// all that is to be known, whichever log they came through.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Position(BTreeMap<ServerId, Reach>);

impl Position {
    /// How far the updates of a server are there; nothing of one not known.
    pub fn of(&self, server: ServerId) -> Reach {
        self.0.get(&server).copied().unwrap_or_default()
    }

    /// From now on the updates of a server are there as far as this.
    pub fn set(&mut self, server: ServerId, reach: Reach) {
        self.0.insert(server, reach);
    }

    /// Whether it has all that `other` has, by number.
    pub fn covers(&self, other: &Position) -> bool {
        other.0.iter().all(|(server, reach)| self.of(*server).seq >= reach.seq)
    }

    /// The servers that made updates, ascending, and how far.
    pub fn iter(&self) -> impl Iterator<Item = (ServerId, Reach)> + '_ {
        self.0.iter().map(|(server, reach)| (*server, *reach))
    }

    /// Updates in `other` that are not here.
    pub fn behind(&self, other: &Position) -> u64 {
        let missing =
            |(server, reach): (ServerId, Reach)| reach.seq.saturating_sub(self.of(server).seq);
        other.iter().map(missing).sum()
    }
}

impl FromIterator<(ServerId, Reach)> for Position {
    fn from_iter<T: IntoIterator<Item = (ServerId, Reach)>>(reaches: T) -> Self {
        Position(reaches.into_iter().collect())
    }
}

impl fmt::Display for Position {
    /// `1:500 2:37`; `0` where there is nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("0");
        }
        for (i, (server, reach)) in self.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(f, "{space}{server}:{}", reach.seq)?;
        }
        Ok(())
    }
}

/// One update, as an update log has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Update {
    /// When it was made, by its server's clock. Never less than that of an
    /// update that its server knew of when it made it.
    pub time: Timestamp,
    /// The server that numbered it.
    pub origin: ServerId,
    /// Its number among the updates of its origin, and the digest with it.
    pub reach: Reach,
    /// The server that made it. The origin's, but where that follows a server
    /// whose updates have no numbers, as Tkrzw's have none.
    pub server: ServerId,
    /// What it did.
    pub what: What,
}

/// What an update did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// Changed records of one DBM, all at once.
    Records {
        /// The DBM's index.
        dbm: u32,
        /// What is different now, in this order.
        effects: Vec<Effect>,
        /// Whether effects were left out, because records have newer values of
        /// other servers. Then the digest says nothing of what is here.
        reduced: bool,
    },
    /// Nothing that a reader has to do: it is here for its number.
    Nothing,
    /// A server became the master: the origin.
    Epoch(u64),
    /// The origin lost updates in a power cut that its records may have all the
    /// same: who has the log up to here does not have the records, and needs a
    /// snapshot.
    Reset,
}

/// Where to begin reading a [`ChangeFeed`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// After what the reader has.
    After(Position),
    /// With the first update of this time or a later one, if it is still there,
    /// else with the oldest.
    Since(Timestamp),
}

/// Who reads a [`ChangeFeed`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reader {
    /// The reader's server id, if it is a server. Updates that it made come as
    /// [`What::Nothing`], several of them as one.
    pub server: Option<ServerId>,
    /// The newest epoch that the reader knows.
    pub epoch: u64,
    /// How status calls it: its address.
    pub name: String,
    /// Whether it acknowledges what it has, so that its acknowledgement counts
    /// and the log keeps what it needs.
    pub acknowledges: bool,
}

/// Some updates of a [`ChangeFeed`], in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeedPart {
    /// The updates. None, if there are none yet: so a reader knows that its
    /// source is there.
    pub updates: Vec<Update>,
    /// Where the feed was after the last of them.
    pub position: Position,
    /// Where the log was, as far as it was durable, when this was read.
    pub head: Position,
    /// The time of the newest update in the log.
    pub newest: Timestamp,
}

/// What was changed, from a position on: the update log as its readers see it.
///
/// # Contract
///
/// - **CF-1** A reader gets each update after its start once, in the order of
///   the log, in which the updates of each origin have ascending numbers.
/// - **CF-2** Only what is on stable storage here is given: who follows never
///   has what its source can lose.
/// - **CF-3** Starting after a position of which the next updates are not there
///   any more is [`VersionGone`](ErrorKind::VersionGone); a
///   [`snapshot`](Self::snapshot) is what is left to do.
/// - **CF-4** Starting after a position that is not in this history (a number
///   that this log never had, or another digest) is
///   [`Conflict`](ErrorKind::Conflict), which names server and number.
/// - **CF-5** A reader with a newer epoch than this server's is refused with
///   [`ReadOnly`](ErrorKind::ReadOnly), and this server takes no writes any more.
/// - **CF-6** What a connected or recently connected reader that acknowledges
///   has not acknowledged is not removed, within the limits of retention.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// Whose log it is.
    fn server(&self) -> ServerId;

    /// The newest epoch that it knows.
    fn epoch(&self) -> u64;

    /// The names of the DBMs, by their index.
    fn dbms(&self) -> Vec<String>;

    /// How far the log is durable.
    fn head(&self) -> Position;

    /// The time of the newest update in the log.
    fn newest(&self) -> Timestamp;

    /// Begins to read (CF-1 to CF-6).
    async fn open(&self, start: Start, reader: Reader) -> Result<Box<dyn FeedReader>>;

    /// Reads all records instead, for a reader for which the log is not enough.
    /// `after` goes on with an interrupted one.
    async fn snapshot(
        &self,
        after: Option<SnapshotPlace>,
        reader: Reader,
    ) -> Result<Box<dyn SnapshotReader>>;
}

/// Someone who reads a [`ChangeFeed`]; dropping it ends that.
#[async_trait]
pub trait FeedReader: Send {
    /// The next updates: waits until there are some, and answers at least one,
    /// more only as long as keys and values stay within `bytes_max`. A feed that
    /// comes over a network also answers none, every few seconds. May be dropped
    /// while it waits.
    async fn next(&mut self, bytes_max: usize) -> Result<FeedPart>;

    /// The reader has all up to here on stable storage.
    fn acknowledge(&mut self, position: &Position, epoch: u64) -> Result<()>;
}

/// Where an interrupted snapshot goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotPlace {
    /// From where updates are to be read when it is complete.
    pub from: Position,
    /// The DBM that was being read.
    pub dbm: u32,
    /// The last key that was read of it.
    pub key: Option<Bytes>,
}

/// Some records of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotPart {
    /// Where it goes on after these.
    pub place: SnapshotPlace,
    /// Keys and values of the DBM `place.dbm`.
    pub records: Vec<(Bytes, Bytes)>,
    /// How many records there are in all, or about so many.
    pub of: u64,
}

/// Records of all DBMs, one after the other.
///
/// They are as they were at different moments, none before `from`: with the
/// updates after that they become what they are at the source.
#[async_trait]
pub trait SnapshotReader: Send {
    /// The next records; `None` after the last.
    async fn next(&mut self, bytes_max: usize) -> Result<Option<SnapshotPart>>;
}

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

/// One server's part in replication.
#[async_trait]
pub trait Replicator: Send + Sync {
    /// What others may follow; [`Unsupported`](ErrorKind::Unsupported) if
    /// nothing is.
    fn feed(&self) -> Result<Arc<dyn ChangeFeed>>;

    /// How it is.
    fn status(&self) -> ReplicationStatus;

    /// Follows the server at this address from now on, in place of another; the
    /// role stays if it is a dual master's, and is a follower's otherwise.
    ///
    /// `skew_ms` moves the moment from which updates are asked for, where the
    /// source has no positions, as Tkrzw's servers have none.
    async fn follow(&self, address: &str, skew_ms: i64) -> Result<()>;

    /// Becomes a master that follows nobody, in a new epoch, which it answers.
    /// Of the source whatever arrived is applied first.
    async fn promote(&self) -> Result<u64>;

    /// Follows nobody any more, and keeps its role.
    async fn unfollow(&self) -> Result<()>;

    /// Waits until so many followers have on stable storage all updates that
    /// were answered here before this began. If they have not within the time,
    /// that is [`TimedOut`](ErrorKind::TimedOut), and says how many have.
    async fn acknowledged(&self, followers: u32, within: Duration) -> Result<()>;

    /// The conflicts that were found last, newest first.
    async fn conflicts(&self, limit: usize) -> Result<Vec<ConflictReport>>;

    /// Removes what is older than `before` from the log, as far as retention
    /// and followers allow; answers the bytes that were freed.
    async fn prune(&self, before: Timestamp) -> Result<u64>;

    /// Stops following and serving, and puts the log on stable storage. What is
    /// asked of it afterwards is [`Unavailable`](ErrorKind::Unavailable).
    async fn stop(&self) -> Result<()>;
}

#[cfg(test)]
mod tests;
