//! What an ordered engine must give.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{Capabilities, Error, Result, Version, Watermarks};

use crate::{Limits, Write, WriteOutcome};

/// A key and its value.
pub type Pair = (Bytes, Bytes);

/// One of the sorted maps that a store is made of. An engine keeps them apart
/// as it likes: column families, tables, or [`Space::number`] as the first byte
/// of every key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Space {
    /// Page versions. Keys are 22 bytes: namespace (8), page (4), version (10),
    /// all big-endian. Read almost only by "the last key at or below", within
    /// the 12 bytes that name the page. Values are page images or small.
    Pages = 0,
    /// Page log entries. Keys are 18 bytes: namespace (8), version (10).
    Log = 1,
    /// Log entries by time. Keys are 26 bytes: namespace (8), microseconds (8),
    /// version (10). Values are empty.
    Times = 2,
    /// Metadata. Keys are whatever callers chose, 1 to 1024 bytes.
    Meta = 3,
    /// Outcomes by commit id. Keys are 16 bytes that ascend with time; old ones
    /// go as one range; most gets find nothing.
    Commits = 4,
    /// Staged pages. Keys are at most 33 bytes. Values are page images or small.
    Staged = 5,
    /// The little that the store keeps about itself.
    System = 6,
    /// Records of DBMs. Keys are 5 bytes more than those of the DBM's; gets
    /// find nothing as often as not, and scans follow gets. Values are as
    /// callers chose, in parts of at most 1 MiB.
    Records = 7,
    /// The list of changes, in parts. Keys are 14 bytes: version (10), part (4).
    /// Read in order, by who copies the store.
    Changes = 8,
}

impl Space {
    /// Every space, by number.
    pub const ALL: [Space; 9] = [
        Space::Pages,
        Space::Log,
        Space::Times,
        Space::Meta,
        Space::Commits,
        Space::Staged,
        Space::System,
        Space::Records,
        Space::Changes,
    ];

    /// The space's number, which never changes: it is part of stored keys.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The space's name, for engines that name their tables, and for errors.
    /// It never changes either.
    pub const fn name(self) -> &'static str {
        match self {
            Space::Pages => "pages",
            Space::Log => "log",
            Space::Times => "times",
            Space::Meta => "meta",
            Space::Commits => "commits",
            Space::Staged => "staged",
            Space::System => "system",
            Space::Records => "records",
            Space::Changes => "changes",
        }
    }
}

/// Keys from `start` to `end`, both included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRange {
    /// The first key that is in it.
    pub start: Vec<u8>,
    /// The last key that is in it. If it is below `start`, the range is empty.
    pub end: Vec<u8>,
}

/// A range scan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scan<'a> {
    /// Which space.
    pub space: Space,
    /// The smallest key that may be answered.
    pub start: &'a [u8],
    /// Above the largest key that may be answered. If it is at or below
    /// `start`, nothing is answered.
    pub end: &'a [u8],
    /// Largest key first.
    pub reverse: bool,
    /// At most so many pairs. 0 answers nothing.
    pub limit: usize,
    /// Stop after the pair with which keys and values together reach so many
    /// bytes. The first pair is always answered.
    pub bytes_max: usize,
}

/// One step of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Sets a key, replacing what it had.
    Put {
        /// Which space.
        space: Space,
        /// The key.
        key: Bytes,
        /// Its value.
        value: Bytes,
    },
    /// Removes a key, if it is there.
    Delete {
        /// Which space.
        space: Space,
        /// The key.
        key: Bytes,
    },
    /// Removes every key from `start` to below `end`.
    DeleteRange {
        /// Which space.
        space: Space,
        /// The first key that goes.
        start: Bytes,
        /// The first key that stays.
        end: Bytes,
    },
}

/// Why a batch was not applied.
#[derive(Debug)]
pub enum NotApplied {
    /// Nothing of it was, and nothing has changed: the engine goes on, and may
    /// take the same batch later. So it is on a full disk for an engine that
    /// makes room before it begins.
    Refused(Error),
    /// Something went wrong on the way: what was asked for may be there or not.
    Failed(Error),
}

impl From<Error> for NotApplied {
    /// An error of which no more is known.
    fn from(error: Error) -> Self {
        NotApplied::Failed(error)
    }
}

impl NotApplied {
    /// The error, for who gives up either way.
    pub fn into_error(self) -> Error {
        match self {
            NotApplied::Refused(error) | NotApplied::Failed(error) => error,
        }
    }
}

/// A local engine: sorted maps in this process, synchronous and simple.
/// [`Sequenced`](crate::Sequenced) makes an [`OrderedEngine`] of it.
///
/// Reads may come from any number of threads, also while a batch is applied or
/// synced. Keys sort as their bytes do. An error is never turned into "not
/// there".
pub trait LocalEngine: Send + Sync + 'static {
    /// The backend's name, as in the config.
    fn backend(&self) -> &'static str;

    /// Whether anything is there after the process ends. If not,
    /// [`sync`](Self::sync) is never called.
    fn persistent(&self) -> bool;

    /// What the engine can take.
    fn limits(&self) -> Limits;

    /// The value of a key.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>>;

    /// The values of many keys, in their order, repeats included.
    fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>>;

    /// The last key from `start` to `end`, both included, and its value.
    ///
    /// This is how a page is read: make it cheap. In [`Space::Pages`], `start`
    /// and `end` begin with the same 12 bytes.
    fn last_in(&self, space: Space, start: &[u8], end: &[u8]) -> Result<Option<Pair>>;

    /// [`last_in`](Self::last_in) for many ranges, answered in their order; an
    /// engine may use one cursor for all.
    fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>>;

    /// The pairs of a range, in the order asked for, seen at one moment.
    fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>>;

    /// Applies the steps in their order, as one: a read sees all or nothing of
    /// them, as a crash leaves all or nothing of them.
    ///
    /// Reads see it when this returns. It then survives the death of the
    /// process, but a power cut only after [`sync`](Self::sync). After a power
    /// cut the batches that are left are a prefix, in the order of the calls.
    ///
    /// Called by one thread at a time, possibly while another is in `sync`.
    /// After [`Failed`](NotApplied::Failed) the engine is not asked to write
    /// again; after [`Refused`](NotApplied::Refused) it is.
    fn apply(&self, ops: &[Op]) -> Result<(), NotApplied>;

    /// Puts everything that was applied before this call on stable storage.
    ///
    /// Called by one thread at a time, possibly while another is in `apply`.
    /// After an error the engine is not asked to write again.
    fn sync(&self) -> Result<()>;
}

/// An ordered engine with conditional atomic writes: what
/// [`OrderedPages`](crate::OrderedPages) is written over.
///
/// Local engines get it from [`Sequenced`](crate::Sequenced); one that orders
/// commits by itself implements it directly. Futures are executor-agnostic, as
/// all in `hozo-traits`; reads of local engines are ready on the first poll.
#[async_trait]
pub trait OrderedEngine: Send + Sync + 'static {
    /// What the engine can do.
    fn capabilities(&self) -> Capabilities;

    /// What the engine can take.
    fn limits(&self) -> Limits;

    /// How far the written versions reach (PG-1 to PG-3).
    async fn watermarks(&self) -> Result<Watermarks>;

    /// Waits until everything up to `version` is on stable storage (PG-4).
    async fn wait_durable(&self, version: Version) -> Result<()>;

    /// The value of a key.
    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>>;

    /// The values of many keys, in their order.
    async fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>>;

    /// For each range the last key that it has, and its value.
    async fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>>;

    /// The pairs of a range.
    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>>;

    /// Judges the conditions and, if all hold, applies the steps, with nothing
    /// in between. See [`Write`].
    async fn write(&self, write: Write) -> Result<WriteOutcome>;
}

#[async_trait]
impl<E: OrderedEngine + ?Sized> OrderedEngine for Arc<E> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn limits(&self) -> Limits {
        (**self).limits()
    }

    async fn watermarks(&self) -> Result<Watermarks> {
        (**self).watermarks().await
    }

    async fn wait_durable(&self, version: Version) -> Result<()> {
        (**self).wait_durable(version).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        (**self).get(space, key).await
    }

    async fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>> {
        (**self).get_many(space, keys).await
    }

    async fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>> {
        (**self).last_in_many(space, ranges).await
    }

    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>> {
        (**self).scan(scan).await
    }

    async fn write(&self, write: Write) -> Result<WriteOutcome> {
        (**self).write(write).await
    }
}
