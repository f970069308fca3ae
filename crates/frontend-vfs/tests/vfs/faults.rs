//! A store that can be held back and made to fail.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use hozo::{Plan, Registry};
use hozo_conformance::Model;
use hozo_traits::{
    Ambient, Capabilities, ChangeEntry, Commit, CommitId, CommitOutcome, Error, ErrorKind,
    LogEntry, LogQuery, NamespaceId, PageImage, PageNo, PageStore, PageWrite, Purged, Result,
    SystemAmbient, Version, Watermarks,
};
use tempfile::TempDir;

/// What a commit wrote.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) id: CommitId,
    /// Pages per namespace, staged ones not included.
    pub(crate) pages: Vec<Vec<u32>>,
    /// Bytes in patches, and in whole images, of all pages.
    pub(crate) patched: usize,
    pub(crate) whole: usize,
}

#[derive(Default)]
struct State {
    /// Nothing above this is durable, while held.
    held: Option<Version>,
    wakers: Vec<Waker>,
    fail_reads: bool,
    /// Commits that are made but answered with an error, and that are not made.
    lose_answers: usize,
    refuse_commits: usize,
    written: Vec<Written>,
    /// Pages that were read.
    read: Vec<u32>,
    stages: usize,
    durable_waits: usize,
}

/// The tests' store behind a gate.
pub(crate) struct Gate {
    inner: Arc<dyn PageStore>,
    state: Mutex<State>,
    /// Where the store is, if it is on a disk; gone after it.
    _dir: Option<TempDir>,
}

/// The store that the tests use, if not the model.
pub(crate) fn other_store() -> Option<String> {
    std::env::var("HOZO_TEST_STORE").ok()
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        let ambient: Arc<dyn Ambient> = Arc::new(SystemAmbient);
        let (inner, dir): (Arc<dyn PageStore>, _) = match other_store() {
            None => (Model::new(ambient), None),
            Some(backend) => {
                let dir = tempfile::tempdir().unwrap();
                let text = format!("[store.main]\nbackend = {backend:?}\npath = \"store\"\n");
                let registry = Registry::builtin();
                let plan = Plan::from_text("HOZO_TEST_STORE", &text, dir.path(), &registry);
                let plan = plan.unwrap_or_else(|problems| panic!("{problems}"));
                (plan.stores()[0].open(ambient).unwrap().pages().unwrap(), Some(dir))
            }
        };
        Arc::new(Gate { inner, state: Mutex::default(), _dir: dir })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// From now on nothing becomes durable.
    pub(crate) fn hold(&self) {
        let now = hozo_traits::exec::block_on(self.inner.watermarks()).unwrap();
        self.state().held = Some(now.durable);
    }

    /// Everything becomes durable again.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        state.held = None;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn fail_reads(&self, fail: bool) {
        self.state().fail_reads = fail;
    }

    pub(crate) fn lose_answers(&self, n: usize) {
        self.state().lose_answers = n;
    }

    pub(crate) fn refuse_commits(&self, n: usize) {
        self.state().refuse_commits = n;
    }

    /// What was committed since this was last asked.
    pub(crate) fn written(&self) -> Vec<Written> {
        std::mem::take(&mut self.state().written)
    }

    /// Which pages were read since this was last asked.
    pub(crate) fn read(&self) -> Vec<u32> {
        std::mem::take(&mut self.state().read)
    }

    pub(crate) fn stages(&self) -> usize {
        self.state().stages
    }

    /// How many calls wait, or waited, for something to become durable.
    pub(crate) fn durable_waits(&self) -> usize {
        self.state().durable_waits
    }
}

fn down(what: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, what)
}

fn take(n: &mut usize) -> bool {
    let some = *n > 0;
    *n = n.saturating_sub(1);
    some
}

#[async_trait]
impl PageStore for Gate {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn watermarks(&self) -> Result<Watermarks> {
        let mut marks = self.inner.watermarks().await?;
        if let Some(held) = self.state().held {
            marks.durable = marks.durable.min(held);
        }
        Ok(marks)
    }

    async fn wait_durable(&self, version: Version) -> Result<()> {
        self.state().durable_waits += 1;
        poll_fn(|context| {
            let mut state = self.state();
            match state.held {
                Some(held) if held < version => {
                    state.wakers.push(context.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            }
        })
        .await;
        self.inner.wait_durable(version).await
    }

    async fn read_pages(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        {
            let mut state = self.state();
            state.read.extend(pages.iter().map(|page| page.get()));
            if state.fail_reads {
                return Err(down("reads fail"));
            }
        }
        self.inner.read_pages(namespace, pages, at).await
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome> {
        if take(&mut self.state().refuse_commits) {
            return Err(down("commits fail"));
        }
        let images = commit.namespaces.iter().flat_map(|n| &n.writes);
        let patches = images.clone().filter_map(|w| w.patch.as_ref());
        let written = Written {
            id: commit.id,
            pages: commit
                .namespaces
                .iter()
                .map(|n| n.writes.iter().map(|w| w.page.get()).collect())
                .collect(),
            patched: patches.map(|p| p.payload_len()).sum(),
            whole: images.filter(|w| w.patch.is_none()).map(|w| w.image.len()).sum(),
        };
        let outcome = self.inner.commit(commit).await?;
        let mut state = self.state();
        if matches!(outcome, CommitOutcome::Committed(_)) && !written.pages.is_empty() {
            state.written.push(written);
        }
        if take(&mut state.lose_answers) {
            return Err(down("the answer is lost"));
        }
        Ok(outcome)
    }

    async fn stage(&self, id: CommitId, n: NamespaceId, writes: Vec<PageWrite>) -> Result<()> {
        self.state().stages += 1;
        self.inner.stage(id, n, writes).await
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
        self.inner.log(query).await
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

    async fn purge(&self, n: NamespaceId, victims: &[(PageNo, Version)]) -> Result<Purged> {
        self.inner.purge(n, victims).await
    }
}
