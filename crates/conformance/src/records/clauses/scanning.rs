//! KV-12, KV-14, KV-15: scans. KV-13 is among what is concurrent, but for what
//! one thread can show.

use std::collections::BTreeMap;
use std::ops::Bound::{self, Excluded, Included, Unbounded};

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{ErrorKind, KvScan, KvStoreExt};

use crate::records::kit::{Kit, NOW, all, removed, scan_all};
use crate::records::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(12, is_the_same_each_time),
    case!(12, is_the_same_after_reopening, Persistent),
    case!(12, is_by_key, Ordered),
    case!(12, values_do_not_change_the_order),
    case!(13, goes_on_after_a_key_that_is_gone),
    case!(13, parts_make_the_whole),
    case!(14, start_and_end_hold, Ordered),
    case!(14, start_may_be_a_key),
    case!(14, the_limit_holds),
    case!(14, bytes_max_holds),
    case!(14, without_values_they_are_empty),
    case!(14, backwards_is_the_other_way_round, Ordered),
    case!(15, reverse_is_unsupported, Unordered),
    case!(15, an_end_is_unsupported, Unordered),
];

fn fill(kit: &Kit) -> BTreeMap<Bytes, Bytes> {
    let mut rng = kit.rng();
    let mut records = BTreeMap::new();
    for n in 0..300u32 {
        let mut key = vec![0; rng.below(5)];
        rng.fill(&mut key);
        kit.put(&key, n.to_string());
        records.insert(key.into(), n.to_string().into());
    }
    records
}

fn order(kit: &Kit) -> Vec<Bytes> {
    kit.scan(all()).records.into_iter().map(|(key, _)| key).collect()
}

fn is_the_same_each_time(kit: &Kit) {
    let records = fill(kit);
    let first = order(kit);
    assert_eq!(first.len(), records.len());
    assert_eq!(order(kit), first);
}

fn is_the_same_after_reopening(kit: &Kit) {
    fill(kit);
    let before = order(kit);
    kit.reopen();
    assert_eq!(order(kit), before);
}

fn is_by_key(kit: &Kit) {
    let records = fill(kit);
    assert!(kit.scan(all()).records.into_iter().eq(records));
}

fn values_do_not_change_the_order(kit: &Kit) {
    fill(kit);
    let before = order(kit);
    for (n, key) in before.iter().enumerate() {
        kit.put(key, vec![0; n * 10]);
    }
    assert_eq!(order(kit), before);
}

fn goes_on_after_a_key_that_is_gone(kit: &Kit) {
    fill(kit);
    let before = order(kit);
    for (n, last) in before.iter().enumerate().step_by(7) {
        kit.update(std::slice::from_ref(last), false, &[removed(last)]).expect("removed");
        let rest = kit.scan(KvScan { start: Excluded(last), ..all() });
        let rest: Vec<_> = rest.records.into_iter().map(|(key, _)| key).collect();
        assert_eq!(rest, before[n + 1..], "after {last:?}");
    }
}

fn parts_make_the_whole(kit: &Kit) {
    fill(kit);
    let whole = kit.scan(all()).records;
    for limit in [1, 2, 3, 7, 100, whole.len(), whole.len() + 1] {
        let parts = scan_all(&*kit.dbm(), limit, false).expect("scanned");
        assert!(parts == whole, "in parts of {limit}");
    }
}

fn start_and_end_hold(kit: &Kit) {
    let records = fill(kit);
    let mut rng = kit.rng();
    let keys: Vec<Bytes> = records.keys().cloned().collect();
    for _ in 0..300 {
        let mut key = || {
            let mut key = rng.pick(&keys).to_vec();
            // Beside a key as often as at one.
            match rng.below(4) {
                0 => key.push(0),
                1 => drop(key.pop()),
                _ => {}
            }
            (Bytes::from(key), rng.below(3))
        };
        let ((start, a), (end, z)) = (key(), key());
        let bound = |key: Bytes, kind: usize| match kind {
            0 => Included(key),
            1 => Excluded(key),
            _ => Unbounded,
        };
        let range = (bound(start, a), bound(end, z));
        let inside = |key: &&Bytes| std::ops::RangeBounds::contains(&range, *key);
        let expected: Vec<_> = keys.iter().filter(inside).cloned().collect();
        for reverse in [false, true] {
            let scan = KvScan {
                start: range.0.as_ref().map(|key| &key[..]),
                end: range.1.as_ref().map(|key| &key[..]),
                reverse,
                ..all()
            };
            let mut found: Vec<_> = kit.scan(scan).records.into_iter().map(|(k, _)| k).collect();
            if reverse {
                found.reverse();
            }
            assert_eq!(found, expected, "{range:?}, reverse {reverse}");
        }
    }
}

fn start_may_be_a_key(kit: &Kit) {
    fill(kit);
    let whole = order(kit);
    for (n, key) in whole.iter().enumerate().step_by(11) {
        let from = |start| kit.scan(KvScan { start, ..all() }).records.len();
        assert_eq!(from(Included(&key[..])), whole.len() - n);
        assert_eq!(from(Excluded(&key[..])), whole.len() - n - 1);
    }
}

fn the_limit_holds(kit: &Kit) {
    let count = fill(kit).len();
    let whole = kit.scan(all()).records;
    for limit in [0, 1, 2, 50, count - 1, count, count + 1] {
        let part = kit.scan(KvScan { limit, ..all() });
        assert_eq!(part.records, whole[..limit.min(count)], "limit {limit}");
        if limit < count && limit > 0 {
            assert!(part.more, "limit {limit} of {count}");
        }
        if limit > count {
            assert!(!part.more, "there is nothing after all");
        }
    }
    block_on(kit.dbm().clear(NOW)).expect("cleared");
    let part = kit.scan(KvScan { limit: 1, ..all() });
    assert_eq!((part.records, part.more), (Vec::new(), false));
}

fn bytes_max_holds(kit: &Kit) {
    fill(kit);
    let whole = kit.scan(all()).records;
    for bytes_max in [0, 1, 2, 9, 10, 11, 100, 1000] {
        let part = kit.scan(KvScan { bytes_max, ..all() });
        let mut bytes = 0;
        let reaches = |(key, value): &(Bytes, Bytes)| {
            bytes += key.len() + value.len();
            bytes >= bytes_max
        };
        let count = whole.iter().position(reaches).map_or(whole.len(), |last| last + 1);
        assert_eq!(part.records, whole[..count], "bytes_max {bytes_max}");
        assert!(part.more, "bytes_max {bytes_max}");
    }
}

fn without_values_they_are_empty(kit: &Kit) {
    fill(kit);
    kit.put("large", vec![1; kit.capabilities().value_bytes_max.min(200_000)]);
    let part = kit.scan(KvScan { values: false, ..all() });
    assert!(part.records.iter().all(|(_, value)| value.is_empty()));
    let keys: Vec<_> = part.records.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, order(kit));
}

fn backwards_is_the_other_way_round(kit: &Kit) {
    fill(kit);
    kit.put("large", vec![1; kit.capabilities().value_bytes_max.min(200_000)]);
    let mut whole = kit.scan(all()).records;
    whole.reverse();
    for limit in [1, 3, 100, usize::MAX] {
        let parts = scan_all(&*kit.dbm(), limit, true).expect("scanned");
        assert!(parts == whole, "in parts of {limit}");
    }
}

fn unsupported(kit: &Kit, scan: KvScan<'_>) {
    kit.put("a", "1");
    let error = block_on(kit.dbm().scan(scan)).expect_err("it cannot");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("ordered"), "does not name the capability: {error}");
}

fn reverse_is_unsupported(kit: &Kit) {
    unsupported(kit, KvScan { reverse: true, ..all() });
}

fn an_end_is_unsupported(kit: &Kit) {
    unsupported(kit, KvScan { end: Included(b"z"), ..all() });
    unsupported(kit, KvScan { end: Excluded(b"z"), ..all() });
    unsupported(kit, KvScan { end: Bound::Excluded(b""), limit: 0, ..all() });
}
