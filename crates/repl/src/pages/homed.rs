//! The page store that clients see.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Capabilities, ChangeEntry, Commit, CommitId, CommitOutcome, Durability, LogEntry, LogQuery,
    NamespaceId, PageImage, PageNo, PageStore, PageWrite, Purged, Result, Version, Watermarks,
};

use super::{Home, Store};

/// A page store whose namespaces are replicated: it takes commits if this server
/// is their [`Home`], and a durable commit is answered when as many followers
/// have it as the config says.
///
/// Reads pass through, so what a source committed is seen as it comes.
pub struct HomedPages {
    pub(crate) store: Arc<Store>,
    pub(crate) home: Arc<Home>,
}

impl HomedPages {
    /// The store of this name. `inner` must not be written to by anybody else.
    pub fn new(name: impl Into<String>, inner: Arc<dyn PageStore>, home: Arc<Home>) -> Arc<Self> {
        Arc::new(HomedPages { store: Arc::new(Store::new(name.into(), inner)), home })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.store.name
    }
}

impl fmt::Debug for HomedPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HomedPages").field("store", &self.store.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl PageStore for HomedPages {
    fn capabilities(&self) -> Capabilities {
        self.store.inner.capabilities()
    }

    async fn watermarks(&self) -> Result<Watermarks> {
        self.store.inner.watermarks().await
    }

    async fn wait_durable(&self, version: Version) -> Result<()> {
        self.store.inner.wait_durable(version).await?;
        if self.home.takes() {
            // Who reads for followers may look now.
            self.store.moves_on();
            self.store.acknowledged(version, &self.home).await?;
        }
        Ok(())
    }

    async fn read_pages(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        self.store.inner.read_pages(namespace, pages, at).await
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome> {
        let writes = !commit.namespaces.is_empty() || !commit.meta.is_empty();
        let durable = commit.durability == Durability::Durable;
        let outcome = {
            let _inside = self.store.gate.enter().await;
            self.home.refuse()?;
            self.store.inner.commit(commit).await?
        };
        if let CommitOutcome::Committed(made) = &outcome
            && writes
        {
            self.store.committed(made.version, durable);
            if durable {
                self.store.acknowledged(made.version, &self.home).await?;
            }
        }
        Ok(outcome)
    }

    async fn stage(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        let _inside = self.store.gate.enter().await;
        self.home.refuse()?;
        self.store.inner.stage(id, namespace, writes).await
    }

    async fn read_staged(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>> {
        self.store.inner.read_staged(id, namespace, pages).await
    }

    async fn discard_stage(&self, id: CommitId) -> Result<()> {
        self.store.inner.discard_stage(id).await
    }

    async fn log(&self, query: LogQuery) -> Result<Vec<LogEntry>> {
        self.store.inner.log(query).await
    }

    async fn changes(&self, after: Version, limit: usize) -> Result<Vec<ChangeEntry>> {
        self.store.inner.changes(after, limit).await
    }

    async fn meta_get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.store.inner.meta_get(key).await
    }

    async fn meta_scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        self.store.inner.meta_scan(prefix, after, limit).await
    }

    async fn purge(&self, namespace: NamespaceId, victims: &[(PageNo, Version)]) -> Result<Purged> {
        let _inside = self.store.gate.enter().await;
        self.home.refuse()?;
        self.store.inner.purge(namespace, victims).await
    }
}
