//! The operations over a map. What holds for every store is in the conformance
//! suite; here is what depends on limits, and what a store cannot show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;

use super::KvStoreExt;
use crate::exec::block_on;
use crate::{
    Change, Desired, Durability, Effect, Expected, KvCapabilities, KvPart, KvScan, KvSizes,
    KvStore, Outcome, Present, PresentValue, Result, Selection, push_time,
};

const NOW: Durability = Durability::Sequenced;

/// Calls every change twice, as a store may.
#[derive(Default)]
struct Map {
    records: Mutex<BTreeMap<Bytes, Bytes>>,
    updates: Mutex<Vec<Vec<Effect>>>,
    /// How many keys the last update selected.
    selected: Mutex<usize>,
    update_bytes_max: usize,
    /// The most bytes of values that were read at once.
    read_at_once: Mutex<usize>,
}

impl Map {
    fn read<'a>(&self, values: impl Iterator<Item = &'a Bytes>) {
        let mut most = self.read_at_once.lock().unwrap();
        *most = (*most).max(values.map(Bytes::len).sum());
    }
}

#[async_trait]
impl KvStore for Map {
    fn capabilities(&self) -> KvCapabilities {
        KvCapabilities {
            backend: "map",
            persistent: false,
            ordered: true,
            key_bytes_max: usize::MAX,
            value_bytes_max: usize::MAX,
            update_bytes_max: self.update_bytes_max,
        }
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        let records = self.records.lock().unwrap();
        self.read(keys.iter().filter_map(|key| records.get(key)));
        Ok(keys.iter().map(|key| records.get(key).cloned()).collect())
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        _: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        let mut records = self.records.lock().unwrap();
        let present = |key: &Bytes, values: bool| Present {
            key: key.clone(),
            value: match records.get(key) {
                None => PresentValue::Absent,
                Some(_) if !values => PresentValue::Unread,
                Some(value) => PresentValue::Is(value.clone()),
            },
        };
        if let Selection::Keys { keys, .. } = selection {
            *self.selected.lock().unwrap() = keys.len();
        }
        let found: Vec<Present> = match selection {
            Selection::Keys { keys, values } => keys.iter().map(|k| present(k, values)).collect(),
            Selection::First => records.keys().take(1).map(|key| present(key, true)).collect(),
        };
        self.read(found.iter().filter_map(|present| match &present.value {
            PresentValue::Is(value) => Some(value),
            _ => None,
        }));
        assert_eq!(change(&found)?, change(&found)?);
        let effects = change(&found)?;
        for effect in &effects {
            match effect {
                Effect::Set { key, value } => drop(records.insert(key.clone(), value.clone())),
                Effect::Remove { key } => drop(records.remove(key).expect("it is there")),
                Effect::Clear => records.clear(),
            }
        }
        self.updates.lock().unwrap().push(effects.clone());
        Ok(effects)
    }

    async fn scan(&self, _: KvScan<'_>) -> Result<KvPart> {
        unreachable!("no operation scans")
    }

    async fn count(&self) -> Result<u64> {
        Ok(self.records.lock().unwrap().len() as u64)
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

fn map(update_bytes_max: usize) -> Arc<Map> {
    Arc::new(Map { update_bytes_max, ..Map::default() })
}

fn pairs<const N: usize>(pairs: [(&'static str, &'static str); N]) -> Vec<(Bytes, Bytes)> {
    pairs.map(|(key, value)| (key.into(), value.into())).into()
}

#[test]
fn operations_are_called_on_any_store() {
    let map = map(1 << 20);
    let store: Arc<dyn KvStore> = map;
    block_on(async {
        let key = Bytes::from_static(b"k");
        assert_eq!(store.set(key.clone(), "v".into(), false, NOW).await?, Outcome::Done);
        assert_eq!(store.set(key.clone(), "w".into(), false, NOW).await?, Outcome::Exists);
        assert_eq!(store.get(&key).await?.as_deref(), Some(&b"v"[..]));
        let answer =
            store.compare_exchange(key.clone(), Expected::Any, Desired::Remove, false, NOW).await?;
        assert!(answer.done);
        assert_eq!(answer.actual, PresentValue::Unread);
        assert_eq!(store.remove(key, NOW).await?, Outcome::Missing);
        Ok::<(), crate::Error>(())
    })
    .expect("the map answers");
}

#[test]
fn a_batch_that_fits_is_one_update() {
    let map = map(3 * (Effect::OVERHEAD_BYTES + 2));
    let records = pairs([("c", "3"), ("a", "1"), ("b", "2"), ("a", "x")]);
    let exist = block_on(map.set_many(records, false, NOW)).expect("set");
    assert!(exist.is_empty());
    let sets = [("a", "1"), ("b", "2"), ("c", "3")];
    let sets = sets.map(|(key, value)| Effect::Set { key: key.into(), value: value.into() });
    assert_eq!(*map.updates.lock().unwrap(), [sets.to_vec()]);
}

#[test]
fn a_batch_that_does_not_fit_is_several_updates() {
    let map = map(2 * (Effect::OVERHEAD_BYTES + 2));
    let records = pairs([("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")]);
    block_on(map.set_many(records, true, NOW)).expect("set");
    let missing = block_on(map.remove_many(vec!["e".into(), "x".into(), "a".into()], NOW));
    assert_eq!(missing.expect("removed"), ["x"]);
    // What is there already counts as well.
    map.records.lock().unwrap().insert("b".into(), "long, ".repeat(8).into());
    let records = pairs([("b", "2"), ("c", "3"), ("d", "4")]);
    block_on(map.append_many(records, b",", NOW)).expect("appended");
    let counts: Vec<usize> = map.updates.lock().unwrap().iter().map(Vec::len).collect();
    assert_eq!(counts, [2, 2, 1, 2, 0, 1, 1, 1]);
    let exist = block_on(map.set_many(pairs([("a", "1"), ("c", ""), ("d", "")]), false, NOW));
    assert_eq!(exist.expect("set"), ["c", "d"]);
}

/// 24 records of 4 MiB: more than are to be read at once. They are the same
/// bytes, so that they take less.
fn large_records(map: &Map) -> Vec<Bytes> {
    let value = Bytes::from(vec![7; 4 << 20]);
    let keys: Vec<Bytes> = (0..24u8).map(|n| vec![n].into()).collect();
    let mut records = map.records.lock().unwrap();
    records.extend(keys.iter().map(|key| (key.clone(), value.clone())));
    keys
}

#[test]
fn many_are_appended_to_without_reading_them_all_at_once() {
    let map = map(1 << 30);
    let keys = large_records(&map);
    let records = keys.iter().map(|key| (key.clone(), "!".into())).collect();
    block_on(map.append_many(records, b"", NOW)).expect("appended");
    assert!(map.records.lock().unwrap().values().all(|value| value.len() == (4 << 20) + 1));
    let counts: Vec<usize> = map.updates.lock().unwrap().iter().map(Vec::len).collect();
    assert_eq!(counts, [16, 8]);
    assert_eq!(*map.read_at_once.lock().unwrap(), 64 << 20);
    // Small ones are one update, however many there are.
    map.updates.lock().unwrap().clear();
    let records = (0..1000u32).map(|n| (n.to_be_bytes().to_vec().into(), "v".into())).collect();
    block_on(map.append_many(records, b"", NOW)).expect("appended");
    assert_eq!(map.updates.lock().unwrap().len(), 1);
}

#[test]
fn many_are_exchanged_only_if_they_can_be_read_at_once() {
    let map = map(1 << 30);
    let keys = large_records(&map);
    let mut expected: Vec<_> = keys.iter().map(|key| (key.clone(), Expected::Any)).collect();
    let desired = [("x".into(), Some("v".into()))];
    let exchange = |expected: &[_]| block_on(map.compare_exchange_many(expected, &desired, NOW));
    assert!(exchange(&expected).expect("nothing is read"));
    expected.push(("x".into(), Expected::Is("v".into())));
    let error = exchange(&expected).expect_err("too much would be read");
    assert_eq!(error.kind(), crate::ErrorKind::TooLarge);
    assert_eq!(*map.read_at_once.lock().unwrap(), 64 << 20);
    assert!(exchange(&expected[10..]).expect("fewer"));
}

#[test]
fn the_last_key_of_all_can_be_pushed() {
    let map = map(1 << 20);
    let push = |from| block_on(map.push_last("v".into(), from, NOW));
    assert_eq!(push(u64::MAX - 1).expect("free"), (u64::MAX - 1).to_be_bytes()[..]);
    assert_eq!(push(u64::MAX - 1).expect("the last"), u64::MAX.to_be_bytes()[..]);
    let error = push(u64::MAX - 1).expect_err("none is left");
    assert_eq!(error.kind(), crate::ErrorKind::TooLarge);
    for n in 0..700u64 {
        assert_eq!(push(0).expect("free"), n.to_be_bytes()[..]);
    }
}

#[test]
fn times_become_keys() {
    assert_eq!(push_time(0.0), 0);
    assert_eq!(push_time(1.5), 150_000_000);
    assert_eq!(push_time(-1.0), 0);
    assert_eq!(push_time(f64::NAN), 0);
    assert_eq!(push_time(f64::INFINITY), u64::MAX);
}

#[test]
fn a_key_that_is_compared_often_is_selected_once() {
    let map = map(1 << 20);
    let is = |value: &'static str| ("k".into(), Expected::Is(value.into()));
    let mut expected = vec![("k".into(), Expected::Any), ("x".into(), Expected::Absent)];
    expected.resize_with(1000, || is("v"));
    let desired = [("k".into(), Some("w".into())), ("y".into(), None), ("k".into(), None)];
    let exchange = |expected: &[_]| block_on(map.compare_exchange_many(expected, &desired, NOW));
    assert!(!exchange(&expected).expect("compared"), "there is no k");
    map.records.lock().unwrap().insert("k".into(), "v".into());
    expected.push(is("u"));
    assert!(!exchange(&expected).expect("compared"), "it is not u");
    expected.pop();
    assert!(exchange(&expected).expect("compared"));
    assert_eq!(*map.selected.lock().unwrap(), 3);
    // Of what is desired twice the last counts.
    assert!(map.records.lock().unwrap().is_empty());
}
