//! One DBM.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Change, Durability, Effect, Error, ErrorKind, KvCapabilities, KvPart, KvScan, KvSizes, KvStore,
    Result, Selection,
};

use super::latches::Latches;
use super::layout::{self, PREFIX_BYTES, STRIPES, Tally};
use crate::{Limits, OrderedEngine, Scan, Space};

/// The longest key, where the engine takes longer ones.
const KEY_BYTES_MAX: usize = 64 << 10;
/// What a batch may have besides its effects: tallies and what the engine adds.
const BATCH_RESERVE_BYTES: usize = 16 << 10;

/// A [`KvStore`] over an [`OrderedEngine`]: one DBM of an
/// [`OrderedStore`](super::OrderedStore).
///
/// Updates of the same keys take turns within the process; where other
/// processes write as well, what an update saw is also a condition of its
/// write, and it begins again if that fails. Records are counted in parts, each
/// written with the records that it counts.
pub struct OrderedKv<E: OrderedEngine> {
    pub(super) engine: Arc<E>,
    pub(super) number: u32,
    pub(super) limits: Limits,
    /// Whether this process alone writes.
    pub(super) exclusive: bool,
    pub(super) latches: Latches,
    /// What is stored as tallies, if it is known: only where this process
    /// alone writes, and not while one of them is being written.
    tallies: Mutex<Box<[Option<Tally>; STRIPES]>>,
}

impl<E: OrderedEngine> OrderedKv<E> {
    pub(super) async fn open(engine: Arc<E>, limits: Limits, number: u32) -> Result<Self> {
        let exclusive = engine.capabilities().exclusive;
        let kv = OrderedKv {
            engine,
            number,
            limits,
            exclusive,
            latches: Latches::default(),
            tallies: Mutex::new(Box::new([None; STRIPES])),
        };
        if exclusive {
            let stored = kv.stored_tallies().await?;
            **kv.known() = stored.map(Some);
        }
        Ok(kv)
    }

    fn known(&self) -> MutexGuard<'_, Box<[Option<Tally>; STRIPES]>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a tally, or that it is not known.
    pub(super) fn know(&self, stripe: u8, tally: Option<Tally>) {
        if self.exclusive {
            self.known()[usize::from(stripe)] = tally;
        }
    }

    pub(super) fn know_all(&self, tally: Option<Tally>) {
        if self.exclusive {
            self.known().fill(tally);
        }
    }

    /// The tally of a stripe that the caller holds, and how it is stored if it
    /// had to be read.
    pub(super) async fn tally(&self, stripe: u8) -> Result<(Tally, Option<Bytes>)> {
        if let Some(known) = self.known()[usize::from(stripe)] {
            return Ok((known, None));
        }
        let stored = self.engine.get(Space::Records, &layout::tally(self.number, stripe)).await?;
        let tally = stored.as_deref().map_or(Ok(Tally::default()), Tally::parse)?;
        Ok((tally, stored))
    }

    async fn stored_tallies(&self) -> Result<[Tally; STRIPES]> {
        let (start, end) = layout::tallies(self.number);
        let scan = Scan {
            space: Space::Records,
            start: &start,
            end: &end,
            reverse: false,
            limit: STRIPES,
            bytes_max: usize::MAX,
        };
        let mut tallies = [Tally::default(); STRIPES];
        for (key, stored) in self.engine.scan(&scan).await? {
            if let Some(stripe) = key.last() {
                tallies[usize::from(*stripe)] = Tally::parse(&stored)?;
            }
        }
        Ok(tallies)
    }

    /// What all records come to.
    async fn total(&self) -> Result<Tally> {
        let sum = |tallies: &[Tally]| {
            tallies.iter().fold(Tally::default(), |sum, tally| Tally {
                records: sum.records.wrapping_add(tally.records),
                bytes: sum.bytes.wrapping_add(tally.bytes),
            })
        };
        let known: Option<Vec<Tally>> = self.known().iter().copied().collect();
        match known {
            Some(known) => Ok(sum(&known)),
            None => Ok(sum(&self.stored_tallies().await?)),
        }
    }

    /// The longest key.
    pub(super) fn key_bytes_max(&self) -> usize {
        (self.limits.key_bytes_max - PREFIX_BYTES).min(KEY_BYTES_MAX)
    }

    /// What the effects of an update may come to. Chunks take more than their
    /// bytes: far less than a hundredth. Where conflicts are looked for, records
    /// do, and tallies; an update of very many small records may not fit though it
    /// comes to less than this.
    pub(super) fn update_bytes_max(&self) -> usize {
        let batch = self.limits.batch_bytes_max;
        let records = if self.limits.overhead.range_bytes > 0 { batch / 8 } else { 0 };
        batch - batch / 100 - records - BATCH_RESERVE_BYTES
    }

    pub(super) fn value_bytes_max(&self) -> usize {
        self.update_bytes_max() - Effect::OVERHEAD_BYTES - self.key_bytes_max()
    }

    pub(super) fn check_limits(&self, effects: &[Effect]) -> Result<()> {
        let too_large = |what, is: usize, limit: &'static str, at_most: usize| {
            Err(Error::new(ErrorKind::TooLarge, what).with("bytes", is).with(limit, at_most))
        };
        let mut bytes = 0usize;
        for effect in effects {
            let (key, value) = match effect {
                Effect::Set { key, value } => (key.len(), value.len()),
                Effect::Remove { key } => (key.len(), 0),
                Effect::Clear => (0, 0),
            };
            if key > self.key_bytes_max() {
                let limit = self.key_bytes_max();
                return too_large(
                    "a key is longer than the store takes",
                    key,
                    "key_bytes_max",
                    limit,
                );
            }
            if value > self.value_bytes_max() {
                let limit = self.value_bytes_max();
                return too_large(
                    "a value is longer than the store takes",
                    value,
                    "value_bytes_max",
                    limit,
                );
            }
            bytes = bytes.saturating_add(effect.bytes());
        }
        let limit = self.update_bytes_max();
        if bytes > limit {
            return too_large(
                "an update is larger than the store takes",
                bytes,
                "update_bytes_max",
                limit,
            );
        }
        Ok(())
    }

    /// Waits until everything that is visible now is on stable storage.
    pub(super) async fn settle(&self) -> Result<()> {
        let visible = self.engine.watermarks().await?.sequenced;
        self.engine.wait_durable(visible).await
    }
}

#[async_trait]
impl<E: OrderedEngine> KvStore for OrderedKv<E> {
    fn capabilities(&self) -> KvCapabilities {
        let engine = self.engine.capabilities();
        KvCapabilities {
            backend: engine.backend,
            persistent: engine.persistent,
            ordered: true,
            key_bytes_max: self.key_bytes_max(),
            value_bytes_max: self.value_bytes_max(),
            update_bytes_max: self.update_bytes_max(),
        }
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        self.read(keys).await
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        self.make(selection, durability, change).await
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        self.read_range(scan).await
    }

    async fn count(&self) -> Result<u64> {
        Ok(self.total().await?.records)
    }

    async fn sizes(&self) -> Result<KvSizes> {
        // The DBM shares its files with everything else in the store.
        let bytes = self.total().await?.bytes;
        let persistent = self.engine.capabilities().persistent;
        Ok(KvSizes {
            file_bytes: if persistent { bytes } else { 0 },
            record_bytes: Some(bytes),
            should_be_rebuilt: false,
        })
    }

    async fn synchronise(&self) -> Result<()> {
        self.settle().await
    }

    async fn rebuild(&self) -> Result<()> {
        // Ordered engines tidy up by themselves.
        Ok(())
    }
}
