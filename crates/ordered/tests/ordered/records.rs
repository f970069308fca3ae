//! Records: what they cost, what they leave behind, and what a power cut may
//! take of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use hozo_conformance::{Rng, TestAmbient, seed};
use hozo_ordered::{OrderedPagesConfig, OrderedStore, Sequenced, Space};
use hozo_traits::exec::block_on;
use hozo_traits::{Durability, Effect, KvScan, KvStore, KvStoreExt, Selection, Store as _};

use crate::engine::{Disk, Engine};
use crate::kit::until;

const NOW: Durability = Durability::Sequenced;
/// Keys of the space that are there before the first record: the DBM's name
/// and the last number.
const NAMING: usize = 2;

fn open(disk: &Arc<Disk>) -> OrderedStore<Sequenced<Engine>> {
    let engine = Sequenced::open(disk.open_with(64 << 20)).expect("the engine opens");
    let (config, ambient) = (OrderedPagesConfig::default(), Arc::new(TestAmbient::new(1)));
    block_on(OrderedStore::open(engine, config, ambient)).expect("the store opens")
}

fn dbm(disk: &Arc<Disk>) -> Arc<dyn KvStore> {
    open(disk).records("main").expect("the DBM opens")
}

fn key(n: usize) -> Bytes {
    format!("key {n}").into()
}

fn value(size: usize, byte: usize) -> Bytes {
    vec![byte as u8; size].into()
}

fn set(dbm: &Arc<dyn KvStore>, n: usize, value: Bytes) {
    block_on(dbm.set(key(n), value, true, NOW)).expect("set");
}

#[test]
fn an_update_is_one_small_batch() {
    let disk = Arc::default();
    let dbm = dbm(&disk);
    let (before, _) = disk.batches();
    set(&dbm, 1, value(8, 1));
    let (after, ops) = disk.batches();
    assert_eq!((after - before, ops.len()), (1, 3), "the record, a tally, the version");
    set(&dbm, 1, value(8, 2));
    let (after, ops) = disk.batches();
    assert_eq!((after - before, ops.len()), (2, 2), "nothing to count");
    block_on(dbm.remove(key(2), NOW)).expect("there is none");
    block_on(dbm.get(&key(1))).expect("read");
    assert_eq!(disk.batches().0, after, "nothing was written");
}

#[test]
fn replaced_values_leave_nothing_behind() {
    let disk = Arc::default();
    let dbm = dbm(&disk);
    let sizes = [10, 70_000, 1 << 20, (1 << 20) + 1, 5 << 20, 65_536, 65_537, 0];
    for size in sizes.into_iter().chain(sizes.into_iter().rev()) {
        set(&dbm, 1, value(size, size));
        let chunks = if size > 65_536 { size.div_ceil(1 << 20) } else { 0 };
        assert_eq!(disk.count(Space::Records), NAMING + 1 + 1 + chunks, "a value of {size}");
    }
    for size in sizes {
        set(&dbm, 1, value(size, 1));
        block_on(dbm.remove(key(1), NOW)).expect("removed");
        assert_eq!(disk.count(Space::Records), NAMING + 1, "after a value of {size}");
        set(&dbm, 1, value(size, 1));
        block_on(dbm.rekey(key(1), key(2), true, false, NOW)).expect("rekeyed");
        block_on(dbm.clear(NOW)).expect("cleared");
        assert_eq!(disk.count(Space::Records), NAMING, "cleared after a value of {size}");
    }
}

#[test]
fn who_waits_for_the_disk_keeps_nobody_from_the_same_key() {
    const THREADS: i64 = 8;
    let disk = Arc::default();
    let dbm = dbm(&disk);
    let before = disk.syncs();
    disk.close_gate();
    thread::scope(|scope| {
        let count = || block_on(dbm.increment(key(1), 1, 0, Durability::Durable)).expect("counted");
        scope.spawn(count);
        disk.wait_for_sync();
        for _ in 1..THREADS {
            scope.spawn(count);
        }
        let read = || block_on(dbm.increment(key(1), i64::MIN, 0, NOW)).expect("read");
        until(|| read() == THREADS);
        disk.open_gate();
    });
    assert!(disk.syncs() - before <= 3, "one that hung, and one for all others");
}

/// Everything that is there, which has to be what is counted.
fn contents(dbm: &Arc<dyn KvStore>) -> BTreeMap<Bytes, Bytes> {
    let scan = KvScan {
        start: std::ops::Bound::Unbounded,
        end: std::ops::Bound::Unbounded,
        reverse: false,
        limit: usize::MAX,
        bytes_max: usize::MAX,
        values: true,
    };
    let records = block_on(dbm.scan(scan)).expect("scanned").records;
    let (count, sizes) = (block_on(dbm.count()), block_on(dbm.sizes()));
    assert_eq!(count.expect("counted"), records.len() as u64);
    let bytes: usize = records.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert_eq!(sizes.expect("measured").record_bytes, Some(bytes as u64));
    records.into_iter().collect()
}

#[test]
fn a_power_cut_leaves_a_prefix_of_updates() {
    let seed = seed();
    eprintln!("HOZO_SEED={seed}");
    let mut rng = Rng::new(seed);
    let disk: Arc<Disk> = Arc::default();
    for round in 0..40 {
        let dbm = dbm(&disk);
        // After each update; the first is what was found.
        let mut states = vec![contents(&dbm)];
        let mut durable = 0;
        for _ in 0..rng.below(30) {
            let mut state = states.last().expect("one at least").clone();
            let how = if rng.one_in(6) { Durability::Durable } else { NOW };
            if rng.one_in(25) {
                block_on(dbm.clear(how)).expect("cleared");
                state.clear();
            } else {
                let keys: Vec<Bytes> = (0..1 + rng.below(4)).map(|_| key(rng.below(8))).collect();
                let effect = |key: &Bytes| {
                    let key = key.clone();
                    match rng.below(8) {
                        0 | 1 => Effect::Remove { key },
                        2 => Effect::Set { key, value: value(100_000 + rng.below(9), 7) },
                        _ => Effect::Set { key, value: value(rng.below(50), rng.below(256)) },
                    }
                };
                let effects: Vec<Effect> = keys.iter().map(effect).collect();
                let selection = Selection::Keys { keys: &keys, values: false };
                block_on(dbm.update(selection, how, &mut |_| Ok(effects.clone()))).expect("made");
                for effect in effects {
                    match effect {
                        Effect::Set { key, value } => drop(state.insert(key, value)),
                        Effect::Remove { key } => drop(state.remove(&key)),
                        Effect::Clear => state.clear(),
                    }
                }
            }
            states.push(state);
            if how == Durability::Durable {
                durable = states.len() - 1;
            }
        }
        if rng.one_in(5) {
            block_on(dbm.synchronise()).expect("synchronised");
            durable = states.len() - 1;
        }
        disk.cut_power(|unsynced| rng.below(unsynced + 1));
        drop(dbm);
        let found = contents(&self::dbm(&disk));
        let at = states.iter().rposition(|state| *state == found);
        assert!(at.is_some(), "round {round}: what is there never was");
        assert!(at >= Some(durable), "round {round}: back to {at:?}, {durable} was durable");
    }
}
