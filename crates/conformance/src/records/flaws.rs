//! Record stores that break the contract, each in one way.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, Change, Durability, Effect, ErrorKind, KvCapabilities, KvPart, KvScan, KvStore,
    PageStore, Present, PresentValue, Result, Selection, Store,
};

use super::layer::{KvLayer, KvLayered};
use super::{StoreFixture, StoreModelFixture};

/// How often a flaw looks again for what others do.
const TURNS_MAX: usize = 1000;
/// What lies at least between looking and writing where they are two updates.
const APART: Duration = Duration::from_micros(50);

/// What a flawed store does otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flaw {
    None,
    /// Answers each key once.
    DropsRepeats,
    /// Reads what was there one update ago.
    ReadsLate,
    /// Reads a value in two halves.
    MixesValues,
    /// Shows the selection sorted.
    SortsSelection,
    /// Reads, decides and writes one after the other.
    NotAtomic,
    /// As that, but only for many keys.
    NotAtomicForMany,
    /// Makes effects one by one, and the last first.
    ReversesEffects,
    /// Takes effects on any key.
    TakesAnyKey,
    /// Swallows the error of the change.
    SwallowsErrors,
    /// Clear removes what was selected only.
    ClearsSelection,
    /// Cuts what is too long.
    CutsValues,
    /// Forgets the values of durable updates when it is reopened.
    ForgetsDurable,
    /// Scans in another order each time.
    Shuffles,
    /// Goes on from the last key itself.
    ScansLastAgain,
    /// Skips a record in each part.
    SkipsInParts,
    /// Ignores `bytes_max` and `limit`.
    IgnoresLimits,
    /// Answers a reversed scan without being ordered.
    ReversesAnyway,
    /// Counts every set.
    CountsSets,
    /// Does not synchronise.
    FailsToSync,
    /// Loses a record when it is rebuilt.
    RebuildLoses,
}

pub(super) struct Flawed {
    flaw: Flaw,
    calls: AtomicU64,
    sets: AtomicU64,
    before: Mutex<Option<(Bytes, Option<Bytes>)>>,
}

fn select(keys: &[Bytes]) -> Selection<'_> {
    Selection::Keys { keys, values: true }
}

impl Flawed {
    async fn apart(
        &self,
        inner: &dyn KvStore,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        let mut seen = Vec::new();
        let look = &mut |found: &[Present]| {
            seen = found.to_vec();
            Ok(Vec::new())
        };
        inner.update(selection, durability, look).await?;
        let effects = change(&seen)?;
        if !effects.is_empty() {
            // Whoever only yields may go on at once on a busy machine, and be done
            // before others begin.
            std::thread::sleep(APART);
        }
        let keys: Vec<Bytes> = seen.into_iter().map(|present| present.key).collect();
        inner.update(select(&keys), durability, &mut |_| Ok(effects.clone())).await
    }
}

#[async_trait]
impl KvLayer for Flawed {
    fn capabilities(&self, inner: &dyn KvStore) -> KvCapabilities {
        inner.capabilities()
    }

    async fn get_many(&self, inner: &dyn KvStore, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        let mut found = inner.get_many(keys).await?;
        match self.flaw {
            Flaw::DropsRepeats => {
                let repeats = |i: usize| keys[..i].contains(&keys[i]);
                let once = found.into_iter().enumerate().filter(|(i, _)| !repeats(*i));
                found = once.map(|(_, value)| value).collect();
            }
            Flaw::ReadsLate => {
                let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
                for (key, value) in keys.iter().zip(&mut found) {
                    if let Some((late, old)) = &*before
                        && late == key
                    {
                        *value = old.clone();
                    }
                }
            }
            Flaw::MixesValues => {
                // Until somebody has written, so that this does not hang on how
                // threads take turns.
                let mut again = inner.get_many(keys).await?;
                for _ in 0..TURNS_MAX {
                    if again != found {
                        break;
                    }
                    std::thread::yield_now();
                    again = inner.get_many(keys).await?;
                }
                for (value, other) in found.iter_mut().zip(again) {
                    if let (Some(a), Some(b)) = (&value, other) {
                        let half = a.len().min(b.len()) / 2;
                        *value = Some([&a[..half], &b[half..]].concat().into());
                    }
                }
            }
            _ => {}
        }
        Ok(found)
    }

    async fn update(
        &self,
        inner: &dyn KvStore,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        let many = match selection {
            Selection::Keys { keys, .. } => keys.len() > 1,
            Selection::First => true,
        };
        match (self.flaw, selection) {
            (Flaw::NotAtomic, _) => self.apart(inner, selection, durability, change).await,
            (Flaw::NotAtomicForMany, _) if many => {
                self.apart(inner, selection, durability, change).await
            }
            (Flaw::SortsSelection, Selection::Keys { keys, values }) => {
                let mut keys = keys.to_vec();
                keys.sort();
                inner.update(Selection::Keys { keys: &keys, values }, durability, change).await
            }
            (Flaw::ReversesEffects, _) => {
                let back = &mut |found: &[Present]| {
                    let mut effects = change(found)?;
                    effects.reverse();
                    Ok(effects)
                };
                let mut effects = inner.update(selection, durability, back).await?;
                effects.reverse();
                Ok(effects)
            }
            (Flaw::TakesAnyKey, Selection::Keys { keys, values }) => {
                let mut more = keys.to_vec();
                more.extend([Bytes::from_static(b"b"), Bytes::new()]);
                let few = &mut |found: &[Present]| change(&found[..keys.len()]);
                inner.update(Selection::Keys { keys: &more, values }, durability, few).await
            }
            (Flaw::SwallowsErrors, _) => {
                let quiet = &mut |found: &[Present]| Ok(change(found).unwrap_or_default());
                inner.update(selection, durability, quiet).await
            }
            (Flaw::ClearsSelection, _) => {
                let few = &mut |found: &[Present]| {
                    let effects = change(found)?;
                    if effects != [Effect::Clear] {
                        return Ok(effects);
                    }
                    let removed = |p: &Present| Effect::Remove { key: p.key.clone() };
                    Ok(found.iter().map(removed).collect())
                };
                inner.update(selection, durability, few).await
            }
            (Flaw::CutsValues, _) => {
                let limit = inner.capabilities().value_bytes_max;
                let cut = &mut |found: &[Present]| {
                    let mut effects = change(found)?;
                    for effect in &mut effects {
                        if let Effect::Set { value, .. } = effect {
                            value.truncate(limit);
                        }
                    }
                    Ok(effects)
                };
                inner.update(selection, durability, cut).await
            }
            (Flaw::ReadsLate, Selection::Keys { keys: [key], .. }) => {
                let old = inner.get_many(std::slice::from_ref(key)).await?.remove(0);
                *self.before.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((key.clone(), old));
                inner.update(selection, durability, change).await
            }
            _ => {
                let effects = inner.update(selection, durability, change).await?;
                let sets = effects.iter().filter(|e| matches!(e, Effect::Set { .. })).count();
                self.sets.fetch_add(sets as u64, Ordering::SeqCst);
                Ok(effects)
            }
        }
    }

    async fn scan(&self, inner: &dyn KvStore, mut scan: KvScan<'_>) -> Result<KvPart> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match self.flaw {
            Flaw::Shuffles if call % 2 == 1 => {
                let mut part = inner.scan(scan).await?;
                part.records.reverse();
                Ok(part)
            }
            Flaw::ScansLastAgain => {
                if let std::ops::Bound::Excluded(key) = scan.start {
                    scan.start = std::ops::Bound::Included(key);
                }
                scan.limit = scan.limit.max(2);
                inner.scan(scan).await
            }
            Flaw::SkipsInParts => {
                let mut part = inner.scan(scan).await?;
                if part.more && part.records.len() > 2 {
                    part.records.remove(1);
                }
                Ok(part)
            }
            Flaw::IgnoresLimits => {
                (scan.limit, scan.bytes_max) = (usize::MAX, usize::MAX);
                inner.scan(scan).await
            }
            Flaw::ReversesAnyway => {
                (scan.reverse, scan.end) = (false, std::ops::Bound::Unbounded);
                inner.scan(scan).await
            }
            _ => inner.scan(scan).await,
        }
    }

    async fn count(&self, inner: &dyn KvStore) -> Result<u64> {
        match self.flaw {
            Flaw::CountsSets => Ok(self.sets.load(Ordering::SeqCst)),
            _ => inner.count().await,
        }
    }

    async fn synchronise(&self, inner: &dyn KvStore) -> Result<()> {
        match self.flaw {
            Flaw::FailsToSync => Err(hozo_traits::Error::new(ErrorKind::Unavailable, "no")),
            _ => inner.synchronise().await,
        }
    }

    async fn rebuild(&self, inner: &dyn KvStore) -> Result<()> {
        if self.flaw == Flaw::RebuildLoses {
            let lose = &mut |found: &[Present]| {
                let removed = |p: &Present| Effect::Remove { key: p.key.clone() };
                Ok(found.iter().map(removed).collect())
            };
            inner.update(Selection::First, Durability::Sequenced, lose).await?;
        }
        inner.rebuild().await
    }
}

/// Opens flawed models.
pub(super) struct FlawedFixture {
    inner: StoreModelFixture,
    flaw: Flaw,
}

impl FlawedFixture {
    pub(super) fn new(flaw: Flaw) -> Self {
        let unordered = matches!(flaw, Flaw::ReversesAnyway);
        let inner = if unordered {
            StoreModelFixture::unordered()
        } else {
            StoreModelFixture::persistent()
        };
        FlawedFixture { inner, flaw }
    }
}

struct FlawedStore {
    inner: Arc<dyn Store>,
    flaw: Flaw,
    dbms: Mutex<std::collections::BTreeMap<String, Arc<dyn KvStore>>>,
}

impl StoreFixture for FlawedFixture {
    fn name(&self) -> &str {
        "flawed"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
        let inner = self.inner.open(dir, ambient)?;
        if self.flaw == Flaw::ForgetsDurable {
            for dbm in inner.dbms()? {
                let lose = &mut |found: &[Present]| {
                    let emptied = |p: &Present| match &p.value {
                        PresentValue::Is(_) => {
                            Effect::Set { key: p.key.clone(), value: Bytes::new() }
                        }
                        _ => Effect::Remove { key: p.key.clone() },
                    };
                    Ok(found.iter().map(emptied).collect())
                };
                let dbm = inner.records(&dbm)?;
                block_on(dbm.update(Selection::First, Durability::Sequenced, lose))?;
            }
        }
        Ok(Arc::new(FlawedStore { inner, flaw: self.flaw, dbms: Mutex::default() }))
    }

    fn outlives_process(&self) -> bool {
        false
    }
}

impl Store for FlawedStore {
    fn pages(&self) -> Result<Arc<dyn PageStore>> {
        self.inner.pages()
    }

    fn records(&self, dbm: &str) -> Result<Arc<dyn KvStore>> {
        let mut dbms = self.dbms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = dbms.get(dbm) {
            return Ok(Arc::clone(known));
        }
        let flawed = Flawed {
            flaw: self.flaw,
            calls: AtomicU64::new(0),
            sets: AtomicU64::new(0),
            before: Mutex::new(None),
        };
        let made: Arc<dyn KvStore> = KvLayered::new(self.inner.records(dbm)?, flawed);
        dbms.insert(dbm.to_owned(), Arc::clone(&made));
        Ok(made)
    }

    fn dbms(&self) -> Result<Vec<String>> {
        self.inner.dbms()
    }
}
