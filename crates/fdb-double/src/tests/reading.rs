//! Reading: ranges, selectors, what a transaction sees, and what conflicts with it.

use super::*;
use crate::atomic::Atomic;
use crate::range::{Request, Selector};

fn from(key: &str) -> Selector {
    Selector { key: key.into(), or_equal: false, offset: 1 }
}

pub(super) fn request(begin: &str, end: &str) -> Request {
    Request {
        begin: from(begin),
        end: from(end),
        limit: 0,
        target_bytes: 0,
        mode: -2,
        iteration: 1,
        reverse: false,
    }
}

/// Keys of an answer, and whether there are more.
pub(super) fn range(tr: &Arc<Transaction>, request: Request) -> Result<(usize, bool), i32> {
    let future = tr.ask(move |tr, state| state.get_range(&tr.cluster, &request, false));
    let mut found = (0, false);
    match code(&future) {
        0 => {
            future.look(|answer| match answer {
                Answer::Pairs(pairs) => {
                    found = (pairs.laid_out.len(), pairs.more);
                    Some(())
                }
                _ => None,
            });
            Ok(found)
        }
        code => Err(code),
    }
}

#[test]
fn a_range_that_was_read_conflicts_with_a_key_that_appears_in_it() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let (reader, beside) = (begin(&cluster), begin(&cluster));
    for tr in [&reader, &beside] {
        assert_eq!(range(tr, request("a", "c")), Ok((0, false)));
        set(tr, "z", "");
    }
    let writer = begin(&cluster);
    set(&writer, "b", "");
    set(&writer, "c", "");
    assert_eq!((commit(&writer), commit(&reader)), (0, codes::NOT_COMMITTED));
    beside.reset();
    assert_eq!(beside.state().add_conflict(single(b"d"), false), Ok(()));
    set(&beside, "z", "");
    assert_eq!(commit(&beside), 0);
}

#[test]
fn atomic_operations_do_what_their_names_say() {
    type Row = (Atomic, Option<&'static [u8]>, &'static [u8], Option<&'static [u8]>);
    let table: [Row; 14] = [
        (Atomic::Add, None, &[1, 2], Some(&[1, 2])),
        (Atomic::Add, Some(&[255, 0]), &[1, 0], Some(&[0, 1])),
        (Atomic::Add, Some(&[1]), &[1, 0], Some(&[2, 0])),
        (Atomic::And, Some(&[6]), &[3], Some(&[2])),
        (Atomic::Or, Some(&[6]), &[1], Some(&[7])),
        (Atomic::Xor, Some(&[6]), &[3], Some(&[5])),
        (Atomic::AppendIfFits, Some(b"a"), b"b", Some(b"ab")),
        (Atomic::Max, Some(&[255, 0]), &[0, 1], Some(&[0, 1])),
        (Atomic::Min, Some(&[255, 0]), &[0, 1], Some(&[255, 0])),
        (Atomic::ByteMin, Some(b"ab"), b"b", Some(b"ab")),
        (Atomic::ByteMax, Some(b"ab"), b"b", Some(b"b")),
        (Atomic::CompareAndClear, Some(b"a"), b"a", None),
        (Atomic::CompareAndClear, Some(b"a"), b"b", Some(b"a")),
        (Atomic::CompareAndClear, None, b"b", None),
    ];
    for (atomic, before, operand, after) in table {
        assert_eq!(atomic.apply(before, operand).as_deref(), after, "{atomic:?} {before:?}");
    }
    let full = vec![0; 100_000];
    assert_eq!(Atomic::AppendIfFits.apply(Some(&full), b"x"), Some(full.clone()));
}

#[test]
fn a_transaction_sees_its_own_changes_unless_it_says_not() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let tr = begin(&cluster);
    set(&tr, "a", "1");
    set(&tr, "b", "2");
    tr.state().change(Ok(Mutation::Clear(single(b"b"))));
    assert_eq!((get(&tr, "a"), get(&tr, "b")), (Ok(Some("1".into())), Ok(None)));
    assert_eq!(range(&tr, request("a", "z")), Ok((1, false)));
    let value = [&[0; 10][..], &[0; 4]].concat();
    tr.state().change(Mutation::atomic(15, b"v", &value));
    assert_eq!(get(&tr, "v"), Err(codes::ACCESSED_UNREADABLE));
    let blind = begin(&cluster);
    blind.state().options.blind_reads = true;
    set(&blind, "a", "1");
    assert_eq!(get(&blind, "a"), Ok(None));
}

#[test]
fn ranges_come_in_parts_in_both_directions() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let tr = begin(&cluster);
    for n in 0..100 {
        set(&tr, &format!("k{n:03}"), &"x".repeat(100));
    }
    assert_eq!(commit(&tr), 0);
    let tr = begin(&cluster);
    let asked = |change: fn(&mut Request)| {
        let mut request = request("k", "l");
        change(&mut request);
        range(&tr, request)
    };
    assert_eq!(asked(|_| {}), Ok((100, false)));
    assert_eq!(asked(|r| r.limit = 7), Ok((7, true)));
    assert_eq!(asked(|r| r.target_bytes = 500), Ok((5, true)));
    assert_eq!(asked(|r| r.mode = 1), Ok((3, true)));
    assert_eq!(asked(|r| (r.mode, r.iteration) = (-1, 2)), Ok((60, true)));
    assert_eq!(asked(|r| r.mode = 0), Err(codes::EXACT_WITHOUT_LIMITS));
    assert_eq!(asked(|r| (r.reverse, r.limit) = (true, 1)), Ok((1, true)));
    let find = |key: &str, or_equal, offset| {
        let selector = Selector { key: key.into(), or_equal, offset };
        let mut state = tr.state();
        let key = state.get_key(&cluster, &selector, true).unwrap();
        String::from_utf8_lossy(&key).into_owned()
    };
    assert_eq!(find("k050", false, 1), "k050");
    assert_eq!(find("k050", true, 1), "k051");
    assert_eq!(find("k050", true, 0), "k050");
    assert_eq!(find("k050", false, 0), "k049");
    assert_eq!(find("k050", false, -2), "k047");
    assert_eq!((find("k000", false, 0), find("k050", false, 3)), (String::new(), "k052".into()));
}

#[test]
fn what_conflicts_is_what_was_looked_at() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let tr = begin(&cluster);
    ["a", "c", "e"].iter().for_each(|key| set(&tr, key, ""));
    assert_eq!(commit(&tr), 0);
    let (forward, reverse) = (begin(&cluster), begin(&cluster));
    assert_eq!(range(&forward, Request { limit: 2, ..request("a", "z") }), Ok((2, true)));
    let last = Request { limit: 1, reverse: true, ..request("a", "z") };
    assert_eq!(range(&reverse, last), Ok((1, true)));
    let between = begin(&cluster);
    set(&between, "d", "");
    assert_eq!(commit(&between), 0);
    set(&forward, "z", "");
    set(&reverse, "z", "");
    assert_eq!((commit(&forward), commit(&reverse)), (0, 0));
}
