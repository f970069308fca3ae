//! Records for the simulation: in memory, over a log of their own, which is
//! what hashdbm does. It has no thread, and takes its time between looking and
//! doing, as a store may.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_log::disk::Disk;
use hozo_log::{Entry, Log, LogOptions};
use hozo_traits::{
    Change, Durability, Effect, ErrorKind, KvCapabilities, KvPart, KvScan, KvSizes, KvStore,
    Present, PresentValue, Result, Selection,
};
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::tasks::{Dice, Time};
use crate::signal::Signal;

const SET: u8 = 2;
const REMOVE: u8 = 3;
const CLEAR: u8 = 4;
const STRIPES: u8 = 4;

pub(super) type Map = BTreeMap<Bytes, Bytes>;

pub(super) struct Store {
    log: Log,
    pub(super) records: Mutex<Map>,
    /// Which stripes of keys somebody updates.
    held: Mutex<u8>,
    freed: Signal,
    time: Arc<Time>,
    dice: Arc<Dice>,
}

impl Store {
    pub(super) fn open(disk: Arc<dyn Disk>, time: Arc<Time>, dice: Arc<Dice>) -> Result<Store> {
        let mut records = Map::new();
        let opened = Log::open(Arc::clone(&disk), None, &mut |record| {
            let key = Bytes::copy_from_slice(record.key);
            match record.kind {
                SET => drop(records.insert(key, Bytes::copy_from_slice(record.value))),
                REMOVE => drop(records.remove(&key)),
                _ => records.clear(),
            }
            Ok(())
        });
        let log = match opened {
            Ok((log, _)) => log,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                for name in disk.list()? {
                    disk.remove(&name)?;
                }
                Log::create(disk, LogOptions { segment_bytes: 1 << 16, volume_id: dice.number() })?
            }
            Err(error) => return Err(error),
        };
        let (records, held) = (Mutex::new(records), Mutex::new(0));
        Ok(Store { log, records, held, freed: Signal::default(), time, dice })
    }

    /// Takes a moment, or not.
    async fn dawdle(&self) {
        if !self.time.is_in_hurry() && self.dice.one_in(3) {
            self.time.sleep(Duration::from_micros(self.dice.below(2000))).await;
        }
    }

    /// Whether nobody updates anything.
    pub(super) fn is_free(&self) -> bool {
        *self.held.lock() == 0
    }

    async fn hold(&self, stripes: u8) -> Held<'_> {
        let take = || {
            let mut held = self.held.lock();
            (*held & stripes == 0).then(|| *held |= stripes)
        };
        self.freed.until(take).await;
        Held { store: self, stripes }
    }

    /// Where in the order a key is: as in hashdbm another one in each store.
    fn place_of<'a>(&self, key: &'a [u8]) -> (u64, &'a [u8]) {
        (xxh3_64_with_seed(key, self.log.volume_id()), key)
    }

    fn in_order<'a>(&self, records: &'a Map) -> Vec<(&'a Bytes, &'a Bytes)> {
        let mut all: Vec<_> = records.iter().collect();
        all.sort_by_key(|(key, _)| self.place_of(key));
        all
    }

    fn find(&self, selection: Selection<'_>) -> Vec<Present> {
        let records = self.records.lock();
        match selection {
            Selection::Keys { keys, values } => {
                let find = |key: &Bytes| {
                    let value = match records.get(key) {
                        None => PresentValue::Absent,
                        Some(_) if !values => PresentValue::Unread,
                        Some(value) => PresentValue::Is(value.clone()),
                    };
                    Present { key: key.clone(), value }
                };
                keys.iter().map(find).collect()
            }
            Selection::First => {
                let first = self.in_order(&records).into_iter().next();
                let present = |(key, value): (&Bytes, &Bytes)| Present {
                    key: key.clone(),
                    value: PresentValue::Is(value.clone()),
                };
                first.map(present).into_iter().collect()
            }
        }
    }

    fn apply(&self, effects: &[Effect]) -> Result<()> {
        let entry = |effect: &'_ Effect| -> (u8, Bytes, Bytes) {
            match effect {
                Effect::Set { key, value } => (SET, key.clone(), value.clone()),
                Effect::Remove { key } => (REMOVE, key.clone(), Bytes::new()),
                Effect::Clear => (CLEAR, Bytes::new(), Bytes::new()),
            }
        };
        let all: Vec<_> = effects.iter().map(entry).collect();
        let entries: Vec<Entry<'_>> =
            all.iter().map(|(kind, key, value)| Entry { kind: *kind, key, value }).collect();
        self.log.append_batch(&entries)?;
        apply(&mut self.records.lock(), effects);
        Ok(())
    }
}

/// What effects do to records.
pub(super) fn apply(records: &mut Map, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::Set { key, value } => drop(records.insert(key.clone(), value.clone())),
            Effect::Remove { key } => drop(records.remove(key)),
            Effect::Clear => records.clear(),
        }
    }
}

fn stripe(key: &Bytes) -> u8 {
    1 << (key.last().copied().unwrap_or(0) % STRIPES)
}

struct Held<'a> {
    store: &'a Store,
    stripes: u8,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.store.held.lock() &= !self.stripes;
        self.store.freed.tell();
    }
}

const ALL: u8 = (1 << STRIPES) - 1;

#[async_trait]
impl KvStore for Store {
    fn capabilities(&self) -> KvCapabilities {
        KvCapabilities {
            backend: "sim",
            persistent: true,
            ordered: false,
            key_bytes_max: 1 << 10,
            value_bytes_max: 1 << 16,
            update_bytes_max: 1 << 18,
        }
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        let records = self.records.lock();
        Ok(keys.iter().map(|key| records.get(key).cloned()).collect())
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        let mut wanted = match selection {
            Selection::Keys { keys, .. } => keys.iter().fold(0, |set, key| set | stripe(key)),
            Selection::First => ALL,
        };
        let effects = loop {
            let held = self.hold(wanted).await;
            let effects = change(&self.find(selection))?;
            if effects == [Effect::Clear] && wanted != ALL {
                // As hashdbm: once more, with everything held.
                wanted = ALL;
                drop(held);
                self.dawdle().await;
                continue;
            }
            if !effects.is_empty() {
                self.dawdle().await;
                self.apply(&effects)?;
            }
            drop(held);
            break effects;
        };
        self.dawdle().await;
        if durability == Durability::Durable {
            self.log.sync()?;
        }
        Ok(effects)
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        self.dawdle().await;
        let records = self.records.lock();
        let mut part = KvPart::default();
        let mut bytes = 0;
        let after = |key: &Bytes| match scan.start {
            Bound::Unbounded => true,
            Bound::Included(start) => self.place_of(key) >= self.place_of(start),
            Bound::Excluded(start) => self.place_of(key) > self.place_of(start),
        };
        for (key, value) in self.in_order(&records).into_iter().filter(|(key, _)| after(key)) {
            if part.records.len() == scan.limit || bytes >= scan.bytes_max {
                part.more = true;
                break;
            }
            bytes += key.len() + value.len();
            let value = if scan.values { value.clone() } else { Bytes::new() };
            part.records.push((key.clone(), value));
        }
        Ok(part)
    }

    async fn count(&self) -> Result<u64> {
        Ok(self.records.lock().len() as u64)
    }

    async fn sizes(&self) -> Result<KvSizes> {
        Ok(KvSizes::default())
    }

    async fn synchronise(&self) -> Result<()> {
        self.log.sync().map(drop)
    }

    async fn rebuild(&self) -> Result<()> {
        Ok(())
    }
}
