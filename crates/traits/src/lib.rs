//! Contracts and vocabulary of Hozo: what every part promises to the others.
//!
//! This crate holds no engine, no runtime and no serialisation. It says what a
//! [`PageStore`] is, in numbered clauses that the conformance suite tests by
//! the same numbers, and it defines the words that all crates share:
//! [`Version`], [`PageNo`], [`NamespaceId`], [`CommitId`], [`Timestamp`],
//! [`Error`].
//!
//! # Futures
//!
//! Trait methods are async and **executor-agnostic**: any executor may poll
//! them, and a call that needs no waiting is ready on its first poll. Threads
//! that may block (a SQLite connection's, the kernel's) use [`exec::block_on`],
//! which also tells the implementation that it may block in place instead of
//! handing the work to a thread of its own.
#![forbid(unsafe_code)]

mod ambient;
mod change;
mod commit;
mod error;
pub mod exec;
mod frontend;
mod ids;
mod kv_ext;
mod kv_store;
mod log;
mod page;
mod page_store;
mod replication;
mod store;
mod version;

pub use ambient::{Ambient, SystemAmbient};
pub use change::ChangeEntry;
pub use commit::{
    Commit, CommitOutcome, Committed, Condition, Conflict, Durability, MetaValue, MetaWrite,
    NamespaceChange,
};
pub use error::{Error, ErrorKind, Result, Retry};
pub use frontend::{Claim, Dbm, Endpoint, Frontend, Health, Needs, Parts, Running};
pub use ids::{CommitId, NamespaceId, PageNo, Timestamp};
pub use kv_ext::{Desired, Exchanged, Expected, KvStoreExt, Outcome, push_time};
pub use kv_store::{
    Change, Effect, KvCapabilities, KvPart, KvScan, KvSizes, KvStore, Present, PresentValue,
    Selection,
};
pub use log::{LogEntry, LogQuery, PageRuns, Span};
pub use page::{PageImage, PageSize, PageWrite, Patch};
pub use page_store::{Capabilities, PageStore, PageStoreExt, Purged, Watermarks};
pub use replication::{
    ChangeFeed, ConflictReport, FeedPart, FeedReader, FollowState, FollowerStatus, NamespacePages,
    NamespaceShape, PageFeed, PageFeedReader, PagesEnd, PagesFollower, PagesPart, PagesPiece,
    PagesSource, PagesStart, PagesStatus, Position, Reach, Reader, ReplicationStatus, Replicator,
    Role, ServerId, SnapshotPart, SnapshotPlace, SnapshotReader, SourceStatus, Start, Update, What,
};
pub use store::{PagesOnly, Store, check_dbm_name};
pub use version::Version;
