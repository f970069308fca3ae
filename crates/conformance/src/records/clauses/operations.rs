//! The DBM's operations on one record, and between records.

use hozo_traits::exec::block_on;
use hozo_traits::{Desired, Exchanged, Expected, KvStoreExt, Outcome, PresentValue};

use crate::records::kit::{Kit, NOW, b, is};
use crate::records::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!("op", set_without_overwrite_keeps_what_is_there),
    case!("op", remove_tells_what_is_missing),
    case!("op", append_puts_the_delimiter_between),
    case!("op", compare_exchange_expects_absence),
    case!("op", compare_exchange_expects_any_value),
    case!("op", compare_exchange_expects_a_value),
    case!("op", compare_exchange_without_update),
    case!("op", increment_counts),
    case!("op", increment_reads_only),
    case!("op", increment_short_value),
    case!("op", increment_long_value),
    case!("op", increment_wraps),
    case!("op", compare_exchange_many_is_all_or_nothing),
    case!("op", compare_exchange_many_without_desires),
    case!("op", compare_exchange_many_with_repeats),
    case!("op", compare_exchange_many_leaves_the_empty_key),
    case!("op", rekey_moves),
    case!("op", rekey_copies),
    case!("op", rekey_to_itself),
    case!("op", rekey_of_nothing_is_missing),
    case!("op", pop_first_takes_all_in_order),
    case!("op", push_last_takes_the_next_free_key),
    case!("op", queue_is_first_in_first_out, Ordered),
    case!("op", clear_of_nothing),
];

macro_rules! run {
    ($call:expr) => {
        block_on($call).expect("the operation is answered")
    };
}

fn set_without_overwrite_keeps_what_is_there(kit: &Kit) {
    let dbm = kit.dbm();
    assert_eq!(run!(dbm.set(b("k"), b("1"), false, NOW)), Outcome::Done);
    assert_eq!(run!(dbm.set(b("k"), b("2"), false, NOW)), Outcome::Exists);
    assert_eq!(kit.get("k"), Some(b("1")));
    assert_eq!(run!(dbm.set(b("k"), b("3"), true, NOW)), Outcome::Done);
    assert_eq!(kit.get("k"), Some(b("3")));
    assert_eq!(run!(dbm.set(b(""), b(""), false, NOW)), Outcome::Done);
    assert_eq!(run!(dbm.set(b(""), b("2"), false, NOW)), Outcome::Exists);
    assert_eq!((kit.get(""), kit.count()), (Some(b("")), 2));
}

fn remove_tells_what_is_missing(kit: &Kit) {
    let dbm = kit.dbm();
    assert_eq!(run!(dbm.remove(b("k"), NOW)), Outcome::Missing);
    kit.put("k", "");
    assert_eq!(run!(dbm.remove(b("k"), NOW)), Outcome::Done);
    assert_eq!(run!(dbm.remove(b("k"), NOW)), Outcome::Missing);
    assert_eq!((kit.get("k"), kit.count()), (None, 0));
}

fn append_puts_the_delimiter_between(kit: &Kit) {
    let dbm = kit.dbm();
    let append = |key: &str, value: &str, delimiter: &str| {
        run!(dbm.append(b(key), b(value), delimiter.as_bytes(), NOW));
    };
    append("k", "a", ",");
    assert_eq!(kit.get("k"), Some(b("a")));
    append("k", "b", ",");
    append("k", "", "; ");
    append("k", "c", "");
    assert_eq!(kit.get("k"), Some(b("a,b; c")));
    // An empty record is one that is there.
    append("", "", ",");
    assert_eq!(kit.get(""), Some(b("")));
    append("", "x", ",");
    assert_eq!(kit.get(""), Some(b(",x")));
    let large = "long".repeat(kit.capabilities().value_bytes_max.min(200_000) / 8);
    append("large", &large, ",");
    append("large", "end", ",");
    assert!(kit.get("large").is_some_and(|found| found == format!("{large},end")));
}

fn exchange(kit: &Kit, expected: Expected, desired: Desired) -> Exchanged {
    run!(kit.dbm().compare_exchange(b("k"), expected, desired, true, NOW))
}

fn done(actual: PresentValue) -> Exchanged {
    Exchanged { done: true, actual }
}

fn not_done(actual: PresentValue) -> Exchanged {
    Exchanged { done: false, actual }
}

fn compare_exchange_expects_absence(kit: &Kit) {
    let absent = || PresentValue::Absent;
    assert_eq!(exchange(kit, Expected::Absent, Desired::Remove), done(absent()));
    assert_eq!(kit.count(), 0);
    assert_eq!(exchange(kit, Expected::Absent, Desired::Set(b(""))), done(absent()));
    assert_eq!(exchange(kit, Expected::Absent, Desired::Set(b("2"))), not_done(is("")));
    assert_eq!(exchange(kit, Expected::Absent, Desired::Remove), not_done(is("")));
    assert_eq!((kit.get("k"), kit.count()), (Some(b("")), 1));
}

fn compare_exchange_expects_any_value(kit: &Kit) {
    assert_eq!(exchange(kit, Expected::Any, Desired::Set(b("1"))), not_done(PresentValue::Absent));
    assert_eq!(kit.get("k"), None);
    kit.put("k", "");
    assert_eq!(exchange(kit, Expected::Any, Desired::Set(b("1"))), done(is("")));
    assert_eq!(kit.get("k"), Some(b("1")));
    let dbm = kit.dbm();
    let unread = dbm.compare_exchange(b("k"), Expected::Any, Desired::Remove, false, NOW);
    assert!(run!(unread).done);
    assert_eq!((kit.get("k"), kit.count()), (None, 0));
}

fn compare_exchange_expects_a_value(kit: &Kit) {
    let wanted = |value: &str| Expected::Is(b(value));
    assert_eq!(exchange(kit, wanted(""), Desired::Set(b("1"))), not_done(PresentValue::Absent));
    kit.put("k", "1");
    for other in ["", "2", "11"] {
        assert_eq!(exchange(kit, wanted(other), Desired::Set(b("x"))), not_done(is("1")));
        assert_eq!(exchange(kit, wanted(other), Desired::Remove), not_done(is("1")));
    }
    assert_eq!(exchange(kit, wanted("1"), Desired::Set(b("2"))), done(is("1")));
    assert_eq!(exchange(kit, wanted("2"), Desired::Set(b("2"))), done(is("2")));
    assert_eq!(exchange(kit, wanted("2"), Desired::Remove), done(is("2")));
    assert_eq!((kit.get("k"), kit.count()), (None, 0));
}

fn compare_exchange_without_update(kit: &Kit) {
    let unchanged = || Desired::Unchanged;
    assert_eq!(exchange(kit, Expected::Absent, unchanged()), done(PresentValue::Absent));
    assert_eq!(exchange(kit, Expected::Any, unchanged()), not_done(PresentValue::Absent));
    kit.put("k", "1");
    assert_eq!(exchange(kit, Expected::Any, unchanged()), done(is("1")));
    assert_eq!(exchange(kit, Expected::Is(b("1")), unchanged()), done(is("1")));
    assert_eq!(exchange(kit, Expected::Is(b("2")), unchanged()), not_done(is("1")));
    assert_eq!(exchange(kit, Expected::Absent, unchanged()), not_done(is("1")));
    assert_eq!((kit.get("k"), kit.count()), (Some(b("1")), 1));
}

fn increment(kit: &Kit, by: i64, initial: i64) -> i64 {
    run!(kit.dbm().increment(b("k"), by, initial, NOW))
}

fn number(number: i64) -> Option<bytes::Bytes> {
    Some(b(number.to_be_bytes()))
}

fn increment_counts(kit: &Kit) {
    assert_eq!(increment(kit, 5, 100), 105);
    assert_eq!(kit.get("k"), number(105));
    assert_eq!(increment(kit, -106, 100), -1);
    assert_eq!(kit.get("k"), number(-1));
    assert_eq!(increment(kit, 0, 100), -1);
    assert_eq!(kit.count(), 1);
}

fn increment_reads_only(kit: &Kit) {
    assert_eq!(increment(kit, i64::MIN, 7), 7);
    assert_eq!(kit.get("k"), None);
    increment(kit, 3, 0);
    assert_eq!(increment(kit, i64::MIN, 7), 3);
    // Not even the form of the value changes.
    kit.put("k", "4");
    assert_eq!(increment(kit, i64::MIN, 7), 0x34);
    assert_eq!((kit.get("k"), kit.count()), (Some(b("4")), 1));
}

fn increment_short_value(kit: &Kit) {
    for (value, is) in [("", 0), ("4", 0x34), ("\x01\0", 256), ("\x7f\0\0\0\0\0\0", 0x7f << 48)] {
        kit.put("k", value);
        assert_eq!(increment(kit, 1, 100), is + 1, "{value:?}");
        assert_eq!(kit.get("k"), number(is + 1));
    }
    kit.put("k", [0xff]);
    assert_eq!(increment(kit, 0, 0), 255, "fewer than 8 bytes are not negative");
    assert_eq!(kit.get("k"), number(255));
}

fn increment_long_value(kit: &Kit) {
    kit.put("k", [0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(increment(kit, 1, 0), 0x0103);
    assert_eq!(kit.get("k"), number(0x0103));
    kit.put("k", [0xff; 20]);
    assert_eq!(increment(kit, 0, 0), -1);
}

fn increment_wraps(kit: &Kit) {
    assert_eq!(increment(kit, 1, i64::MAX), i64::MIN);
    assert_eq!(increment(kit, -1, 0), i64::MAX);
    assert_eq!(increment(kit, i64::MAX, 0), -2);
    assert_eq!(kit.get("k"), number(-2));
}

fn compare_exchange_many_is_all_or_nothing(kit: &Kit) {
    kit.put("a", "1");
    kit.put("b", "2");
    let before = kit.contents();
    let exchange = |expected: &[(&str, Expected)], desired: &[(&str, Option<&str>)]| {
        let expected: Vec<_> = expected.iter().map(|(key, e)| (b(key), e.clone())).collect();
        let desired: Vec<_> = desired.iter().map(|(key, v)| (b(key), v.map(b))).collect();
        run!(kit.dbm().compare_exchange_many(&expected, &desired, NOW))
    };
    let wanted = |value: &str| Expected::Is(b(value));
    let desired = [("a", Some("x")), ("c", Some("3")), ("b", None)];
    for wrong in [
        [("a", wanted("1")), ("b", wanted("1"))],
        [("a", wanted("")), ("b", wanted("2"))],
        [("a", wanted("1")), ("c", Expected::Any)],
        [("b", Expected::Absent), ("a", Expected::Any)],
        [("a", wanted("1")), ("a", wanted("2"))],
    ] {
        assert!(!exchange(&wrong, &desired), "{wrong:?}");
        assert_eq!((kit.contents(), kit.count()), (before.clone(), 2));
    }
    let right = [("a", wanted("1")), ("b", Expected::Any), ("c", Expected::Absent)];
    assert!(exchange(&right, &desired));
    assert_eq!(kit.contents(), [(b("a"), b("x")), (b("c"), b("3"))]);
    assert_eq!(kit.count(), 2);
    // What is desired need not be expected, and the other way round.
    assert!(exchange(&[], &[("d", Some("4")), ("x", None)]));
    assert!(exchange(&[("d", wanted("4"))], &[("a", Some(""))]));
    assert_eq!((kit.get("a"), kit.count()), (Some(b("")), 3));
}

fn compare_exchange_many_without_desires(kit: &Kit) {
    kit.put("a", "1");
    let exchange =
        |expected| run!(kit.dbm().compare_exchange_many(&[(b("a"), expected)], &[], NOW));
    assert!(exchange(Expected::Any));
    assert!(!exchange(Expected::Absent));
    assert!(run!(kit.dbm().compare_exchange_many(&[], &[], NOW)));
    assert_eq!(kit.contents(), [(b("a"), b("1"))]);
}

fn compare_exchange_many_with_repeats(kit: &Kit) {
    kit.put("a", "1");
    let desired = [(b("a"), Some(b("2"))), (b("n"), Some(b("3"))), (b("a"), None), (b("n"), None)];
    assert!(run!(kit.dbm().compare_exchange_many(&[], &desired, NOW)), "the last of each counts");
    assert_eq!((kit.contents(), kit.count()), (Vec::new(), 0));
    let desired = [(b("a"), None), (b("a"), Some(b("4")))];
    assert!(run!(kit.dbm().compare_exchange_many(&[], &desired, NOW)));
    assert_eq!((kit.get("a"), kit.count()), (Some(b("4")), 1));
}

fn compare_exchange_many_leaves_the_empty_key(kit: &Kit) {
    kit.put("", "there");
    kit.put("a", "1");
    let (expected, desired) = ([(b("a"), Expected::Is(b("1")))], [(b("a"), Some(b("2")))]);
    assert!(run!(kit.dbm().compare_exchange_many(&expected, &desired, NOW)));
    assert_eq!(kit.contents(), [(b(""), b("there")), (b("a"), b("2"))]);
    assert!(!run!(kit.dbm().compare_exchange_many(&[(b(""), Expected::Absent)], &desired, NOW)));
}

fn rekey(kit: &Kit, old: &str, new: &str, overwrite: bool, copying: bool) -> Outcome {
    run!(kit.dbm().rekey(b(old), b(new), overwrite, copying, NOW))
}

fn rekey_moves(kit: &Kit) {
    kit.put("a", "1");
    kit.put("b", "2");
    assert_eq!(rekey(kit, "a", "b", false, false), Outcome::Exists);
    assert_eq!(kit.contents(), [(b("a"), b("1")), (b("b"), b("2"))]);
    assert_eq!(rekey(kit, "a", "c", false, false), Outcome::Done);
    assert_eq!(kit.contents(), [(b("b"), b("2")), (b("c"), b("1"))]);
    assert_eq!(rekey(kit, "c", "b", true, false), Outcome::Done);
    assert_eq!((kit.contents(), kit.count()), (vec![(b("b"), b("1"))], 1));
    assert_eq!(rekey(kit, "b", "", false, false), Outcome::Done);
    assert_eq!(kit.get(""), Some(b("1")));
}

fn rekey_copies(kit: &Kit) {
    kit.put("a", "1");
    assert_eq!(rekey(kit, "a", "b", false, true), Outcome::Done);
    assert_eq!((kit.contents(), kit.count()), (vec![(b("a"), b("1")), (b("b"), b("1"))], 2));
    kit.put("a", "2");
    assert_eq!(rekey(kit, "a", "b", false, true), Outcome::Exists);
    assert_eq!(rekey(kit, "a", "b", true, true), Outcome::Done);
    assert_eq!((kit.get("b"), kit.count()), (Some(b("2")), 2));
    let large = vec![5; kit.capabilities().value_bytes_max.min(200_000)];
    kit.put("l", &large);
    assert_eq!(rekey(kit, "l", "m", false, true), Outcome::Done);
    kit.put("l", "small");
    assert!(kit.get("m").is_some_and(|found| found == large), "a copy is a record of its own");
}

fn rekey_to_itself(kit: &Kit) {
    kit.put("a", "1");
    for copying in [false, true] {
        assert_eq!(rekey(kit, "a", "a", true, copying), Outcome::Done);
        assert_eq!(rekey(kit, "a", "a", false, copying), Outcome::Exists);
        assert_eq!(rekey(kit, "x", "x", true, copying), Outcome::Missing);
    }
    assert_eq!((kit.contents(), kit.count()), (vec![(b("a"), b("1"))], 1));
}

fn rekey_of_nothing_is_missing(kit: &Kit) {
    kit.put("b", "2");
    assert_eq!(rekey(kit, "a", "b", true, false), Outcome::Missing);
    assert_eq!(rekey(kit, "a", "b", false, false), Outcome::Missing);
    assert_eq!(kit.contents(), [(b("b"), b("2"))]);
}

fn pop_first_takes_all_in_order(kit: &Kit) {
    assert_eq!(run!(kit.dbm().pop_first(NOW)), None);
    let large = kit.capabilities().value_bytes_max.min(200_000);
    for n in 0..30u8 {
        kit.put([n.wrapping_mul(91)], vec![n; if n == 13 { large } else { 3 }]);
    }
    let scanned = kit.scan(crate::records::kit::all()).records;
    for (n, expected) in scanned.into_iter().enumerate() {
        assert_eq!(kit.count(), 30 - n as u64);
        assert!(run!(kit.dbm().pop_first(NOW)) == Some(expected), "record {n}");
    }
    assert_eq!((run!(kit.dbm().pop_first(NOW)), kit.count()), (None, 0));
    kit.put("", "");
    assert_eq!(run!(kit.dbm().pop_first(NOW)), Some((b(""), b(""))));
}

fn push_last_takes_the_next_free_key(kit: &Kit) {
    let dbm = kit.dbm();
    let push = |value: &str, from: u64| run!(dbm.push_last(b(value), from, NOW));
    assert_eq!(push("a", 1000), b(1000u64.to_be_bytes()));
    assert_eq!(push("b", 1000), b(1001u64.to_be_bytes()));
    kit.put(1003u64.to_be_bytes(), "taken");
    assert_eq!(push("c", 1000), b(1002u64.to_be_bytes()));
    assert_eq!(push("d", 1000), b(1004u64.to_be_bytes()));
    assert_eq!(push("e", 0), b(0u64.to_be_bytes()));
    assert_eq!(kit.get(1002u64.to_be_bytes()), Some(b("c")));
    // Further than any batch of candidates.
    for n in 1005..1700u64 {
        kit.put(n.to_be_bytes(), "taken");
    }
    assert_eq!(push("f", 1000), b(1700u64.to_be_bytes()));
    run!(dbm.remove(b(1002u64.to_be_bytes()), NOW));
    assert_eq!(push("g", 1000), b(1002u64.to_be_bytes()));
    assert_eq!(push("h", u64::MAX), b(u64::MAX.to_be_bytes()));
    run!(dbm.set(b("k"), b("v"), true, NOW));
    assert!(block_on(dbm.push_last(b("i"), u64::MAX, NOW)).is_err(), "no key is left");
}

fn queue_is_first_in_first_out(kit: &Kit) {
    let dbm = kit.dbm();
    for n in 0..100u32 {
        run!(dbm.push_last(b(n.to_be_bytes()), u64::from(n / 10), NOW));
    }
    for n in 0..100u32 {
        let (_, value) = run!(dbm.pop_first(NOW)).expect("there are more");
        assert_eq!(value, b(n.to_be_bytes()));
    }
}

fn clear_of_nothing(kit: &Kit) {
    run!(kit.dbm().clear(NOW));
    run!(kit.dbm().clear(NOW));
    assert_eq!(kit.count(), 0);
}
