//! What is known about a namespace.

use std::fmt;
use std::str::FromStr;

use hozo_traits::{
    Durability, Error, ErrorKind, LogEntry, NamespaceId, PageNo, PageSize, Result, Timestamp,
    Version,
};

use crate::NamespaceName;

/// How a namespace's writers share it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Concurrency {
    /// One writer at a time holds the namespace's slot; its commit cannot
    /// conflict. What an application written for SQLite expects.
    #[default]
    Serial,
    /// Nothing is reserved; a commit conflicts if a page that it read was
    /// written since. Writers of different pages commit side by side.
    Optimistic,
}

impl Concurrency {
    /// The name that configs and flags use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Concurrency::Serial => "serial",
            Concurrency::Optimistic => "optimistic",
        }
    }
}

impl fmt::Display for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Concurrency {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "serial" => Ok(Concurrency::Serial),
            "optimistic" => Ok(Concurrency::Optimistic),
            _ => Err(Error::new(ErrorKind::Invalid, "concurrency is serial or optimistic")
                .with("given", format_args!("{s:?}"))),
        }
    }
}

/// What a new namespace starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CreateOptions {
    /// The page size until the first commit says another.
    pub page_size: PageSize,
    /// How writers share it unless a connection chooses otherwise.
    pub concurrency: Concurrency,
}

impl Default for CreateOptions {
    fn default() -> Self {
        CreateOptions { page_size: PageSize::DEFAULT, concurrency: Concurrency::Serial }
    }
}

/// What a namespace is, whatever its contents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamespaceInfo {
    /// Stays when the name changes; never given to another namespace.
    pub id: NamespaceId,
    /// The name under which it was found.
    pub name: NamespaceName,
    /// When it was created.
    pub created: Timestamp,
    /// The version at which it was created: it is empty there.
    pub created_version: Version,
    /// What an empty database starts with. [`Head::page_size`] is what a
    /// version has.
    pub page_size: PageSize,
    /// How writers share it unless a connection chooses otherwise.
    pub concurrency: Concurrency,
}

impl NamespaceInfo {
    /// What the namespace is before its first commit.
    pub(crate) fn empty_head(&self) -> Head {
        Head {
            version: Version::ZERO,
            time: self.created,
            page_size: self.page_size,
            page_count: 0,
        }
    }
}

/// The shape of a namespace at one of its commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The commit's version; [`Version::ZERO`] before the first commit.
    pub version: Version,
    /// When it was committed; before the first commit, when the namespace was
    /// created.
    pub time: Timestamp,
    /// The size of a page.
    pub page_size: PageSize,
    /// Pages in the database.
    pub page_count: u32,
}

impl Head {
    /// Whether the version has this page. Pages above [`page_count`](Self::page_count)
    /// keep images from when the database was larger.
    pub fn contains(&self, page: PageNo) -> bool {
        page.get() <= self.page_count
    }

    /// Bytes in the database.
    pub fn bytes(&self) -> u64 {
        u64::from(self.page_count) * u64::from(self.page_size.get())
    }
}

impl From<&LogEntry> for Head {
    fn from(entry: &LogEntry) -> Self {
        Head {
            version: entry.version,
            time: entry.time,
            page_size: entry.page_size,
            page_count: entry.page_count,
        }
    }
}

/// A namespace's newest version, by both durabilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heads {
    /// The newest that is on stable storage.
    pub durable: Head,
    /// The newest that is ordered and visible: what the next writer builds on.
    pub sequenced: Head,
}

impl Heads {
    /// The newest that a reader who asked for `durability` may see.
    pub fn at(&self, durability: Durability) -> Head {
        match durability {
            Durability::Sequenced => self.sequenced,
            Durability::Durable => self.durable,
        }
    }
}

/// How many commits a namespace has. Counting reads the log, so it stops at
/// [`COMMITS_COUNTED_MAX`](crate::COMMITS_COUNTED_MAX).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitCount {
    /// So many.
    Exactly(u64),
    /// More than so many.
    MoreThan(u64),
}

impl fmt::Display for CommitCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommitCount::Exactly(n) => write!(f, "{n}"),
            CommitCount::MoreThan(n) => write!(f, "more than {n}"),
        }
    }
}

/// What a namespace is and holds now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamespaceStat {
    /// What it is.
    pub info: NamespaceInfo,
    /// Its newest sequenced version.
    pub head: Head,
    /// The oldest commit that can still be read; [`Version::ZERO`] before the
    /// first commit.
    pub oldest: Version,
    /// Commits in its history.
    pub commits: CommitCount,
}

/// A namespace that was deleted and whose pages may still be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeletedNamespace {
    /// What it was; the name may have been given to another one since.
    pub info: NamespaceInfo,
    /// When it was deleted.
    pub deleted: Timestamp,
    /// The version at which it was deleted: all its commits are below.
    pub deleted_version: Version,
}
