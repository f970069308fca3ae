//! What the trials of records are written with.

use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Durability, Effect, ErrorKind, KvCapabilities, KvPart, KvScan, KvStore, KvStoreExt, Present,
    PresentValue, Result, Selection, Store,
};
use tempfile::TempDir;

use super::StoreFixture;
use crate::{Rng, TestAmbient};

/// The durability of steps to which it does not matter.
pub(super) const NOW: Durability = Durability::Sequenced;
/// The DBM that most trials use.
const DBM: &str = "main";

pub(super) struct Kit {
    fixture: Arc<dyn StoreFixture>,
    ambient: Arc<TestAmbient>,
    pub(super) seed: u64,
    store: Mutex<Option<Arc<dyn Store>>>,
    /// Goes after the store: the place of a directory that is gone can be another
    /// trial's, while the store still claims it.
    dir: TempDir,
}

pub(super) fn b(bytes: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.as_ref())
}

pub(super) fn is(value: impl AsRef<[u8]>) -> PresentValue {
    PresentValue::Is(b(value))
}

pub(super) fn set(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Effect {
    Effect::Set { key: b(key), value: b(value) }
}

pub(super) fn removed(key: impl AsRef<[u8]>) -> Effect {
    Effect::Remove { key: b(key) }
}

/// The whole of a DBM.
pub(super) fn all<'a>() -> KvScan<'a> {
    KvScan {
        start: Bound::Unbounded,
        end: Bound::Unbounded,
        reverse: false,
        limit: usize::MAX,
        bytes_max: usize::MAX,
        values: true,
    }
}

/// Every record in parts of `limit`, in the order of scans.
pub(super) fn scan_all(
    dbm: &dyn KvStore,
    limit: usize,
    reverse: bool,
) -> Result<Vec<(Bytes, Bytes)>> {
    let mut records: Vec<(Bytes, Bytes)> = Vec::new();
    loop {
        let last = records.last().map(|(key, _)| key.clone());
        let after = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut scan = KvScan { limit, reverse, ..all() };
        if reverse {
            scan.end = after
        } else {
            scan.start = after
        }
        let part = block_on(dbm.scan(scan))?;
        assert!(part.records.len() <= limit, "more than the limit");
        assert!(!part.more || !part.records.is_empty(), "more, after nothing");
        let first = part.records.first().map(|(key, _)| key);
        assert!(
            first.is_none() || first != last.as_ref(),
            "a scan goes on from the last key itself"
        );
        records.extend(part.records);
        if !part.more {
            return Ok(records);
        }
    }
}

/// How many threads still do what others wait for the end of, by panics too.
pub(super) struct Working(AtomicUsize);

/// One of them, until it is dropped.
pub(super) struct Worker<'a>(&'a AtomicUsize);

impl Working {
    pub(super) const fn new(workers: usize) -> Self {
        Working(AtomicUsize::new(workers))
    }

    /// For each of them to hold while it works.
    pub(super) fn one(&self) -> Worker<'_> {
        Worker(&self.0)
    }

    pub(super) fn goes_on(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs `work` on so many threads, which begin at once.
pub(super) fn together<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let run = |n| {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(n)
            })
        };
        let threads: Vec<_> = (0..threads).map(run).collect();
        let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
        ended.map(|ended| ended.unwrap_or_else(|why| std::panic::resume_unwind(why))).collect()
    })
}

impl Kit {
    pub(super) fn new(fixture: Arc<dyn StoreFixture>, seed: u64) -> Result<Self> {
        let ambient = Arc::new(TestAmbient::new(seed));
        let dir = TempDir::with_prefix("hozo-conformance-").expect("a scratch directory");
        let store = Mutex::new(Some(fixture.open(dir.path(), ambient.clone())?));
        Ok(Kit { fixture, dir, ambient, seed, store })
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<dyn Store>>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.slot().as_ref().expect("the store is open"))
    }

    pub(super) fn dbm(&self) -> Arc<dyn KvStore> {
        self.dbm_of(DBM)
    }

    pub(super) fn dbm_of(&self, name: &str) -> Arc<dyn KvStore> {
        self.store().records(name).expect("the DBM opens")
    }

    /// Closes the store and opens it again.
    pub(super) fn reopen(&self) {
        let mut slot = self.slot();
        drop(slot.take());
        let store = self.fixture.open(self.dir(), self.ambient.clone());
        *slot = Some(store.expect("the store opens again"));
    }

    pub(super) fn capabilities(&self) -> KvCapabilities {
        self.dbm().capabilities()
    }

    pub(super) fn rng(&self) -> Rng {
        Rng::new(self.seed)
    }

    #[track_caller]
    pub(super) fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (key, value) = (b(key), b(value));
        block_on(self.dbm().set(key, value, true, NOW)).expect("the record is set");
    }

    #[track_caller]
    pub(super) fn get(&self, key: impl AsRef<[u8]>) -> Option<Bytes> {
        block_on(self.dbm().get(&b(key))).expect("the record is read")
    }

    #[track_caller]
    pub(super) fn count(&self) -> u64 {
        block_on(self.dbm().count()).expect("the count is answered")
    }

    #[track_caller]
    pub(super) fn scan(&self, scan: KvScan<'_>) -> KvPart {
        block_on(self.dbm().scan(scan)).expect("the scan is answered")
    }

    /// Every record, sorted by key.
    #[track_caller]
    pub(super) fn contents(&self) -> Vec<(Bytes, Bytes)> {
        let mut records = scan_all(&*self.dbm(), 100, false).expect("the scan is answered");
        records.sort();
        records
    }

    /// An update that has these effects, whatever is there; answers what the
    /// change saw.
    pub(super) fn update(
        &self,
        keys: &[Bytes],
        values: bool,
        effects: &[Effect],
    ) -> Result<Vec<Present>> {
        let mut seen = Vec::new();
        let selection = Selection::Keys { keys, values };
        let answered = block_on(self.dbm().update(selection, NOW, &mut |found| {
            seen = found.to_vec();
            Ok(effects.to_vec())
        }))?;
        assert_eq!(answered, effects, "an update answers its effects");
        Ok(seen)
    }

    /// An update that must be refused, and must leave everything as it is.
    #[track_caller]
    pub(super) fn refused(&self, keys: &[Bytes], effects: &[Effect], kind: ErrorKind) {
        let before = (self.contents(), self.count());
        match self.update(keys, true, effects) {
            Ok(_) => panic!("done instead of refused"),
            Err(error) => assert_eq!(error.kind(), kind, "{error}"),
        }
        assert!((self.contents(), self.count()) == before, "a refused update changed something");
    }
}
