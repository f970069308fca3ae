//! What a commit asks for, and what it answers.

use bytes::Bytes;

use crate::{CommitId, NamespaceId, PageNo, PageSize, PageWrite, Timestamp, Version};

/// One atomic change of a page store, over any number of namespaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Names this attempt; see [`CommitId`]. Also names the stage whose pages
    /// the commit takes, if any were staged.
    pub id: CommitId,
    /// All must hold, or nothing is written.
    pub conditions: Vec<Condition>,
    /// One per namespace that is written; each gets a log entry.
    pub namespaces: Vec<NamespaceChange>,
    /// Metadata to write.
    pub meta: Vec<MetaWrite>,
    /// When the answer may come.
    pub durability: Durability,
    /// The client's clock. The log entry has this or the namespace's newest
    /// time, whichever is later.
    pub time: Timestamp,
    /// Commit at this version instead of one that the store chooses: how a
    /// follower repeats its source's history. Must be above every version in
    /// the store. Needs [`Capabilities::chosen_versions`](crate::Capabilities::chosen_versions).
    pub at: Option<Version>,
}

/// What one commit does to one namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamespaceChange {
    /// Which namespace.
    pub namespace: NamespaceId,
    /// Pages to write, each at most once, in any order. A page that is staged
    /// and written here is written as here.
    pub writes: Vec<PageWrite>,
    /// The size of a page afterwards; every image has it.
    pub page_size: PageSize,
    /// Pages in the namespace afterwards. Pages above it keep their history
    /// but are not part of this version.
    pub page_count: u32,
}

/// What must hold for a commit to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// No commit above `since` wrote the page.
    PageUnchanged {
        /// The page's namespace.
        namespace: NamespaceId,
        /// The page.
        page: PageNo,
        /// What was read, was read at this version.
        since: Version,
    },
    /// No commit above `since` wrote the namespace.
    NamespaceUnchanged {
        /// The namespace.
        namespace: NamespaceId,
        /// What was read, was read at this version.
        since: Version,
    },
    /// The metadata key has this value, or none.
    MetaEquals {
        /// The key.
        key: Bytes,
        /// Its value; `None` if the key must not exist.
        value: Option<Bytes>,
    },
}

/// Metadata to set or remove.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaWrite {
    /// The key: any bytes, 1 to 1024 of them.
    pub key: Bytes,
    /// What to store; `None` removes the key.
    pub value: Option<MetaValue>,
}

/// A metadata value, into which the store can put the commit's version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaValue {
    /// The value, at most 64 KiB.
    pub bytes: Bytes,
    /// Where the 10 bytes of the commit's version go, over what is there.
    pub version_at: Option<usize>,
}

impl MetaValue {
    /// A value without a version in it.
    pub fn plain(bytes: impl Into<Bytes>) -> Self {
        MetaValue { bytes: bytes.into(), version_at: None }
    }
}

/// When a commit's answer may come, and what a read may see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Durability {
    /// Ordered and visible, on stable storage soon. After a power cut a prefix
    /// of such commits is there.
    Sequenced,
    /// On stable storage before the answer.
    Durable,
}

/// What became of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommitOutcome {
    /// It was made.
    Committed(Committed),
    /// A condition did not hold; nothing was written.
    Conflict(Conflict),
}

/// A commit that was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed {
    /// Its version.
    pub version: Version,
    /// The time that its log entries have.
    pub time: Timestamp,
}

/// Which condition did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// The page was written since.
    Page {
        /// The page's namespace.
        namespace: NamespaceId,
        /// The page.
        page: PageNo,
        /// By the commit of this version.
        version: Version,
    },
    /// The namespace was written since.
    Namespace {
        /// The namespace.
        namespace: NamespaceId,
        /// By the commit of this version.
        version: Version,
    },
    /// The metadata key has another value.
    Meta {
        /// The key.
        key: Bytes,
    },
}
