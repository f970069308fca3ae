//! The joint between a stack's records and the servers that have them, too.
//!
//! Two traits: a [`ChangeFeed`] gives what was changed, in order, to whoever
//! follows; a [`Replicator`] is one server's part in it: its role, whom it
//! follows, and who follows it. Frontends and tools see only these.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Effect, Result, Timestamp};

mod pages;
mod position;
mod status;

pub use self::pages::{
    NamespacePages, NamespaceShape, PageFeed, PageFeedReader, PagesEnd, PagesPart, PagesPiece,
    PagesStart,
};
pub use self::position::{Position, Reach, ServerId};
pub use self::status::{
    ConflictReport, FollowState, FollowerStatus, PagesFollower, PagesSource, PagesStatus,
    ReplicationStatus, Role, SourceStatus,
};

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
///   any more is [`VersionGone`](crate::ErrorKind::VersionGone); a
///   [`snapshot`](Self::snapshot) is what is left to do.
/// - **CF-4** Starting after a position that is not in this history (a number
///   that this log never had, or another digest) is
///   [`Conflict`](crate::ErrorKind::Conflict), which names server and number.
/// - **CF-5** A reader with a newer epoch than this server's is refused with
///   [`ReadOnly`](crate::ErrorKind::ReadOnly), and this server takes no writes any more.
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

    /// The commits of the page store of this name.
    /// [`NotFound`](crate::ErrorKind::NotFound) if its namespaces are not replicated,
    /// which a feed that comes over a network says only when it is opened;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if the server has no namespaces.
    fn pages(&self, store: &str) -> Result<Arc<dyn PageFeed>>;
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

/// One server's part in replication.
#[async_trait]
pub trait Replicator: Send + Sync {
    /// What others may follow; [`Unsupported`](crate::ErrorKind::Unsupported) if
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
    /// that is [`TimedOut`](crate::ErrorKind::TimedOut), and says how many have.
    async fn acknowledged(&self, followers: u32, within: Duration) -> Result<()>;

    /// The conflicts that were found last, newest first.
    async fn conflicts(&self, limit: usize) -> Result<Vec<ConflictReport>>;

    /// Removes what is older than `before` from the log, as far as retention
    /// and followers allow; answers the bytes that were freed.
    async fn prune(&self, before: Timestamp) -> Result<u64>;

    /// Stops following and serving, and puts the log on stable storage. What is
    /// asked of it afterwards is [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn stop(&self) -> Result<()>;
}

#[cfg(test)]
mod tests;
