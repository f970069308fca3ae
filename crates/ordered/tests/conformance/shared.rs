//! An engine that says that it is not this process alone that writes.

use async_trait::async_trait;
use bytes::Bytes;
use hozo_ordered::{KeyRange, Limits, OrderedEngine, Pair, Scan, Space, Write, WriteOutcome};
use hozo_traits::{Capabilities, Result, Version, Watermarks};

/// Another engine, shared.
pub(crate) struct Shared<E>(pub(crate) E);

#[async_trait]
impl<E: OrderedEngine> OrderedEngine for Shared<E> {
    fn capabilities(&self) -> Capabilities {
        Capabilities { exclusive: false, ..self.0.capabilities() }
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }

    async fn watermarks(&self) -> Result<Watermarks> {
        self.0.watermarks().await
    }

    async fn wait_durable(&self, version: Version) -> Result<()> {
        self.0.wait_durable(version).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        self.0.get(space, key).await
    }

    async fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>> {
        self.0.get_many(space, keys).await
    }

    async fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>> {
        self.0.last_in_many(space, ranges).await
    }

    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>> {
        self.0.scan(scan).await
    }

    async fn write(&self, write: Write) -> Result<WriteOutcome> {
        self.0.write(write).await
    }
}
