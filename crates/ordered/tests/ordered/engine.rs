//! An engine on a disk that is not one: it tells what was synced from what was
//! only applied, loses what a power cut would lose, and fails when told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use bytes::Bytes;
use hozo_ordered::{KeyRange, Limits, LocalEngine, NotApplied, Op, Overhead, Pair, Scan, Space};
use hozo_traits::{Error, ErrorKind, Result};

type Maps = BTreeMap<(Space, Bytes), Bytes>;

/// What outlives the engines that were opened on it.
#[derive(Default)]
pub(crate) struct Disk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    maps: Maps,
    /// Every batch ever applied and not lost.
    batches: Vec<Vec<Op>>,
    /// How many of them are on stable storage.
    stable: usize,
    /// How often the power failed: engines of before are dead.
    cuts: u64,
    syncs: u64,
    syncing: bool,
    gate_closed: bool,
    fail: Option<Fail>,
    meanwhile: Option<Meanwhile>,
}

/// Something that happens between two calls of one operation.
type Meanwhile = Arc<dyn Fn() + Send + Sync>;

/// What goes wrong next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fail {
    Apply,
    Sync,
    SyncPanics,
    ApplyPanics,
    Refused,
}

/// An engine on a [`Disk`].
pub(crate) struct Engine {
    disk: Arc<Disk>,
    cuts: u64,
    limits: Limits,
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("panics are made without the lock")
    }

    pub(crate) fn open(self: &Arc<Self>) -> Engine {
        self.open_with(usize::MAX)
    }

    pub(crate) fn open_with(self: &Arc<Self>, batch_bytes_max: usize) -> Engine {
        let cuts = self.state().cuts;
        let limits = Limits {
            key_bytes_max: usize::MAX,
            value_bytes_max: usize::MAX,
            batch_bytes_max,
            overhead: Overhead::NONE,
            pointers_max: usize::MAX,
        };
        Engine { disk: Arc::clone(self), cuts, limits }
    }

    /// Cuts the power: of the batches that were not synced, the first that
    /// `choose` says (of how many) survive.
    pub(crate) fn cut_power(&self, choose: impl FnOnce(usize) -> usize) {
        let mut state = self.state();
        let keep = state.stable + choose(state.batches.len() - state.stable);
        state.cuts += 1;
        state.batches.truncate(keep);
        state.stable = keep;
        let mut maps = Maps::new();
        state.batches.iter().for_each(|batch| apply(&mut maps, batch));
        state.maps = maps;
        state.gate_closed = false;
        self.changed.notify_all();
    }

    /// Syncs that begin from now on wait.
    pub(crate) fn close_gate(&self) {
        self.state().gate_closed = true;
    }

    pub(crate) fn open_gate(&self) {
        self.state().gate_closed = false;
        self.changed.notify_all();
    }

    /// Waits until somebody is in sync.
    pub(crate) fn wait_for_sync(&self) {
        let mut state = self.state();
        while !state.syncing {
            state = self.changed.wait(state).expect("panics are made without the lock");
        }
    }

    /// Whenever page records were scanned or got by their keys, `what` happens
    /// before the reader goes on; not while it happens already. No condition
    /// is judged by such reads, so it may commit.
    pub(crate) fn meanwhile(&self, what: impl Fn() + Send + Sync + 'static) {
        self.state().meanwhile = Some(Arc::new(what));
    }

    fn happen(&self) {
        let Some(what) = self.state().meanwhile.take() else { return };
        what();
        self.state().meanwhile = Some(what);
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    pub(crate) fn fail_next(&self, fail: Fail) {
        self.state().fail = Some(fail);
    }

    /// Batches that were applied, and the steps of the last.
    pub(crate) fn batches(&self) -> (usize, Vec<Op>) {
        let state = self.state();
        (state.batches.len(), state.batches.last().cloned().unwrap_or_default())
    }

    /// How many keys a space has.
    pub(crate) fn count(&self, space: Space) -> usize {
        self.state().maps.keys().filter(|(s, _)| *s == space).count()
    }

    /// The value of a page's newest record.
    pub(crate) fn newest(&self, space: Space, prefix: &[u8]) -> Option<Bytes> {
        let state = self.state();
        let mut all =
            state.maps.iter().filter(|((s, key), _)| *s == space && key.starts_with(prefix));
        all.next_back().map(|(_, value)| value.clone())
    }
}

fn apply(maps: &mut Maps, batch: &[Op]) {
    for op in batch {
        match op {
            Op::Put { space, key, value } => {
                maps.insert((*space, key.clone()), value.clone());
            }
            Op::Delete { space, key } => {
                maps.remove(&(*space, key.clone()));
            }
            Op::DeleteRange { space, start, end } => {
                maps.retain(|(s, key), _| s != space || key < start || key >= end);
            }
        }
    }
}

impl Engine {
    fn alive(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.cuts == self.cuts {
            Ok(state)
        } else {
            Err(Error::new(ErrorKind::Unavailable, "there was a power cut"))
        }
    }
}

/// Fails, or panics without the lock, if that is what comes next.
fn stumble<'a>(
    mut state: MutexGuard<'a, State>,
    on: Fail,
    panics: Fail,
) -> Result<MutexGuard<'a, State>> {
    let fail = state.fail;
    if fail == Some(on) || fail == Some(panics) {
        state.fail = None;
        drop(state);
        assert_ne!(fail, Some(panics), "asked to");
        return Err(Error::new(ErrorKind::Unavailable, "the disk failed, as asked"));
    }
    Ok(state)
}

impl LocalEngine for Engine {
    fn backend(&self) -> &'static str {
        "test"
    }

    fn persistent(&self) -> bool {
        true
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        let found = self.alive()?.maps.get(&(space, Bytes::copy_from_slice(key))).cloned();
        if space == Space::Pages {
            self.disk.happen();
        }
        Ok(found)
    }

    fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get(space, key)).collect()
    }

    fn last_in(&self, space: Space, start: &[u8], end: &[u8]) -> Result<Option<Pair>> {
        let bound = |key: &[u8]| (space, Bytes::copy_from_slice(key));
        let state = self.alive()?;
        let last = state.maps.range(bound(start)..=bound(end)).next_back();
        Ok(last.map(|((_, key), value)| (key.clone(), value.clone())))
    }

    fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>> {
        let one = |range: &KeyRange| match range.start <= range.end {
            true => self.last_in(space, &range.start, &range.end),
            false => Ok(None),
        };
        ranges.iter().map(one).collect()
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>> {
        let bound = |key: &[u8]| (scan.space, Bytes::copy_from_slice(key));
        let state = self.alive()?;
        let range = state.maps.range(bound(scan.start)..bound(scan.end));
        let mut pairs: Vec<Pair> =
            range.map(|((_, key), value)| (key.clone(), value.clone())).collect();
        if scan.reverse {
            pairs.reverse();
        }
        let mut bytes = 0;
        let all = pairs.iter().take_while(|(key, value)| {
            let more = bytes == 0 || bytes < scan.bytes_max;
            bytes += key.len() + value.len();
            more
        });
        let count = all.count().min(scan.limit);
        pairs.truncate(count);
        drop(state);
        if scan.space == Space::Pages {
            self.disk.happen();
        }
        Ok(pairs)
    }

    fn apply(&self, ops: &[Op]) -> Result<(), NotApplied> {
        let full = |state: &mut State| state.fail.take_if(|fail| *fail == Fail::Refused).is_some();
        if full(&mut *self.alive()?) {
            let error = Error::new(ErrorKind::Unavailable, "the disk is full, as asked");
            return Err(NotApplied::Refused(error));
        }
        let mut state = stumble(self.alive()?, Fail::Apply, Fail::ApplyPanics)?;
        apply(&mut state.maps, ops);
        state.batches.push(ops.to_vec());
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut state = self.alive()?;
        state.syncs += 1;
        // What is applied while it waits may be lost.
        let reaches = state.batches.len();
        state.syncing = true;
        self.disk.changed.notify_all();
        while state.gate_closed {
            state = self.disk.changed.wait(state).expect("panics are made without the lock");
        }
        state.syncing = false;
        drop(state);
        let mut state = stumble(self.alive()?, Fail::Sync, Fail::SyncPanics)?;
        state.stable = state.stable.max(reaches);
        Ok(())
    }
}
