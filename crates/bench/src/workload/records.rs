//! YCSB's workloads on records.
//!
//! As YCSB has them, but for its fields: a record is one value, an update
//! writes all of it, and a read-modify-write is one atomic update of the store.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use hozo::traits::exec::block_on;
use hozo::traits::{
    Durability, Effect, Error, ErrorKind, KvScan, KvStore, KvStoreExt, Present, PresentValue,
    Result, Selection,
};

use super::texts::Texts;
use super::{Bed, Parameters};
use crate::driver::{Step, Worker};
use crate::keys::{Chooser, Distribution, Inserted};
use crate::latency::Op;
use crate::random::{Random, fnv_hash};

/// Which operations, in percent, and on which records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mix {
    /// Reads of one record.
    pub reads: u8,
    /// Updates of one record.
    pub updates: u8,
    /// Inserts of a new record.
    pub inserts: u8,
    /// Scans from a record on.
    pub scans: u8,
    /// Reads with an update of the same record, as one.
    pub modifies: u8,
    /// How records are chosen.
    pub distribution: Distribution,
}

const fn mix(percent: [u8; 5], distribution: Distribution) -> Mix {
    let [reads, updates, inserts, scans, modifies] = percent;
    Mix { reads, updates, inserts, scans, modifies, distribution }
}

pub(super) const A: Mix = mix([50, 50, 0, 0, 0], Distribution::Zipfian);
pub(super) const B: Mix = mix([95, 5, 0, 0, 0], Distribution::Zipfian);
pub(super) const C: Mix = mix([100, 0, 0, 0, 0], Distribution::Zipfian);
pub(super) const D: Mix = mix([95, 0, 5, 0, 0], Distribution::Latest);
pub(super) const E: Mix = mix([0, 0, 5, 95, 0], Distribution::Zipfian);
pub(super) const F: Mix = mix([50, 0, 0, 0, 50], Distribution::Zipfian);

/// The longest scan, in records.
const SCAN_RECORDS_MAX: u64 = 100;
/// Records that are loaded in one update.
const LOAD_RECORDS: u64 = 100;
/// A DBM with records.
pub struct Records {
    store: Arc<dyn KvStore>,
    mix: Mix,
    inserted: Arc<Inserted>,
    pub(super) parameters: Parameters,
    pub(super) seed: u64,
}

impl Records {
    /// Sets the records that the workload begins with.
    pub fn load(
        store: Arc<dyn KvStore>,
        mix: Mix,
        parameters: &Parameters,
        seed: u64,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Self> {
        let capabilities = store.capabilities();
        if mix.scans > 0 && !capabilities.ordered {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the store lacks the capability ordered: it cannot scan in the order of keys",
            )
            .with("backend", capabilities.backend));
        }
        let mut values = Texts::new(Random::part(seed, u64::MAX), parameters.value_bytes);
        let mut at = 0;
        while at < parameters.records {
            let end = (at + LOAD_RECORDS).min(parameters.records);
            let records = (at..end).map(|number| (key(number), values.next())).collect();
            block_on(store.set_many(records, true, Durability::Sequenced))?;
            at = end;
            progress(at as f64 / parameters.records as f64);
        }
        block_on(store.synchronise())?;
        let inserted = Arc::new(Inserted::new(parameters.records));
        Ok(Records { store, mix, inserted, parameters: parameters.clone(), seed })
    }
}

impl Bed for Records {
    fn worker(&self, thread: usize) -> Result<Box<dyn Worker>> {
        let part = thread as u64 * 2;
        // YCSB expects as many new records as the run will insert, which a run
        // that ends by the clock cannot know: twice the records.
        let expected = match self.mix.inserts {
            0 => self.parameters.records,
            _ => self.parameters.records * 2,
        };
        Ok(Box::new(Client {
            store: self.store.clone(),
            mix: self.mix,
            chooser: Chooser::new(self.mix.distribution, self.inserted.clone(), expected),
            inserted: self.inserted.clone(),
            values: Texts::new(Random::part(self.seed, part), self.parameters.value_bytes),
            random: Random::part(self.seed, part + 1),
            durability: match self.parameters.durable {
                Some(true) => Durability::Durable,
                _ => Durability::Sequenced,
            },
            value_bytes: self.parameters.value_bytes,
        }))
    }
}

/// One thread's part.
struct Client {
    store: Arc<dyn KvStore>,
    mix: Mix,
    chooser: Chooser,
    inserted: Arc<Inserted>,
    values: Texts,
    random: Random,
    durability: Durability,
    value_bytes: usize,
}

impl Worker for Client {
    fn step(&mut self) -> Result<Step> {
        let mix = self.mix;
        let mut draw = self.random.below(100) as u8;
        let mut falls = |percent: u8| {
            let falls = draw < percent;
            draw = draw.saturating_sub(percent);
            falls
        };
        let op = if falls(mix.reads) {
            self.read()?
        } else if falls(mix.updates) {
            self.update()?
        } else if falls(mix.inserts) {
            self.insert()?
        } else if falls(mix.scans) {
            self.scan()?
        } else {
            self.modify()?
        };
        Ok(Step::of(op))
    }
}

impl Client {
    fn choose(&mut self) -> Bytes {
        key(self.chooser.next(&mut self.random))
    }

    fn read(&mut self) -> Result<Op> {
        let key = self.choose();
        let value = block_on(self.store.get(&key))?.ok_or_else(|| missing(&key))?;
        if value.len() != self.value_bytes {
            return Err(Error::new(ErrorKind::Corrupt, "a value has not the length that was set")
                .with("bytes", value.len()));
        }
        Ok(Op::Read)
    }

    fn update(&mut self) -> Result<Op> {
        let (key, value) = (self.choose(), self.values.next());
        block_on(self.store.set(key, value, true, self.durability))?;
        Ok(Op::Update)
    }

    fn insert(&mut self) -> Result<Op> {
        let number = self.inserted.begin();
        let set = self.store.set(key(number), self.values.next(), true, self.durability);
        block_on(set)?;
        self.inserted.done(number);
        Ok(Op::Insert)
    }

    fn scan(&mut self) -> Result<Op> {
        let start = self.choose();
        let scan = KvScan {
            start: Bound::Included(&start),
            end: Bound::Unbounded,
            reverse: false,
            limit: 1 + self.random.below(SCAN_RECORDS_MAX) as usize,
            bytes_max: usize::MAX,
            values: true,
        };
        let part = block_on(self.store.scan(scan))?;
        if part.records.first().is_none_or(|(first, _)| *first != start) {
            return Err(missing(&start));
        }
        Ok(Op::Scan)
    }

    fn modify(&mut self) -> Result<Op> {
        let (key, value) = (self.choose(), self.values.next());
        let selection = Selection::Keys { keys: std::slice::from_ref(&key), values: true };
        let change = &mut |found: &[Present]| match found {
            [Present { value: PresentValue::Is(_), .. }] => {
                Ok(vec![Effect::Set { key: key.clone(), value: value.clone() }])
            }
            _ => Err(missing(&key)),
        };
        block_on(self.store.update(selection, self.durability, change))?;
        Ok(Op::ReadModifyWrite)
    }
}

fn missing(key: &Bytes) -> Error {
    Error::new(ErrorKind::Corrupt, "a record that was set is not there")
        .with("key", String::from_utf8_lossy(key))
}

/// The key of a record, as YCSB makes it.
fn key(number: u64) -> Bytes {
    Bytes::from(format!("user{}", fnv_hash(number)))
}
