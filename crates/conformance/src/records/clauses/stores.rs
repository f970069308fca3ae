//! The store that DBMs are in.

use hozo_traits::ErrorKind;
use hozo_traits::KvStoreExt;
use hozo_traits::exec::block_on;

use crate::records::kit::{Kit, NOW, b, scan_all};
use crate::records::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!("store", dbms_are_apart),
    case!("store", a_dbm_is_the_same_each_time),
    case!("store", names_are_told_sorted),
    case!("store", other_names_are_invalid),
    case!("store", dbms_are_there_after_reopening, Persistent),
    case!("store", what_it_can_do_is_the_same_for_each),
];

const NAMES: [&str; 4] = ["b", "a-1", "A.b_c", "zz"];

fn fill(kit: &Kit) {
    for (n, name) in NAMES.iter().enumerate() {
        let dbm = kit.dbm_of(name);
        for i in 0..=n as u8 {
            block_on(dbm.set(b([i]), b(name), true, NOW)).expect("set");
        }
    }
}

fn check(kit: &Kit) {
    for (n, name) in NAMES.iter().enumerate() {
        let dbm = kit.dbm_of(name);
        let mut found = scan_all(&*dbm, 2, false).expect("scanned");
        found.sort();
        let expected: Vec<_> = (0..=n as u8).map(|i| (b([i]), b(name))).collect();
        assert_eq!(found, expected, "{name}");
        assert_eq!(block_on(dbm.count()).expect("counted"), n as u64 + 1, "{name}");
    }
}

fn dbms_are_apart(kit: &Kit) {
    fill(kit);
    check(kit);
    let gone = kit.dbm_of("gone");
    block_on(gone.set(b("x"), b("y"), true, NOW)).expect("set");
    block_on(gone.clear(NOW)).expect("cleared");
    check(kit);
    assert_eq!(block_on(gone.pop_first(NOW)).expect("popped"), None);
    check(kit);
}

fn a_dbm_is_the_same_each_time(kit: &Kit) {
    let (one, two) = (kit.dbm_of("x"), kit.dbm_of("x"));
    block_on(one.set(b("k"), b("v"), true, NOW)).expect("set");
    drop(one);
    assert_eq!(block_on(two.get(&b("k"))).expect("read"), Some(b("v")));
    assert_eq!(block_on(two.count()).expect("counted"), 1);
}

/// The names that there are, but for that of the DBM that every trial has.
fn names(kit: &Kit) -> Vec<String> {
    let names = kit.store().dbms().expect("told");
    names.into_iter().filter(|name| name != "main").collect()
}

fn names_are_told_sorted(kit: &Kit) {
    assert_eq!(names(kit), [""; 0]);
    for name in NAMES {
        kit.dbm_of(name);
        kit.dbm_of(name);
    }
    assert_eq!(names(kit), ["A.b_c", "a-1", "b", "zz"]);
}

fn other_names_are_invalid(kit: &Kit) {
    let long = "x".repeat(65);
    for name in ["", ".", ".a", "a/b", "a b", "é", "a\0", &long] {
        let Err(error) = kit.store().records(name) else { panic!("{name:?} was taken") };
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}");
    }
    assert_eq!(names(kit), [""; 0]);
    kit.dbm_of(&"x".repeat(64));
    kit.dbm_of("-");
    kit.dbm_of("a.");
}

fn dbms_are_there_after_reopening(kit: &Kit) {
    fill(kit);
    kit.reopen();
    assert_eq!(names(kit), ["A.b_c", "a-1", "b", "zz"]);
    check(kit);
}

fn what_it_can_do_is_the_same_for_each(kit: &Kit) {
    assert_eq!(kit.dbm_of("x").capabilities(), kit.dbm_of("y").capabilities());
    let limits = kit.capabilities();
    let largest = limits.key_bytes_max.saturating_add(limits.value_bytes_max);
    let overhead = hozo_traits::Effect::OVERHEAD_BYTES;
    assert!(limits.update_bytes_max >= largest.saturating_add(overhead), "{limits:?}");
}
