//! Stores that are another store with something changed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Capabilities, ChangeEntry, Commit, CommitId, CommitOutcome, LogEntry, LogQuery, NamespaceId,
    PageImage, PageNo, PageStore, PageWrite, Purged, Result, Version, Watermarks,
};

/// What a [`Layered`] store changes of the store inside it. Whatever is not
/// overridden passes through.
#[async_trait]
pub trait Layer: Send + Sync {
    /// See [`PageStore::capabilities`].
    fn capabilities(&self, inner: &dyn PageStore) -> Capabilities {
        inner.capabilities()
    }

    /// See [`PageStore::watermarks`].
    async fn watermarks(&self, inner: &dyn PageStore) -> Result<Watermarks> {
        inner.watermarks().await
    }

    /// See [`PageStore::wait_durable`].
    async fn wait_durable(&self, inner: &dyn PageStore, version: Version) -> Result<()> {
        inner.wait_durable(version).await
    }

    /// See [`PageStore::read_pages`].
    async fn read_pages(
        &self,
        inner: &dyn PageStore,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        inner.read_pages(namespace, pages, at).await
    }

    /// See [`PageStore::commit`].
    async fn commit(&self, inner: &dyn PageStore, commit: Commit) -> Result<CommitOutcome> {
        inner.commit(commit).await
    }

    /// See [`PageStore::stage`].
    async fn stage(
        &self,
        inner: &dyn PageStore,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        inner.stage(id, namespace, writes).await
    }

    /// See [`PageStore::read_staged`].
    async fn read_staged(
        &self,
        inner: &dyn PageStore,
        id: CommitId,
        namespace: NamespaceId,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>> {
        inner.read_staged(id, namespace, pages).await
    }

    /// See [`PageStore::discard_stage`].
    async fn discard_stage(&self, inner: &dyn PageStore, id: CommitId) -> Result<()> {
        inner.discard_stage(id).await
    }

    /// See [`PageStore::log`].
    async fn log(&self, inner: &dyn PageStore, query: LogQuery) -> Result<Vec<LogEntry>> {
        inner.log(query).await
    }

    /// See [`PageStore::changes`].
    async fn changes(
        &self,
        inner: &dyn PageStore,
        after: Version,
        limit: usize,
    ) -> Result<Vec<ChangeEntry>> {
        inner.changes(after, limit).await
    }

    /// See [`PageStore::meta_get`].
    async fn meta_get(&self, inner: &dyn PageStore, key: &[u8]) -> Result<Option<Bytes>> {
        inner.meta_get(key).await
    }

    /// See [`PageStore::meta_scan`].
    async fn meta_scan(
        &self,
        inner: &dyn PageStore,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        inner.meta_scan(prefix, after, limit).await
    }

    /// See [`PageStore::purge`].
    async fn purge(
        &self,
        inner: &dyn PageStore,
        namespace: NamespaceId,
        victims: &[(PageNo, Version)],
    ) -> Result<Purged> {
        inner.purge(namespace, victims).await
    }
}

/// A store with a [`Layer`] over it.
pub struct Layered<L> {
    inner: Arc<dyn PageStore>,
    layer: L,
}

impl<L: Layer> Layered<L> {
    /// `layer` over `inner`.
    pub fn new(inner: Arc<dyn PageStore>, layer: L) -> Arc<Self> {
        Arc::new(Layered { inner, layer })
    }

    /// The layer, to ask or to tell it something.
    pub fn layer(&self) -> &L {
        &self.layer
    }
}

#[async_trait]
impl<L: Layer> PageStore for Layered<L> {
    fn capabilities(&self) -> Capabilities {
        self.layer.capabilities(&*self.inner)
    }

    async fn watermarks(&self) -> Result<Watermarks> {
        self.layer.watermarks(&*self.inner).await
    }

    async fn wait_durable(&self, version: Version) -> Result<()> {
        self.layer.wait_durable(&*self.inner, version).await
    }

    async fn read_pages(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        self.layer.read_pages(&*self.inner, namespace, pages, at).await
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome> {
        self.layer.commit(&*self.inner, commit).await
    }

    async fn stage(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        self.layer.stage(&*self.inner, id, namespace, writes).await
    }

    async fn read_staged(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>> {
        self.layer.read_staged(&*self.inner, id, namespace, pages).await
    }

    async fn discard_stage(&self, id: CommitId) -> Result<()> {
        self.layer.discard_stage(&*self.inner, id).await
    }

    async fn log(&self, query: LogQuery) -> Result<Vec<LogEntry>> {
        self.layer.log(&*self.inner, query).await
    }

    async fn changes(&self, after: Version, limit: usize) -> Result<Vec<ChangeEntry>> {
        self.layer.changes(&*self.inner, after, limit).await
    }

    async fn meta_get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.layer.meta_get(&*self.inner, key).await
    }

    async fn meta_scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        self.layer.meta_scan(&*self.inner, prefix, after, limit).await
    }

    async fn purge(&self, namespace: NamespaceId, victims: &[(PageNo, Version)]) -> Result<Purged> {
        self.layer.purge(&*self.inner, namespace, victims).await
    }
}
