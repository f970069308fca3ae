//! Record stores that are another one with something changed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Change, Durability, Effect, KvCapabilities, KvPart, KvScan, KvSizes, KvStore, Result, Selection,
};

/// What a [`KvLayered`] store changes of the one inside it. Whatever is not
/// overridden passes through.
#[async_trait]
pub trait KvLayer: Send + Sync {
    /// See [`KvStore::capabilities`].
    fn capabilities(&self, inner: &dyn KvStore) -> KvCapabilities {
        inner.capabilities()
    }

    /// See [`KvStore::get_many`].
    async fn get_many(&self, inner: &dyn KvStore, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        inner.get_many(keys).await
    }

    /// See [`KvStore::update`].
    async fn update(
        &self,
        inner: &dyn KvStore,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        inner.update(selection, durability, change).await
    }

    /// See [`KvStore::scan`].
    async fn scan(&self, inner: &dyn KvStore, scan: KvScan<'_>) -> Result<KvPart> {
        inner.scan(scan).await
    }

    /// See [`KvStore::count`].
    async fn count(&self, inner: &dyn KvStore) -> Result<u64> {
        inner.count().await
    }

    /// See [`KvStore::synchronise`].
    async fn synchronise(&self, inner: &dyn KvStore) -> Result<()> {
        inner.synchronise().await
    }

    /// See [`KvStore::rebuild`].
    async fn rebuild(&self, inner: &dyn KvStore) -> Result<()> {
        inner.rebuild().await
    }
}

/// A record store with a [`KvLayer`] over it.
pub struct KvLayered<L> {
    inner: Arc<dyn KvStore>,
    layer: L,
}

impl<L: KvLayer> KvLayered<L> {
    /// `layer` over `inner`.
    pub fn new(inner: Arc<dyn KvStore>, layer: L) -> Arc<Self> {
        Arc::new(KvLayered { inner, layer })
    }

    /// The layer, to ask or to tell it something.
    pub fn layer(&self) -> &L {
        &self.layer
    }
}

#[async_trait]
impl<L: KvLayer> KvStore for KvLayered<L> {
    fn capabilities(&self) -> KvCapabilities {
        self.layer.capabilities(&*self.inner)
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        self.layer.get_many(&*self.inner, keys).await
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        self.layer.update(&*self.inner, selection, durability, change).await
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        self.layer.scan(&*self.inner, scan).await
    }

    async fn count(&self) -> Result<u64> {
        self.layer.count(&*self.inner).await
    }

    async fn sizes(&self) -> Result<KvSizes> {
        self.inner.sizes().await
    }

    async fn synchronise(&self) -> Result<()> {
        self.layer.synchronise(&*self.inner).await
    }

    async fn rebuild(&self) -> Result<()> {
        self.layer.rebuild(&*self.inner).await
    }
}
