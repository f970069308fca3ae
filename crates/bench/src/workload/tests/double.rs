//! A store of records in a sorted map.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use hozo::traits::{
    Change, Durability, Effect, KvCapabilities, KvPart, KvScan, KvSizes, KvStore, Present,
    PresentValue, Result, Selection,
};

type Map = BTreeMap<Bytes, Bytes>;

#[derive(Default)]
pub(super) struct Double {
    map: Mutex<Map>,
    unordered: bool,
    /// Updates that were to be durable.
    pub(super) durable: AtomicU64,
}

impl Double {
    pub(super) fn unordered() -> Self {
        Double { unordered: true, ..Double::default() }
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap()
    }

    pub(super) fn len(&self) -> usize {
        self.map().len()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.map().contains_key(key.as_bytes())
    }

    pub(super) fn value_bytes(&self) -> usize {
        self.map().values().map(Bytes::len).sum()
    }

    pub(super) fn content(&self) -> Map {
        self.map().clone()
    }

    pub(super) fn lose_all(&self) {
        self.map().clear();
    }
}

#[async_trait]
impl KvStore for Double {
    fn capabilities(&self) -> KvCapabilities {
        KvCapabilities {
            backend: "double",
            persistent: false,
            ordered: !self.unordered,
            key_bytes_max: 1 << 10,
            value_bytes_max: 1 << 20,
            update_bytes_max: 1 << 24,
        }
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        let map = self.map();
        Ok(keys.iter().map(|key| map.get(key).cloned()).collect())
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        let Selection::Keys { keys, values } = selection else { panic!("no workload pops") };
        if durability == Durability::Durable {
            self.durable.fetch_add(1, Ordering::Relaxed);
        }
        let mut map = self.map();
        let present = |key: &Bytes| Present {
            key: key.clone(),
            value: match map.get(key) {
                None => PresentValue::Absent,
                Some(value) if values => PresentValue::Is(value.clone()),
                Some(_) => PresentValue::Unread,
            },
        };
        let effects = change(&keys.iter().map(present).collect::<Vec<_>>())?;
        for effect in &effects {
            let Effect::Set { key, value } = effect else { panic!("no workload removes") };
            map.insert(key.clone(), value.clone());
        }
        Ok(effects)
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        let Bound::Included(start) = scan.start else { panic!("scans begin at a record") };
        let map = self.map();
        let records = map.range(Bytes::copy_from_slice(start)..).take(scan.limit);
        let records = records.map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(KvPart { records, more: false })
    }

    async fn count(&self) -> Result<u64> {
        Ok(self.len() as u64)
    }

    async fn sizes(&self) -> Result<KvSizes> {
        Ok(KvSizes::default())
    }

    async fn synchronise(&self) -> Result<()> {
        Ok(())
    }

    async fn rebuild(&self) -> Result<()> {
        Ok(())
    }
}
