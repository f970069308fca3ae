//! The contract of record storage over a DBM.

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Change, Durability, Effect, KvCapabilities, KvPart, KvScan, KvSizes, KvStore, Result, Selection,
};

use super::{KEY_BYTES_MAX, Records, SyncMode, UPDATE_BYTES_MAX, VALUE_BYTES_MAX};

/// Values from this size on are copied without a lock of the index.
const COPIED_APART_BYTES: usize = 64 << 10;

#[async_trait]
impl KvStore for Records {
    fn capabilities(&self) -> KvCapabilities {
        KvCapabilities {
            backend: crate::NAME,
            persistent: true,
            ordered: false,
            key_bytes_max: KEY_BYTES_MAX,
            value_bytes_max: VALUE_BYTES_MAX,
            update_bytes_max: UPDATE_BYTES_MAX,
        }
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        let values = keys.iter().map(|key| self.get_bytes(key));
        values.collect::<Result<_>>().map_err(|error| self.volume.failed(error))
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        let durability = match self.mode {
            SyncMode::Commit => Durability::Durable,
            _ => durability,
        };
        let updated =
            self.update_now(selection, change).map_err(|error| self.volume.failed(error))?;
        self.mark_if_needed(durability);
        if durability == Durability::Durable {
            self.sync.wait(updated.reaches).await?;
        }
        Ok(updated.effects)
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        self.scan_now(&scan).map_err(|error| self.volume.failed(error))
    }

    async fn count(&self) -> Result<u64> {
        self.volume.core().refuse_in_child()?;
        Ok(Records::count(self))
    }

    async fn sizes(&self) -> Result<KvSizes> {
        self.volume.core().refuse_in_child()?;
        Ok(Records::sizes(self))
    }

    async fn synchronise(&self) -> Result<()> {
        self.volume.core().refuse_in_child()?;
        let head = self.volume.core().log.head();
        self.mark(Durability::Durable);
        self.sync.wait(head).await
    }

    async fn rebuild(&self) -> Result<()> {
        self.rebuild_apart().await
    }
}

impl Records {
    fn get_bytes(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let core = self.volume.core();
        let shards = self.volume.index();
        let hash = shards.hash(key);
        core.refuse_if_broken()?;
        let shard = shards.read(shards.shard_of(hash));
        core.refuse_if_broken()?;
        let Some(found) = shard.find(core, hash, key)? else { return Ok(None) };
        if found.bytes < COPIED_APART_BYTES as u64 {
            return Ok(Some(Bytes::copy_from_slice(core.log.read(found.position)?.value)));
        }
        let _pin = core.pin();
        drop(shard);
        Ok(Some(Bytes::copy_from_slice(core.log.read(found.position)?.value)))
    }

    fn mark_if_needed(&self, durability: Durability) {
        if durability == Durability::Durable || !self.is_told() {
            self.mark(durability);
        }
    }
}
