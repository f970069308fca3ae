//! A store around a store: counts, falsifies, and lets others go first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Capabilities, ChangeEntry, Commit, CommitId, CommitOutcome, Condition, LogEntry, LogQuery,
    NamespaceId, PageImage, PageNo, PageStore, PageWrite, Purged, Result, Version, Watermarks,
};

type Step = Box<dyn FnOnce() + Send>;

/// What to do to a store's answers.
pub(crate) struct Probe {
    inner: Arc<dyn PageStore>,
    /// Log queries so far.
    pub(crate) log_reads: AtomicUsize,
    /// Run one each before the next commits: what somebody else did just then.
    pub(crate) before_commits: Mutex<VecDeque<Step>>,
    pub(crate) settings: Settings,
    in_flight: AtomicUsize,
    arrivals: AtomicUsize,
    overlaps: AtomicUsize,
}

/// How often a commit that lingers lets others run, if none of them comes.
const YIELDS_MAX: usize = 100;

#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// Whether it says that it is alone.
    pub(crate) exclusive: bool,
    /// Whether its log lists pages.
    pub(crate) listed: bool,
    /// The conditions that it heeds; all others are dropped, which is wrong.
    pub(crate) heeds: fn(&Condition) -> bool,
    /// Whether a commit waits a little for another one to be under way.
    pub(crate) lingers: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { exclusive: true, listed: true, heeds: |_| true, lingers: false }
    }
}

impl Probe {
    pub(crate) fn new(inner: Arc<dyn PageStore>, settings: Settings) -> Arc<Self> {
        Arc::new(Probe {
            inner,
            log_reads: AtomicUsize::new(0),
            before_commits: Mutex::default(),
            settings,
            in_flight: AtomicUsize::new(0),
            arrivals: AtomicUsize::new(0),
            overlaps: AtomicUsize::new(0),
        })
    }

    /// Lets `step` happen between a caller's reads and its next commit.
    pub(crate) fn before_next_commit(&self, step: impl FnOnce() + Send + 'static) {
        self.before_commits.lock().expect("no step panics").push_back(Box::new(step));
    }

    /// Commits that began while another one was under way.
    pub(crate) fn overlaps(&self) -> usize {
        self.overlaps.load(Ordering::SeqCst)
    }

    pub(crate) fn log_reads(&self) -> usize {
        self.log_reads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl PageStore for Probe {
    fn capabilities(&self) -> Capabilities {
        Capabilities { exclusive: self.settings.exclusive, ..self.inner.capabilities() }
    }

    async fn watermarks(&self) -> Result<Watermarks> {
        self.inner.watermarks().await
    }

    async fn wait_durable(&self, version: Version) -> Result<()> {
        self.inner.wait_durable(version).await
    }

    async fn read_pages(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        self.inner.read_pages(namespace, pages, at).await
    }

    async fn commit(&self, mut commit: Commit) -> Result<CommitOutcome> {
        let step = self.before_commits.lock().expect("no step panics").pop_front();
        if let Some(step) = step {
            step();
        }
        commit.conditions.retain(self.settings.heeds);
        if !self.settings.lingers {
            return self.inner.commit(commit).await;
        }
        if self.in_flight.fetch_add(1, Ordering::SeqCst) > 0 {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        // Whoever comes while we wait has read what we replace.
        let arrival = self.arrivals.fetch_add(1, Ordering::SeqCst) + 1;
        for _ in 0..YIELDS_MAX {
            if self.arrivals.load(Ordering::SeqCst) > arrival {
                break;
            }
            thread::yield_now();
        }
        let outcome = self.inner.commit(commit).await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    async fn stage(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        self.inner.stage(id, namespace, writes).await
    }

    async fn read_staged(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>> {
        self.inner.read_staged(id, namespace, pages).await
    }

    async fn discard_stage(&self, id: CommitId) -> Result<()> {
        self.inner.discard_stage(id).await
    }

    async fn log(&self, query: LogQuery) -> Result<Vec<LogEntry>> {
        self.log_reads.fetch_add(1, Ordering::SeqCst);
        let mut entries = self.inner.log(query).await?;
        if !self.settings.listed {
            entries.iter_mut().for_each(|entry| entry.pages = None);
        }
        Ok(entries)
    }

    async fn changes(&self, after: Version, limit: usize) -> Result<Vec<ChangeEntry>> {
        self.inner.changes(after, limit).await
    }

    async fn meta_get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.inner.meta_get(key).await
    }

    async fn meta_scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        self.inner.meta_scan(prefix, after, limit).await
    }

    async fn purge(&self, namespace: NamespaceId, victims: &[(PageNo, Version)]) -> Result<Purged> {
        self.inner.purge(namespace, victims).await
    }
}
