//! Page stores that fail as told.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use hozo_conformance::layer::Layer;
use hozo_traits::{
    Capabilities, ChangeEntry, Commit, CommitId, CommitOutcome, Error, ErrorKind, NamespaceId,
    PageImage, PageNo, PageStore, PageWrite, Result, Version,
};
use parking_lot::Mutex;

/// A store whose steps fail from some step on, as those of a process that was
/// killed do.
#[derive(Default)]
pub(crate) struct Failing {
    /// How many steps are left; all, without a number.
    pub(crate) left: Mutex<Option<usize>>,
    pub(crate) died: AtomicBool,
    /// Whether the list of changes begins later than the store: as in one from
    /// before there was a list.
    pub(crate) begins_late: AtomicBool,
    /// How often it was asked for changes that it has not.
    pub(crate) asked_too_early: AtomicUsize,
    /// The last commit that the store was asked for.
    pub(crate) last: Mutex<Option<Commit>>,
}

impl Failing {
    fn step(&self) -> Result<()> {
        if let Some(left) = &mut *self.left.lock() {
            if *left == 0 {
                self.died.store(true, Ordering::SeqCst);
                return Err(Error::new(ErrorKind::Unavailable, "the process was killed"));
            }
            *left -= 1;
        }
        Ok(())
    }
}

pub(crate) struct Steps(pub(crate) Arc<Failing>);

#[async_trait]
impl Layer for Steps {
    async fn wait_durable(&self, inner: &dyn PageStore, version: Version) -> Result<()> {
        self.0.step()?;
        inner.wait_durable(version).await
    }

    async fn commit(&self, inner: &dyn PageStore, commit: Commit) -> Result<CommitOutcome> {
        self.0.step()?;
        *self.0.last.lock() = Some(commit.clone());
        let outcome = inner.commit(commit).await?;
        // Or after it, before anybody hears of it.
        self.0.step()?;
        Ok(outcome)
    }

    async fn stage(
        &self,
        inner: &dyn PageStore,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        self.0.step()?;
        inner.stage(id, namespace, writes).await
    }

    async fn changes(
        &self,
        inner: &dyn PageStore,
        after: Version,
        limit: usize,
    ) -> Result<Vec<ChangeEntry>> {
        if after == Version::ZERO && self.0.begins_late.load(Ordering::SeqCst) {
            self.0.asked_too_early.fetch_add(1, Ordering::SeqCst);
            return Err(Error::new(ErrorKind::VersionGone, "the list does not go back so far"));
        }
        inner.changes(after, limit).await
    }
}

/// A store that numbers commits by itself.
pub(crate) struct Numbering;

#[async_trait]
impl Layer for Numbering {
    fn capabilities(&self, inner: &dyn PageStore) -> Capabilities {
        Capabilities { chosen_versions: false, ..inner.capabilities() }
    }
}

/// A store in which commits of clients wait until they are let go.
pub(crate) struct Held(pub(crate) Arc<AtomicBool>);

#[async_trait]
impl Layer for Held {
    async fn commit(&self, inner: &dyn PageStore, commit: Commit) -> Result<CommitOutcome> {
        poll_fn(|context| {
            context.waker().wake_by_ref();
            let held = commit.at.is_none() && self.0.load(Ordering::SeqCst);
            if held { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        inner.commit(commit).await
    }
}

/// A store in which every second read of pages takes its time.
#[derive(Default)]
pub(crate) struct Slow(AtomicUsize);

#[async_trait]
impl Layer for Slow {
    async fn read_pages(
        &self,
        inner: &dyn PageStore,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        let mut ready = self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut ready, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        inner.read_pages(namespace, pages, at).await
    }
}
