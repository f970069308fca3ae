//! Searching, over an ordered store and one without an order.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use hozo_conformance::TestAmbient;
use hozo_conformance::records::{StoreFixture, StoreModelFixture};
use hozo_records::{
    CONTAIN_LINES_MAX, CONTAIN_PATTERN_BYTES_MAX, EDIT_PATTERN_BYTES_MAX, KEY_OVERHEAD_BYTES, Mode,
    search, search_within,
};
use hozo_traits::exec::block_on;
use hozo_traits::{Durability, Error, ErrorKind, KvStore, KvStoreExt};
use proptest::prelude::*;

fn filled(fixture: &StoreModelFixture, keys: &[&[u8]]) -> Arc<dyn KvStore> {
    let dir = tempfile::tempdir().expect("a scratch directory");
    let store = fixture.open(dir.path(), Arc::new(TestAmbient::new(1))).expect("the model opens");
    let dbm = store.records("main").expect("the DBM opens");
    for key in keys {
        let key = Bytes::copy_from_slice(key);
        let set = dbm.set(key, Bytes::from_static(b"value"), true, Durability::Sequenced);
        block_on(set).expect("set");
    }
    dbm
}

const KEYS: [&[u8]; 12] = [
    b"",
    b"Apple pie",
    b"apple",
    b"apples",
    b"banana",
    b"pineapple",
    b"an apple a day",
    b"a+b",
    b"\xff\xfe",
    b"\xe3\x81\xbb\xe3\x81\x9e",
    b"line\nbreak",
    b"x-apple-y",
];

fn ordered() -> Arc<dyn KvStore> {
    filled(&StoreModelFixture::persistent(), &KEYS)
}

fn found(dbm: &Arc<dyn KvStore>, mode: Mode, pattern: &str, capacity: i32) -> Vec<String> {
    let keys = block_on(search(&**dbm, mode, pattern.as_bytes(), capacity)).expect("searched");
    keys.into_iter().map(|key| String::from_utf8_lossy(&key).into_owned()).collect()
}

/// What is found, on both kinds of stores, in the order of keys.
#[track_caller]
fn check(mode: Mode, pattern: &str, expected: &[&str]) {
    let ordered = found(&ordered(), mode, pattern, 0);
    assert_eq!(ordered, expected, "{mode} {pattern:?}");
    let mut other = found(&filled(&StoreModelFixture::unordered(), &KEYS), mode, pattern, -1);
    other.sort();
    assert_eq!(other, expected, "{mode} {pattern:?} without an order");
}

#[test]
fn contain() {
    let all = ["an apple a day", "apple", "apples", "pineapple", "x-apple-y"];
    check(Mode::Contain, "apple", &all);
    check(Mode::Contain, "Apple", &["Apple pie"]);
    check(Mode::Contain, "e\nb", &["line\nbreak"]);
    check(Mode::Contain, "nothing", &[]);
    assert_eq!(found(&ordered(), Mode::Contain, "", 0).len(), KEYS.len());
}

#[test]
fn begin_and_end() {
    check(Mode::Begin, "apple", &["apple", "apples"]);
    check(Mode::Begin, "apples and more", &[]);
    check(Mode::End, "apple", &["apple", "pineapple"]);
    assert_eq!(found(&ordered(), Mode::Begin, "", 0).len(), KEYS.len());
    assert_eq!(found(&ordered(), Mode::End, "", 0).len(), KEYS.len());
    // Nothing is above all that begin with it.
    let dbm = ordered();
    let keys = block_on(search(&*dbm, Mode::Begin, b"\xff", 0)).expect("searched");
    assert_eq!(keys, [&b"\xff\xfe"[..]]);
}

#[test]
fn contain_whatever_the_case() {
    let all = ["Apple pie", "an apple a day", "apple", "apples", "pineapple", "x-apple-y"];
    check(Mode::ContainCase, "aPPle", &all);
    check(Mode::ContainCaseWord, "APPLE", &["Apple pie", "an apple a day", "apple", "x-apple-y"]);
}

#[test]
fn contain_a_word() {
    check(Mode::ContainWord, "apple", &["an apple a day", "apple", "x-apple-y"]);
    check(Mode::ContainWord, "a", &["a+b", "an apple a day"]);
    check(Mode::ContainWord, "apple a", &["an apple a day"]);
    check(Mode::ContainWord, "ほ", &["ほぞ"]);
}

#[test]
fn contain_any_of_the_lines() {
    check(Mode::ContainAny, "banana\n\npine", &["banana", "pineapple"]);
    check(Mode::ContainAny, "", &[]);
    check(Mode::ContainCaseAny, "BANANA\nPIE", &["Apple pie", "banana"]);
    check(Mode::ContainWordAny, "apples\nday", &["an apple a day", "apples"]);
    check(Mode::ContainCaseWordAny, "PIE\nB", &["Apple pie", "a+b"]);
}

#[test]
fn regular_expressions() {
    check(Mode::Regex, "^apple", &["apple", "apples"]);
    check(Mode::Regex, "^apples?$", &["apple", "apples"]);
    check(Mode::Regex, "(?i)^apple\\b", &["Apple pie", "apple"]);
    check(Mode::Regex, "(?e)an{1}a", &["banana"]);
    check(Mode::Regex, "(?b)a+b", &["a+b"]);
    check(Mode::Regex, r"(?bi)^\(APP\)le\(s\)", &["apples"]);
    check(Mode::Regex, "^ほ.$", &["ほぞ"]);
    let dbm = ordered();
    for wrong in ["(", "[a", "a{99999999}", "(?P<n"] {
        let error = block_on(search(&*dbm, Mode::Regex, wrong.as_bytes(), 0)).expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}");
        assert!(error.message().starts_with("invalid regex: "), "{error}");
    }
    let error = block_on(search(&*dbm, Mode::Regex, b"\xff", 0)).expect_err("not text");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn an_expression_that_takes_others_for_ever() {
    let long = vec![b'a'; 4000];
    let dbm = filled(&StoreModelFixture::persistent(), &[&long]);
    assert_eq!(found(&dbm, Mode::Regex, "^(a+)+$", 0).len(), 1);
    assert_eq!(found(&dbm, Mode::Regex, "^(a|a?)+b$", 0).len(), 0);
}

#[test]
fn edits() {
    let dbm = filled(&StoreModelFixture::persistent(), &[b"abc", b"abd", b"ab", b"xyz", b""]);
    assert_eq!(found(&dbm, Mode::EditBin, "abc", 3), ["abc", "ab", "abd"]);
    assert_eq!(found(&dbm, Mode::EditBin, "abc", 0), ["abc", "ab", "abd", "", "xyz"]);
    assert_eq!(found(&dbm, Mode::Edit, "", 1), [""]);
    // One character, three bytes.
    let dbm = filled(&StoreModelFixture::unordered(), &["ほそ".as_bytes(), b"xyzxyz", b"abcd"]);
    assert_eq!(found(&dbm, Mode::Edit, "ほぞ", 1), ["ほそ"]);
    assert_eq!(found(&dbm, Mode::EditBin, "ほぞ", 1), ["ほそ"]);
    assert_eq!(found(&dbm, Mode::Edit, "ほぞ", 0), ["ほそ", "abcd", "xyzxyz"]);
    let long = vec![b'x'; EDIT_PATTERN_BYTES_MAX + 1];
    let error = block_on(search(&*dbm, Mode::Edit, &long, 0)).expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    block_on(search(&*dbm, Mode::Edit, &long[1..], 0)).expect("just short enough");
}

#[test]
fn above_and_below() {
    let dbm = filled(&StoreModelFixture::persistent(), &[b"a", b"b", b"c", b"d"]);
    assert_eq!(found(&dbm, Mode::Upper, "b", 10), ["c", "d"]);
    assert_eq!(found(&dbm, Mode::UpperInc, "b", 2), ["b", "c"]);
    assert_eq!(found(&dbm, Mode::Lower, "c", 10), ["b", "a"]);
    assert_eq!(found(&dbm, Mode::LowerInc, "c", 2), ["c", "b"]);
    assert_eq!(found(&dbm, Mode::LowerInc, "bb", 1), ["b"]);
    assert_eq!(found(&dbm, Mode::Upper, "d", 10), [""; 0]);
    for mode in [Mode::Upper, Mode::UpperInc, Mode::Lower, Mode::LowerInc] {
        assert_eq!(found(&dbm, mode, "b", 0), [""; 0], "{mode}: 0 is nothing");
        assert!(!found(&dbm, mode, "b", -1).is_empty(), "{mode}: less is no limit");
        let unordered = filled(&StoreModelFixture::unordered(), &[b"a"]);
        let error = block_on(search(&*unordered, mode, b"", 0)).expect_err("no order");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("ordered"), "{error}");
    }
}

#[test]
fn capacities() {
    let many: Vec<Vec<u8>> = (0..2500u32).map(|n| format!("k{n:05}").into_bytes()).collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    for fixture in [StoreModelFixture::persistent(), StoreModelFixture::unordered()] {
        let dbm = filled(&fixture, &many);
        for mode in [Mode::Contain, Mode::Begin, Mode::ContainCaseAny, Mode::Edit] {
            for (capacity, expected) in [(0, 2500), (-5, 2500), (1, 1), (1000, 1000), (3000, 2500)]
            {
                let keys = found(&dbm, mode, "k0", capacity);
                assert_eq!(keys.len(), expected, "{mode} {capacity}");
                assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), expected, "no key twice");
            }
        }
        assert_eq!(found(&dbm, Mode::End, "99", 0).len(), 25);
    }
}

#[test]
fn modes_by_name() {
    for mode in Mode::ALL {
        assert_eq!(mode.to_string().parse::<Mode>().expect("known"), mode);
    }
    for other in ["", "Contain", "contains", "edit*"] {
        let error = other.parse::<Mode>().expect_err("unknown");
        assert_eq!((error.kind(), error.message()), (ErrorKind::Invalid, "unknown mode"));
    }
}

proptest! {
    #[test]
    fn whatever_the_pattern_there_is_an_answer(
        pattern in prop::collection::vec(any::<u8>(), 0..20), which in 0usize..17, capacity in -2i32..5,
    ) {
        let dbm = ordered();
        let mode = Mode::ALL[which];
        match block_on(search(&*dbm, mode, &pattern, capacity)) {
            Ok(keys) if capacity > 0 => prop_assert!(keys.len() <= capacity as usize),
            Ok(_) => {}
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Invalid);
                prop_assert_eq!(mode, Mode::Regex);
            }
        }
    }
}

#[test]
fn no_more_is_found_than_an_answer_may_have() {
    let dbm = ordered();
    for mode in Mode::ALL {
        let search = |capacity, bytes| {
            block_on(search_within(&*dbm, mode, b"apple", capacity, bytes, &|| Ok(())))
        };
        let found = search(-1, usize::MAX).expect("searched");
        let bytes: usize = found.iter().map(|key| key.len() + KEY_OVERHEAD_BYTES).sum();
        assert_eq!(search(-1, bytes).expect("it fits"), found, "{mode}");
        if bytes > 0 {
            let error = search(-1, bytes - 1).expect_err("one byte too many");
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{mode}");
        }
        let two = search(2, usize::MAX).expect("searched");
        assert_eq!(two, found[..found.len().min(2)], "{mode}");
        // However many are passed by.
        assert_eq!(search(2, 100).expect("it fits"), two, "{mode}");
    }
}

#[test]
fn patterns_that_each_key_is_compared_to_at_length_are_refused() {
    let dbm = ordered();
    let lines = |count| b"line\n".repeat(count);
    for (mode, pattern, fits) in [
        (Mode::Contain, vec![b'x'; CONTAIN_PATTERN_BYTES_MAX], true),
        (Mode::Contain, vec![b'x'; CONTAIN_PATTERN_BYTES_MAX + 1], false),
        (Mode::ContainCaseWord, vec![b'x'; CONTAIN_PATTERN_BYTES_MAX + 1], false),
        (Mode::ContainAny, lines(CONTAIN_LINES_MAX), true),
        (Mode::ContainAny, lines(CONTAIN_LINES_MAX + 1), false),
        (Mode::ContainCaseWordAny, lines(CONTAIN_LINES_MAX + 1), false),
        (Mode::ContainWordAny, vec![b'\n'; CONTAIN_PATTERN_BYTES_MAX], true),
        (Mode::ContainWordAny, vec![b'\n'; CONTAIN_PATTERN_BYTES_MAX + 1], false),
    ] {
        let kind = block_on(search(&*dbm, mode, &pattern, 0)).err().map(|error| error.kind());
        assert_eq!(kind, (!fits).then_some(ErrorKind::TooLarge), "{mode} {}", pattern.len());
    }
    let large = block_on(search(&*dbm, Mode::Regex, br"\w{1000}", 0)).expect_err("too large");
    assert_eq!(large.kind(), ErrorKind::Invalid);
    assert!(large.to_string().contains("size limit of 2097152"), "{large}");
    block_on(search(&*dbm, Mode::Regex, br"^\w{30}$", 0)).expect("it fits");
}

#[test]
fn a_search_ends_at_any_key_when_it_is_told_to() {
    let dbm = ordered();
    for mode in Mode::ALL {
        let left = std::sync::atomic::AtomicUsize::new(3);
        let go_on = || match left.load(std::sync::atomic::Ordering::SeqCst) {
            0 => Err(Error::new(ErrorKind::TimedOut, "enough")),
            more => {
                left.store(more - 1, std::sync::atomic::Ordering::SeqCst);
                Ok(())
            }
        };
        let pattern = if matches!(mode, Mode::Lower | Mode::LowerInc) { "z" } else { "" };
        let found = search_within(&*dbm, mode, pattern.as_bytes(), 100, usize::MAX, &go_on);
        let error = block_on(found).expect_err("it was told to end");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{mode}");
    }
}
