//! The commits of a page store, as those see them who follow.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    CommitId, NamespaceId, PageNo, PageSize, Reader, Result, ServerId, Timestamp, Version,
};

/// After what to begin reading a [`PageFeed`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PagesStart {
    /// The newest version that the reader has; [`Version::ZERO`] of nothing.
    pub after: Version,
    /// The id of the commit of that version: versions that are the same with
    /// ids that are the same are one history. `None` of nothing.
    pub last: Option<CommitId>,
}

/// Some pages of one namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamespacePages {
    /// The namespace.
    pub namespace: NamespaceId,
    /// Pages and their images, each page once in a commit.
    pub pages: Vec<(PageNo, Bytes)>,
}

/// What a namespace is after a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamespaceShape {
    /// The namespace.
    pub namespace: NamespaceId,
    /// The size of a page; every image of the commit has it.
    pub page_size: PageSize,
    /// Pages in the namespace.
    pub page_count: u32,
}

/// What completes a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PagesEnd {
    /// The commit's time.
    pub time: Timestamp,
    /// The namespaces that it wrote, in its order.
    pub namespaces: Vec<NamespaceShape>,
    /// The metadata that it wrote, in its order; `None` where it removed a key.
    pub meta: Vec<(Bytes, Option<Bytes>)>,
}

/// A commit, or a part of one: so that one of any size needs little memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PagesPiece {
    /// The commit's version.
    pub version: Version,
    /// Its id.
    pub commit_id: CommitId,
    /// Pages that it wrote and that were in no piece before.
    pub pages: Vec<NamespacePages>,
    /// With the last piece of the commit, which makes it.
    pub end: Option<PagesEnd>,
}

impl PagesPiece {
    /// Bytes of images, keys and values.
    pub fn bytes(&self) -> usize {
        let images = self.pages.iter().flat_map(|of| of.pages.iter()).map(|(_, image)| image.len());
        let meta = self.end.iter().flat_map(|end| end.meta.iter());
        let meta = meta.map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len));
        images.sum::<usize>() + meta.sum::<usize>()
    }
}

/// Some pieces of a [`PageFeed`], in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PagesPart {
    /// The pieces; none if there are none just now.
    pub pieces: Vec<PagesPiece>,
    /// The newest version on stable storage at the source.
    pub head: Version,
    /// Whether the source takes commits of clients.
    pub home: bool,
    /// The newest epoch that the source knows.
    pub epoch: u64,
}

/// What one page store committed, from a version on.
///
/// The store's own list of changes is the log: it is written together with each
/// commit, so both agree after any crash.
///
/// # Contract
///
/// - **PF-1** A reader gets each commit after its start once, by ascending
///   version: the pieces of one, of which the last has its end, then those of
///   the next.
/// - **PF-2** Only what is on stable storage here is given.
/// - **PF-3** Starting after a version of which the next commits cannot be told
///   any more is [`VersionGone`](crate::ErrorKind::VersionGone).
/// - **PF-4** Starting after a version that is not in this history, or that
///   another commit made, is [`Conflict`](crate::ErrorKind::Conflict), which
///   names both.
/// - **PF-5** A reader with a newer epoch than this server's is refused with
///   [`ReadOnly`](crate::ErrorKind::ReadOnly), and this server takes no writes
///   any more.
#[async_trait]
pub trait PageFeed: Send + Sync {
    /// The name of the store.
    fn store(&self) -> &str;

    /// Whose it is.
    fn server(&self) -> ServerId;

    /// Begins to read (PF-1 to PF-5).
    async fn open(&self, start: PagesStart, reader: Reader) -> Result<Box<dyn PageFeedReader>>;
}

/// Someone who reads a [`PageFeed`]; dropping it ends that.
#[async_trait]
pub trait PageFeedReader: Send {
    /// The next pieces, at least one where there is one, more only as long as
    /// they stay within `bytes_max`; a page is never divided. The first answer
    /// comes at once, pieces or not; later ones without pieces every now and
    /// then, so that the reader knows that its source is there. May be dropped
    /// while it waits.
    async fn next(&mut self, bytes_max: usize) -> Result<PagesPart>;

    /// The reader has all up to this version on stable storage.
    fn acknowledge(&mut self, durable: Version, epoch: u64) -> Result<()>;
}
