//! The DBM's operations on many records.

use bytes::Bytes;
use hozo_traits::KvStoreExt;
use hozo_traits::exec::block_on;

use crate::records::kit::{Kit, NOW, b};
use crate::records::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!("op", set_many_tells_what_exists),
    case!("op", set_many_takes_the_first_of_repeats),
    case!("op", remove_many_tells_what_is_missing),
    case!("op", append_many_appends_to_each),
    case!("op", batches_of_nothing),
    case!("op", batches_above_the_limit_are_cut),
];

fn records<const N: usize>(records: [(&str, &str); N]) -> Vec<(Bytes, Bytes)> {
    records.map(|(key, value)| (b(key), b(value))).into()
}

fn set_many_tells_what_exists(kit: &Kit) {
    let set =
        |records, overwrite| block_on(kit.dbm().set_many(records, overwrite, NOW)).expect("set");
    assert_eq!(set(records([("b", "2"), ("a", "1")]), false), [""; 0]);
    assert_eq!(set(records([("c", "3"), ("b", "x"), ("a", "x"), ("", "")]), false), ["a", "b"]);
    assert_eq!(kit.contents(), records([("", ""), ("a", "1"), ("b", "2"), ("c", "3")]));
    assert_eq!(set(records([("c", "4"), ("a", "5"), ("d", "6")]), true), [""; 0]);
    let now = records([("", ""), ("a", "5"), ("b", "2"), ("c", "4"), ("d", "6")]);
    assert_eq!((kit.contents(), kit.count()), (now, 5));
}

fn set_many_takes_the_first_of_repeats(kit: &Kit) {
    for overwrite in [false, true] {
        let twice = records([("a", "1"), ("b", "2"), ("a", "3")]);
        let exist = block_on(kit.dbm().set_many(twice, overwrite, NOW)).expect("set");
        assert_eq!(exist, [""; 0]);
        assert_eq!(kit.contents(), records([("a", "1"), ("b", "2")]));
        block_on(kit.dbm().clear(NOW)).expect("cleared");
    }
}

fn remove_many_tells_what_is_missing(kit: &Kit) {
    for key in ["a", "b", "c", ""] {
        kit.put(key, "v");
    }
    let keys = ["c", "x", "a", "c", "", "m"].map(b);
    let missing = block_on(kit.dbm().remove_many(keys.into(), NOW)).expect("removed");
    // What is there twice is gone the second time.
    assert_eq!(missing, ["c", "m", "x"]);
    assert_eq!((kit.contents(), kit.count()), (records([("b", "v")]), 1));
}

fn append_many_appends_to_each(kit: &Kit) {
    kit.put("a", "1");
    kit.put("b", "");
    let more = records([("c", "3"), ("a", "2"), ("b", "2"), ("a", "9")]);
    block_on(kit.dbm().append_many(more, b", ", NOW)).expect("appended");
    assert_eq!(kit.contents(), records([("a", "1, 2"), ("b", ", 2"), ("c", "3")]));
}

fn batches_of_nothing(kit: &Kit) {
    assert_eq!(block_on(kit.dbm().set_many(Vec::new(), true, NOW)).expect("set"), [""; 0]);
    assert_eq!(block_on(kit.dbm().remove_many(Vec::new(), NOW)).expect("removed"), [""; 0]);
    block_on(kit.dbm().append_many(Vec::new(), b",", NOW)).expect("appended");
    assert_eq!(kit.count(), 0);
}

fn batches_above_the_limit_are_cut(kit: &Kit) {
    const ALL_BYTES_MAX: usize = 64 << 20;
    let limits = kit.capabilities();
    let value = vec![7; limits.value_bytes_max.min(1 << 20) / 2];
    let count = limits.update_bytes_max.min(ALL_BYTES_MAX / 2) / value.len() * 2 + 1;
    let key = |n: usize| b((n as u32).to_be_bytes());
    let large = |n| (key(n), b(&value));
    let dbm = kit.dbm();
    kit.put(key(1), "exists");
    let exist = block_on(dbm.set_many((0..count).map(large).collect(), false, NOW)).expect("set");
    assert_eq!(exist, [key(1)]);
    assert_eq!(kit.count(), count as u64);
    let small = (0..count).map(|n| (key(n), b("more")));
    block_on(dbm.append_many(small.collect(), b",", NOW)).expect("appended");
    for n in 0..count {
        let before = if n == 1 { b("exists") } else { b(&value) };
        let expected = [&before[..], b",more"].concat();
        assert!(kit.get(key(n)).is_some_and(|found| found == expected), "record {n}");
    }
    let missing = block_on(dbm.remove_many((0..count + 2).map(key).collect(), NOW));
    assert_eq!(missing.expect("removed"), [key(count), key(count + 1)]);
    assert_eq!(kit.count(), 0);
}
