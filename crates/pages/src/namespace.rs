//! One namespace, opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hozo_traits::{
    CommitId, Error, ErrorKind, LogQuery, PageImage, PageNo, PageRuns, PageStore, PageWrite,
    Result, Span, Version, Watermarks,
};

use crate::heads::{self, HeadsCache};
use crate::writer::WriterQueue;
use crate::{Concurrency, Head, Heads, NamespaceInfo, Namespaces, WriterSlot, WriterTicket};

/// Log entries that [`Namespace::changes_since`] reads at most. Who is further
/// behind than that drops its caches.
pub const CHANGES_ENTRIES_MAX: usize = 1024;

/// Pages that [`Namespace::changes_since`] lists at most.
pub const CHANGED_PAGES_MAX: u32 = 65536;

/// What all who opened one namespace share, whatever its name was then.
pub(crate) struct Shared {
    pub(crate) heads: HeadsCache,
    pub(crate) writers: Arc<WriterQueue>,
}

/// A namespace that was opened. Cheap to open many times: all share one writer
/// slot and one idea of the head.
pub struct Namespace {
    pub(crate) namespaces: Arc<Namespaces>,
    pub(crate) info: NamespaceInfo,
    /// The namespace's id record as it is stored: a commit requires that it is
    /// still there, so that a deleted namespace refuses.
    pub(crate) id_record: Bytes,
    pub(crate) shared: Arc<Shared>,
}

impl Namespace {
    /// What it was when it was opened. A later rename or change of concurrency
    /// does not show; the id stays.
    pub fn info(&self) -> &NamespaceInfo {
        &self.info
    }

    /// How writers share it unless this connection chooses otherwise.
    pub fn concurrency(&self) -> Concurrency {
        self.info.concurrency
    }

    /// Where it was opened.
    pub fn namespaces(&self) -> &Arc<Namespaces> {
        &self.namespaces
    }

    fn store(&self) -> &dyn PageStore {
        &**self.namespaces.store()
    }

    /// How far the whole store's history reaches. While these do not change,
    /// nothing has moved in any namespace of the store.
    pub async fn watermarks(&self) -> Result<Watermarks> {
        self.store().watermarks().await
    }

    /// The newest versions. Reads no log while the watermarks stay.
    pub async fn heads(&self) -> Result<Heads> {
        self.shared.heads.heads(self.store(), &self.info).await
    }

    /// The namespace at its newest commit at or below `version`; empty before
    /// its first. A version that the store has not reached is
    /// [`VersionGone`](ErrorKind::VersionGone).
    pub async fn head_at(&self, version: Version) -> Result<Head> {
        if version > self.shared.heads.known_sequenced() {
            let newest = self.watermarks().await?.sequenced;
            if version > newest {
                return Err(not_reached(version, newest));
            }
        }
        heads::head_at(self.store(), &self.info, version).await
    }

    /// The newest image of each page at or below a version, in the order asked
    /// for; `None` for a page that was never written.
    ///
    /// Only pages that the version's [`Head`] contains are part of it. An image
    /// above its page count, or of another length than its page size, is left
    /// from before the database shrank or changed its page size.
    pub async fn read(&self, pages: &[PageNo], at: Version) -> Result<Vec<Option<PageImage>>> {
        self.store().read_pages(self.info.id, pages, at).await
    }

    /// Which pages commits in (`from`, `to`] wrote. `None` if the log does not
    /// say, if they are more than [`CHANGED_PAGES_MAX`] or if the commits are
    /// more than [`CHANGES_ENTRIES_MAX`]: then take all pages for changed.
    pub async fn changes_since(&self, from: Version, to: Version) -> Result<Option<PageRuns>> {
        let Some(first) = from.successor().filter(|first| *first <= to) else {
            return Ok(Some(PageRuns::default()));
        };
        let query = LogQuery {
            namespace: self.info.id,
            span: Span::Versions(first, to),
            newest_first: false,
            limit: CHANGES_ENTRIES_MAX + 1,
        };
        let entries = self.store().log(query).await?;
        if entries.len() > CHANGES_ENTRIES_MAX {
            return Ok(None);
        }
        let Some(lists) = entries.into_iter().map(|entry| entry.pages).collect::<Option<Vec<_>>>()
        else {
            return Ok(None);
        };
        Ok(union(&lists, CHANGED_PAGES_MAX))
    }

    /// Waits until everything up to `version` is on stable storage.
    pub async fn wait_durable(&self, version: Version) -> Result<()> {
        self.store().wait_durable(version).await
    }

    /// The writer slot, unless somebody has it or waits for it.
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) if other processes may write the
    /// store, too: their writers would not see the slot.
    pub fn try_writer(&self) -> Result<Option<WriterSlot>> {
        self.require_exclusive()?;
        Ok(self.shared.writers.try_take())
    }

    /// Blocks this thread until the writer slot is ours, at most for `timeout`;
    /// `None` if it was not our turn by then. Who waits longest is first.
    pub fn wait_writer(&self, timeout: Duration) -> Result<Option<WriterSlot>> {
        Ok(self.writer_ticket()?.wait(timeout).ok())
    }

    /// A place in the queue for the writer slot, for callers that look now and
    /// then whether they should go on waiting.
    pub fn writer_ticket(&self) -> Result<WriterTicket> {
        self.require_exclusive()?;
        Ok(self.shared.writers.ticket())
    }

    pub(crate) fn require_exclusive(&self) -> Result<()> {
        let capabilities = self.store().capabilities();
        if capabilities.exclusive {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "writing in serial mode needs a store with the capability 'exclusive'; \
             set the namespace's concurrency to optimistic",
        )
        .with("backend", capabilities.backend)
        .with("namespace", &self.info.name))
    }

    /// Puts pages aside for the commit with this id.
    pub async fn stage(&self, id: CommitId, writes: Vec<PageWrite>) -> Result<()> {
        self.store().stage(id, self.info.id, writes).await
    }

    /// Reads staged pages back, `None` where none is staged.
    pub async fn read_staged(&self, id: CommitId, pages: &[PageNo]) -> Result<Vec<Option<Bytes>>> {
        self.store().read_staged(id, self.info.id, pages).await
    }

    /// Forgets what is staged for this id, in all namespaces.
    pub async fn discard_stage(&self, id: CommitId) -> Result<()> {
        self.store().discard_stage(id).await
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.info).finish()
    }
}

/// The error for a version that no commit has yet.
pub(crate) fn not_reached(version: Version, newest: Version) -> Error {
    Error::new(ErrorKind::VersionGone, "the store has not reached this version")
        .with("version", version)
        .with("newest", newest)
}

/// All pages of all lists, unless they are more than `max`.
fn union(lists: &[PageRuns], max: u32) -> Option<PageRuns> {
    let mut runs: Vec<(u32, u32)> =
        lists.iter().flat_map(|list| list.runs()).map(|(first, n)| (first.get(), *n)).collect();
    runs.sort_unstable();
    // Bounded before it is expanded: a run may claim four billion pages.
    let mut pages = Vec::new();
    let mut next = 1;
    for (first, count) in runs {
        let end = first.saturating_add(count);
        let start = first.max(next);
        if start >= end {
            continue;
        }
        if u64::from(end - start) + pages.len() as u64 > u64::from(max) {
            return None;
        }
        pages.extend((start..end).filter_map(PageNo::new));
        next = end;
    }
    Some(PageRuns::of(pages))
}
