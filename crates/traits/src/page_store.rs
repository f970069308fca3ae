//! The contract of versioned page storage.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    ChangeEntry, Commit, CommitId, CommitOutcome, Durability, LogEntry, LogQuery, NamespaceId,
    PageImage, PageNo, PageWrite, Result, Span, Version,
};

/// What a store can and cannot do. Plain data: a config is refused at start if
/// a frontend needs what its store lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// The backend's name, as in the config.
    pub backend: &'static str,
    /// Whether anything is there after the process ends. A store without it
    /// answers `durable` commits as soon as they are sequenced.
    pub persistent: bool,
    /// Whether this process alone can write the store while it is open, so
    /// that claims on its parts (writer slots) can be kept in memory.
    pub exclusive: bool,
    /// Whether [`Commit::at`] works.
    pub chosen_versions: bool,
}

/// How far a store's history reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watermarks {
    /// The newest version that is ordered and visible.
    pub sequenced: Version,
    /// The newest version that is on stable storage, with all before it.
    pub durable: Version,
}

impl Watermarks {
    /// The newest version that a reader who asked for `durability` may see.
    pub fn at(&self, durability: Durability) -> Version {
        match durability {
            Durability::Sequenced => self.sequenced,
            Durability::Durable => self.durable,
        }
    }
}

/// What a purge did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Purged {
    /// Page versions that are gone.
    pub removed: u64,
    /// Page versions that stay because others that stay are stored as patches
    /// against them.
    pub kept: u64,
}

/// Storage of versioned pages, a log of their commits, and some metadata.
///
/// Used as `Arc<dyn PageStore>`. Errors are never turned into "not there".
///
/// # Contract
///
/// Versions and visibility
/// - **PG-1** An empty store's watermarks are [`Version::ZERO`]; each commit
///   that is made gets a version above all before it.
/// - **PG-2** `durable` never exceeds `sequenced`, and neither moves back.
/// - **PG-3** When a commit is answered, its version is at or below `sequenced`;
///   if it asked for [`Durability::Durable`], at or below `durable`.
/// - **PG-4** [`wait_durable`](Self::wait_durable) returns when `durable` has
///   reached the version. A version above `sequenced` is an error.
///
/// Reading
/// - **PG-5** [`read_pages`](Self::read_pages) answers, for each page asked
///   for and in that order (repeats included), the newest image at or below
///   the version, or `None` if there is none. No pages, no images.
/// - **PG-6** The answer for one version never changes, whatever is committed
///   meanwhile or afterwards.
/// - **PG-7** A read at a version below what was purged answers
///   [`VersionGone`](crate::ErrorKind::VersionGone) or the right image, never
///   a wrong one.
/// - **PG-8** An image's version is that of the commit that wrote it.
///
/// Committing
/// - **PG-9** A commit is atomic: its pages, log entries and metadata, in all
///   its namespaces, appear at one version or not at all.
/// - **PG-10** `PageUnchanged` fails exactly if a commit above `since` wrote
///   the page, and the conflict names the page and the newest such version.
/// - **PG-11** `NamespaceUnchanged` fails exactly if a commit above `since`
///   wrote the namespace, and the conflict names it and the newest such version.
/// - **PG-12** `MetaEquals` fails exactly if the key's value is another, and
///   the conflict names the key.
/// - **PG-13** Conditions are judged against all commits sequenced before,
///   durable or not, and no commit comes between judging and writing.
/// - **PG-14** The same id again, within the store's keep time (at least an
///   hour), answers what the first time answered, conflict or not, and writes
///   nothing, whatever else was committed meanwhile, also after reopening.
///   An id older than the keep time is [`Invalid`](crate::ErrorKind::Invalid),
///   unless [`Commit::at`] says a version: that one cannot be made twice.
/// - **PG-15** A commit without namespaces and metadata checks its conditions
///   and answers a version; it writes nothing.
/// - **PG-16** A page written twice in one change, an image whose length is
///   not the change's page size, or a namespace that appears twice is
///   [`Invalid`](crate::ErrorKind::Invalid), and nothing is written.
/// - **PG-17** A write with a patch reads back as its image.
/// - **PG-18** A later commit is never durable before an earlier one.
/// - **PG-19** With [`Commit::at`] the version is that one; at or below
///   `sequenced` it is [`Invalid`](crate::ErrorKind::Invalid); without the
///   capability, [`Unsupported`](crate::ErrorKind::Unsupported).
///
/// Staging
/// - **PG-20** Staged pages are seen by [`read_staged`](Self::read_staged) with
///   the same id only, until the commit of that id makes them part of its
///   version. Staging a page again replaces it. An id older than the keep time
///   (PG-14) can be staged for, unless its commit may have been made with a
///   stage: that is [`Invalid`](crate::ErrorKind::Invalid).
/// - **PG-21** A commit takes the staged pages of the namespaces in its
///   `namespaces`; a page also in `writes` is as in `writes`. Staged pages of
///   other namespaces are dropped.
/// - **PG-22** [`discard_stage`](Self::discard_stage) forgets them; of an
///   unknown id it does nothing; of a committed id it does nothing.
/// - **PG-23** A stage may be larger than memory; a commit's own memory does
///   not grow with the bytes that are staged.
///
/// The log
/// - **PG-24** A commit adds one entry to the log of each namespace in
///   `namespaces`, even if it wrote no page there.
/// - **PG-25** [`log`](Self::log) answers the entries of the span in the order
///   asked for, at most `limit`, both ends included. A span from above to
///   below is empty.
/// - **PG-26** Times never decrease along a namespace's log, and each is at
///   least the commit's own.
///
/// Metadata
/// - **PG-27** [`meta_get`](Self::meta_get) and [`meta_scan`](Self::meta_scan)
///   see every sequenced commit.
/// - **PG-28** A scan answers keys with the prefix, strictly after `after`
///   where given, ascending, at most `limit`.
/// - **PG-29** `version_at` puts the commit's version into the stored value; a
///   position where 10 bytes do not fit is [`Invalid`](crate::ErrorKind::Invalid).
///
/// Purging
/// - **PG-30** [`purge`](Self::purge) removes the named page versions and
///   nothing else changes what it answers. A version that others are stored
///   against stays, and is counted as kept.
///
/// The list of changes
/// - **PG-31** [`changes`](Self::changes) answers the sequenced commits above
///   `after` that wrote a namespace or metadata, each once, by ascending
///   version, at most `limit`. None comes later below one that was answered.
///   Where the list does not go back to `after`, it is
///   [`VersionGone`](crate::ErrorKind::VersionGone).
/// - **PG-32** A change says id, version and time of its commit, the namespaces
///   that got a log entry, and the metadata as it was stored. Committing the
///   same with [`Commit::at`], in this order, makes a copy that answers every
///   read as this store does.
#[async_trait]
pub trait PageStore: Send + Sync {
    /// What this store can do.
    fn capabilities(&self) -> Capabilities;

    /// How far history reaches now (PG-1 to PG-3).
    async fn watermarks(&self) -> Result<Watermarks>;

    /// Waits until everything up to `version` is on stable storage (PG-4).
    async fn wait_durable(&self, version: Version) -> Result<()>;

    /// Reads pages as of a version (PG-5 to PG-8).
    async fn read_pages(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>>;

    /// Commits, or says which condition did not hold (PG-9 to PG-19).
    async fn commit(&self, commit: Commit) -> Result<CommitOutcome>;

    /// Puts pages aside for the commit with this id (PG-20 to PG-23).
    async fn stage(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()>;

    /// Reads staged pages back, `None` where none is staged (PG-20).
    async fn read_staged(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>>;

    /// Forgets what is staged for this id (PG-22).
    async fn discard_stage(&self, id: CommitId) -> Result<()>;

    /// Reads a part of a namespace's log (PG-24 to PG-26).
    async fn log(&self, query: LogQuery) -> Result<Vec<LogEntry>>;

    /// The commits of the whole store after a version (PG-31, PG-32).
    async fn changes(&self, after: Version, limit: usize) -> Result<Vec<ChangeEntry>>;

    /// The value of a metadata key (PG-27).
    async fn meta_get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    /// Metadata keys with a prefix, and their values (PG-27, PG-28).
    async fn meta_scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>>;

    /// Removes page versions that nobody needs any more (PG-30).
    async fn purge(&self, namespace: NamespaceId, victims: &[(PageNo, Version)]) -> Result<Purged>;
}

/// Conveniences over any [`PageStore`].
#[async_trait]
pub trait PageStoreExt: PageStore {
    /// The namespace's newest log entry at or below `at`.
    async fn head(&self, namespace: NamespaceId, at: Version) -> Result<Option<LogEntry>> {
        let span = Span::Versions(Version::ZERO, at);
        let query = LogQuery { namespace, span, newest_first: true, limit: 1 };
        Ok(self.log(query).await?.pop())
    }

    /// One page as of a version.
    async fn read_page(
        &self,
        namespace: NamespaceId,
        page: PageNo,
        at: Version,
    ) -> Result<Option<PageImage>> {
        Ok(self.read_pages(namespace, &[page], at).await?.pop().flatten())
    }
}

impl<S: PageStore + ?Sized> PageStoreExt for S {}
