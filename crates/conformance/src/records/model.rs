//! The contract of records as a program: one map under one mutex.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Ambient, Change, Durability, Effect, Error, ErrorKind, KvCapabilities, KvPart, KvScan, KvSizes,
    KvStore, PageStore, Present, PresentValue, Result, Selection, Store, check_dbm_name,
};

use super::StoreFixture;
use crate::Model;
use crate::model::Disk;

/// Where a record stands: by key, or in an order that has nothing to do with
/// it.
type Place = (u64, Bytes);

/// The reference record store.
pub struct KvModel {
    records: Mutex<BTreeMap<Place, Bytes>>,
    kind: Kind,
}

#[derive(Clone, Copy)]
struct Kind {
    ordered: bool,
    persistent: bool,
    limits: [usize; 3],
}

/// Of a key, a value, an update.
const LIMITS: [usize; 3] = [4096, 1 << 20, 2 << 20];

impl KvModel {
    /// An empty DBM, ordered by key, that is not there any more afterwards, with
    /// the limits of another.
    pub fn like(other: &KvCapabilities) -> Arc<Self> {
        let limits = [other.key_bytes_max, other.value_bytes_max, other.update_bytes_max];
        Self::of(Kind { ordered: true, persistent: false, limits })
    }

    /// Another with the same records.
    pub(super) fn copy(other: &Self) -> Arc<Self> {
        Arc::new(KvModel { records: Mutex::new(other.records().clone()), kind: other.kind })
    }

    fn of(kind: Kind) -> Arc<Self> {
        Arc::new(KvModel { records: Mutex::default(), kind })
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<Place, Bytes>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, key: &[u8]) -> Place {
        let hash = || {
            key.iter().fold(7u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)) >> 32
        };
        (if self.kind.ordered { 0 } else { hash() }, Bytes::copy_from_slice(key))
    }

    fn check(&self, effects: &[Effect], found: &[Present]) -> Result<()> {
        let invalid = |message| Err(Error::new(ErrorKind::Invalid, message));
        let too_large = |message| Err(Error::new(ErrorKind::TooLarge, message));
        if effects.iter().map(Effect::bytes).sum::<usize>() > self.capabilities().update_bytes_max {
            return too_large("the update is above update_bytes_max");
        }
        for effect in effects {
            let (key, value) = match effect {
                Effect::Clear if effects.len() > 1 => return invalid("a clear that is not alone"),
                Effect::Clear => return Ok(()),
                Effect::Remove { key } => (key, &Bytes::new()),
                Effect::Set { key, value } => (key, value),
            };
            if !found.iter().any(|present| present.key == *key) {
                return invalid("an effect on a key that was not selected");
            }
            if key.len() > self.kind.limits[0] {
                return too_large("a key is above key_bytes_max");
            }
            if value.len() > self.kind.limits[1] {
                return too_large("a value is above value_bytes_max");
            }
        }
        Ok(())
    }
}

fn shown(bound: Bound<&[u8]>, place: impl Fn(&[u8]) -> Place) -> Bound<Place> {
    bound.map(place)
}

#[async_trait]
impl KvStore for KvModel {
    fn capabilities(&self) -> KvCapabilities {
        KvCapabilities {
            backend: "model",
            persistent: self.kind.persistent,
            ordered: self.kind.ordered,
            key_bytes_max: self.kind.limits[0],
            value_bytes_max: self.kind.limits[1],
            update_bytes_max: self.kind.limits[2],
        }
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        let records = self.records();
        Ok(keys.iter().map(|key| records.get(&self.place(key)).cloned()).collect())
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        _: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        let mut records = self.records();
        let found: Vec<Present> = match selection {
            Selection::First => {
                let first = records.iter().next();
                let value = |value: &Bytes| PresentValue::Is(value.clone());
                first
                    .map(|((_, k), v)| Present { key: k.clone(), value: value(v) })
                    .into_iter()
                    .collect()
            }
            Selection::Keys { keys, values } => {
                let value = |key: &Bytes| match records.get(&self.place(key)) {
                    None => PresentValue::Absent,
                    Some(_) if !values => PresentValue::Unread,
                    Some(value) => PresentValue::Is(value.clone()),
                };
                keys.iter().map(|key| Present { key: key.clone(), value: value(key) }).collect()
            }
        };
        let effects = change(&found)?;
        self.check(&effects, &found)?;
        for effect in &effects {
            match effect {
                Effect::Set { key, value } => {
                    records.insert(self.place(key), value.clone());
                }
                Effect::Remove { key } => {
                    records.remove(&self.place(key));
                }
                Effect::Clear => records.clear(),
            }
        }
        Ok(effects)
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        if !self.kind.ordered && (scan.reverse || scan.end != Bound::Unbounded) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the store lacks the capability ordered",
            ));
        }
        let records = self.records();
        let mut part = KvPart::default();
        let empty = match (scan.start, scan.end) {
            (Bound::Included(a), Bound::Included(b)) => a > b,
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => {
                a >= b
            }
            _ => false,
        };
        if empty || scan.limit == 0 {
            return Ok(part);
        }
        let place = |key: &[u8]| self.place(key);
        let mut range = records.range((shown(scan.start, place), shown(scan.end, place)));
        let mut bytes = 0;
        loop {
            let Some(((_, key), value)) =
                (if scan.reverse { range.next_back() } else { range.next() })
            else {
                return Ok(part);
            };
            if part.records.len() == scan.limit
                || (bytes >= scan.bytes_max && !part.records.is_empty())
            {
                part.more = true;
                return Ok(part);
            }
            let value = if scan.values { value.clone() } else { Bytes::new() };
            bytes += key.len() + value.len();
            part.records.push((key.clone(), value));
        }
    }

    async fn count(&self) -> Result<u64> {
        Ok(self.records().len() as u64)
    }

    async fn sizes(&self) -> Result<KvSizes> {
        let bytes: usize =
            self.records().iter().map(|((_, key), value)| key.len() + value.len()).sum();
        Ok(KvSizes {
            record_bytes: Some(u64::try_from(bytes).unwrap_or(u64::MAX)),
            ..KvSizes::default()
        })
    }

    async fn synchronise(&self) -> Result<()> {
        Ok(())
    }

    async fn rebuild(&self) -> Result<()> {
        Ok(())
    }
}

/// A store of models: pages and records.
pub struct StoreModel {
    pages: Arc<Model>,
    disk: Arc<Disks>,
}

/// What outlives it.
struct Disks {
    pages: Arc<Disk>,
    dbms: Mutex<BTreeMap<String, Arc<KvModel>>>,
    kind: Kind,
}

impl Disks {
    fn new(kind: Kind) -> Arc<Self> {
        Arc::new(Disks { pages: Arc::default(), dbms: Mutex::default(), kind })
    }

    fn dbms(&self) -> MutexGuard<'_, BTreeMap<String, Arc<KvModel>>> {
        self.dbms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for StoreModel {
    fn pages(&self) -> Result<Arc<dyn PageStore>> {
        Ok(self.pages.clone())
    }

    fn records(&self, dbm: &str) -> Result<Arc<dyn KvStore>> {
        check_dbm_name(dbm)?;
        let mut dbms = self.disk.dbms();
        let made = || KvModel::of(self.disk.kind);
        Ok(dbms.entry(dbm.to_owned()).or_insert_with(made).clone())
    }

    fn dbms(&self) -> Result<Vec<String>> {
        Ok(self.disk.dbms().keys().cloned().collect())
    }
}

/// Opens [`StoreModel`]s.
pub struct StoreModelFixture {
    kind: Kind,
    disks: Mutex<BTreeMap<PathBuf, Arc<Disks>>>,
}

impl StoreModelFixture {
    fn of(ordered: bool, persistent: bool) -> Self {
        StoreModelFixture {
            kind: Kind { ordered, persistent, limits: LIMITS },
            disks: Mutex::default(),
        }
    }

    /// Stores that last as long as the fixture, each by its directory's name.
    pub fn persistent() -> Self {
        Self::of(true, true)
    }

    /// The same without an order of keys.
    pub fn unordered() -> Self {
        Self::of(false, true)
    }

    /// Stores that are gone when they are closed.
    pub fn volatile() -> Self {
        Self::of(true, false)
    }
}

impl StoreFixture for StoreModelFixture {
    fn name(&self) -> &str {
        "model"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        if !self.kind.persistent {
            let disk = Disks::new(self.kind);
            return Ok(Arc::new(StoreModel { pages: Model::new(ambient), disk }));
        }
        let mut disks = self.disks.lock().unwrap_or_else(PoisonError::into_inner);
        let disk = disks.entry(dir.to_owned()).or_insert_with(|| Disks::new(self.kind));
        let pages = Model::on(&disk.pages, ambient);
        Ok(Arc::new(StoreModel { pages, disk: Arc::clone(disk) }))
    }

    fn outlives_process(&self) -> bool {
        false
    }
}
