//! PG-27 to PG-29: metadata.

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{ErrorKind, MetaValue, Version};

use crate::kit::{A, Kit, image, write};
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(27, every_sequenced_commit_is_seen),
    case!(27, a_removed_key_is_gone),
    case!(27, keys_and_values_of_every_size),
    case!(27, what_is_too_large_is_refused),
    case!(27, is_the_same_after_reopening, Persistent),
    case!(28, keys_with_the_prefix_ascending),
    case!(28, after_is_exclusive_wherever_it_lies),
    case!(28, prefixes_at_the_end_of_the_order),
    case!(28, the_limit_holds),
    case!(28, a_long_scan_is_whole),
    case!(29, the_version_is_put_where_asked),
    case!(29, a_position_that_does_not_fit_is_invalid),
];

fn every_sequenced_commit_is_seen(kit: &Kit) {
    for n in 0..50u8 {
        let key = [b'k', n % 5];
        let draft = kit.draft().set(key.to_vec(), vec![n]);
        kit.commit(&if n % 7 == 0 { draft.durable() } else { draft });
        assert_eq!(kit.meta(&key).as_deref(), Some(&[n][..]));
        let newest = |i: u8| (0..=n).rev().find(|v| v % 5 == i);
        let expected: Vec<(Bytes, Bytes)> = (0..5)
            .filter_map(|i| newest(i).map(|v| (vec![b'k', i].into(), vec![v].into())))
            .collect();
        assert_eq!(kit.scan(b"k", None, 100), expected);
    }
    assert_eq!(kit.meta(b"k"), None);
    assert_eq!(kit.meta(b"k\0\0"), None);
}

fn a_removed_key_is_gone(kit: &Kit) {
    kit.commit(&kit.draft().meta("never there", None));
    kit.commit(&kit.draft().set("a", "1").set("b", "2").set("c", "3"));
    kit.commit(&kit.draft().meta("b", None).set("c", ""));
    assert_eq!(kit.meta(b"b"), None);
    assert_eq!(kit.meta(b"c").as_deref(), Some(&b""[..]));
    let keys: Vec<Bytes> = kit.scan(b"", None, 10).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a", "c"]);
    kit.commit(&kit.draft().set("b", "again"));
    assert_eq!(kit.meta(b"b").as_deref(), Some(&b"again"[..]));
}

fn keys_and_values_of_every_size(kit: &Kit) {
    let long_key = |last: u8| [vec![0xff; 1023], vec![last]].concat();
    let large = [vec![1; 65_535], vec![2]].concat();
    let all = [
        (vec![0], vec![]),
        (vec![0, 0], vec![0]),
        (b"/:\0\n".to_vec(), b"\0".to_vec()),
        (vec![0xff], vec![0xff; 100]),
        (long_key(0), large.clone()),
        (long_key(0xff), large),
    ];
    for (key, value) in &all {
        kit.commit(&kit.draft().set(key.clone(), value.clone()));
    }
    for (key, value) in &all {
        assert!(kit.meta(key).is_some_and(|found| found == *value), "a key of {}", key.len());
    }
    assert_eq!(kit.meta(&long_key(0)[..1023]), None);
    let keys: Vec<Bytes> = kit.scan(b"", None, 100).into_iter().map(|(key, _)| key).collect();
    let mut expected: Vec<_> = all.iter().map(|(key, _)| Bytes::from(key.clone())).collect();
    expected.sort();
    assert!(keys == expected);
}

fn what_is_too_large_is_refused(kit: &Kit) {
    let wrong = [
        kit.draft().set("", "value"),
        kit.draft().set(vec![7; 1025], "value"),
        kit.draft().set("key", vec![7; 65_537]),
    ];
    for draft in wrong {
        let draft = draft.write(A, [write(1, image(1))]);
        let error = block_on(kit.store().commit(draft.0)).expect_err("is refused");
        assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge), "{error}");
        assert_eq!(kit.head(), Version::ZERO);
        assert_eq!(kit.whole_log(A), []);
    }
    assert_eq!(kit.scan(b"", None, 10), []);
}

fn is_the_same_after_reopening(kit: &Kit) {
    let draft = kit.draft().set("a", "1").set("b", "2").set("c", "");
    kit.commit(&draft);
    kit.commit(&kit.draft().meta("b", None).durable());
    let before = kit.scan(b"", None, 10);
    kit.reopen();
    assert_eq!(kit.scan(b"", None, 10), before);
    assert_eq!(kit.meta(b"b"), None);
    assert_eq!(kit.meta(b"c").as_deref(), Some(&b""[..]));
}

/// Stores keys that are their own values.
fn store_keys(kit: &Kit, keys: &[&'static [u8]]) {
    let store = |draft: crate::kit::Draft, key: &&'static [u8]| draft.set(*key, *key);
    kit.commit(&keys.iter().fold(kit.draft(), store));
}

#[track_caller]
fn expect_scan(kit: &Kit, prefix: &[u8], after: Option<&[u8]>, expected: &[&'static [u8]]) {
    let pair = |key: &&'static [u8]| (Bytes::from_static(key), Bytes::from_static(key));
    let expected: Vec<_> = expected.iter().map(pair).collect();
    assert_eq!(kit.scan(prefix, after, 100), expected, "prefix {prefix:?} after {after:?}");
}

fn keys_with_the_prefix_ascending(kit: &Kit) {
    store_keys(kit, &[b"n/b", b"n/a", b"n/", b"n", b"n0", b"m/a", b"n/a/c", b"n/\xff", b"o"]);
    expect_scan(kit, b"n/", None, &[b"n/", b"n/a", b"n/a/c", b"n/b", b"n/\xff"]);
    expect_scan(kit, b"n", None, &[b"n", b"n/", b"n/a", b"n/a/c", b"n/b", b"n/\xff", b"n0"]);
    expect_scan(kit, b"n/a", None, &[b"n/a", b"n/a/c"]);
    expect_scan(kit, b"n/c", None, &[]);
    expect_scan(kit, b"p", None, &[]);
    expect_scan(kit, b"m/a/", None, &[]);
    assert_eq!(kit.scan(b"", None, 100).len(), 9);
}

fn after_is_exclusive_wherever_it_lies(kit: &Kit) {
    store_keys(kit, &[b"k/a", b"k/b", b"k/c", b"a", b"z"]);
    expect_scan(kit, b"k/", Some(b"k/a"), &[b"k/b", b"k/c"]);
    expect_scan(kit, b"k/", Some(b"k/a\0"), &[b"k/b", b"k/c"]);
    expect_scan(kit, b"k/", Some(b"k/aa"), &[b"k/b", b"k/c"]);
    expect_scan(kit, b"k/", Some(b"k/c"), &[]);
    // Below the prefix, the prefix itself, above it.
    expect_scan(kit, b"k/", Some(b"a"), &[b"k/a", b"k/b", b"k/c"]);
    expect_scan(kit, b"k/", Some(b""), &[b"k/a", b"k/b", b"k/c"]);
    expect_scan(kit, b"k/", Some(b"k/"), &[b"k/a", b"k/b", b"k/c"]);
    expect_scan(kit, b"k/", Some(b"k0"), &[]);
    expect_scan(kit, b"k/", Some(b"z"), &[]);
    expect_scan(kit, b"", Some(b"k/c"), &[b"z"]);
    expect_scan(kit, b"", Some(b"z"), &[]);
}

fn prefixes_at_the_end_of_the_order(kit: &Kit) {
    store_keys(
        kit,
        &[b"\xfe", b"\xff", b"\xff\0", b"\xff\xff", b"\xff\xff\xff\x01", b"a\xff\xff", b"b"],
    );
    expect_scan(kit, b"\xff", None, &[b"\xff", b"\xff\0", b"\xff\xff", b"\xff\xff\xff\x01"]);
    expect_scan(kit, b"\xff\xff", None, &[b"\xff\xff", b"\xff\xff\xff\x01"]);
    expect_scan(kit, b"\xff\xff\xff", None, &[b"\xff\xff\xff\x01"]);
    expect_scan(kit, b"\xff\xff\xff\xff", None, &[]);
    expect_scan(kit, b"a\xff", None, &[b"a\xff\xff"]);
    expect_scan(kit, b"\xff", Some(b"\xff\xff"), &[b"\xff\xff\xff\x01"]);
}

fn the_limit_holds(kit: &Kit) {
    store_keys(kit, &[b"k1", b"k2", b"k3", b"l"]);
    for limit in 0..6 {
        assert_eq!(kit.scan(b"k", None, limit).len(), limit.min(3));
    }
    assert_eq!(kit.scan(b"k", None, usize::MAX).len(), 3);
    assert_eq!(kit.scan(b"k", Some(b"k1"), 1)[0].0, "k2");
}

fn a_long_scan_is_whole(kit: &Kit) {
    const KEYS: u32 = 3000;
    let keys: Vec<u32> = (0..KEYS).collect();
    for chunk in keys.chunks(500) {
        // Some values are large, so that the scan is large in bytes, too.
        let value = |n: u32| vec![n as u8; if n.is_multiple_of(100) { 60_000 } else { 10 }];
        let add = |draft: crate::kit::Draft, n: &u32| draft.set(format!("k/{n:05}"), value(*n));
        kit.commit(&chunk.iter().fold(kit.draft(), add));
    }
    let found = kit.scan(b"k/", None, usize::MAX);
    assert_eq!(found.len(), KEYS as usize);
    assert!(found.iter().zip(&keys).all(|((key, value), n)| {
        *key == format!("k/{n:05}") && value.iter().all(|b| *b == *n as u8)
    }));
    let mut stepwise = Vec::new();
    loop {
        let after = stepwise.last().map(|(key, _): &(Bytes, Bytes)| key.clone());
        let step = kit.scan(b"k/", after.as_deref(), 700);
        let Some((first, _)) = step.first() else { break };
        assert!(after.is_none_or(|after| after < first), "the scan does not go on");
        stepwise.extend(step);
    }
    assert!(stepwise == found);
}

fn the_version_is_put_where_asked(kit: &Kit) {
    let mut last = Version::ZERO;
    for (length, at) in [(10, 0), (11, 1), (30, 0), (30, 7), (30, 20), (65_536, 65_526)] {
        let value = MetaValue { bytes: vec![0xaa; length].into(), version_at: Some(at) };
        let draft = kit.draft().meta("key", Some(value.clone())).meta("other", Some(value));
        let version = kit.commit(&draft).version;
        assert!(version > last);
        last = version;
        let mut expected = vec![0xaa; length];
        expected[at..at + Version::LEN].copy_from_slice(version.as_bytes());
        for key in [b"key".as_slice(), b"other"] {
            assert!(kit.meta(key).is_some_and(|found| found == expected), "{at} in {length}");
        }
        assert_eq!(kit.scan(b"k", None, 2), [(Bytes::from("key"), Bytes::from(expected))]);
    }
}

fn a_position_that_does_not_fit_is_invalid(kit: &Kit) {
    let wrong = [
        (0, 0),
        (9, 0),
        (10, 1),
        (10, 10),
        (30, 21),
        (30, 30),
        (30, usize::MAX),
        (30, usize::MAX - 9),
    ];
    for (length, at) in wrong {
        let value = MetaValue { bytes: vec![0; length].into(), version_at: Some(at) };
        let draft = kit.draft().set("good", "value").meta("key", Some(value));
        kit.refused(&draft.write(A, [write(1, image(1))]), ErrorKind::Invalid);
    }
    assert_eq!(kit.scan(b"", None, 10), []);
    assert_eq!(kit.whole_log(A), []);
}
