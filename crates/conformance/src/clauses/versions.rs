//! PG-1 to PG-4: versions and visibility.

use crate::kit::{A, B, Kit, image, write};
use crate::runner::Case;
use hozo_traits::Version;
use hozo_traits::exec::block_on;

pub(super) const CASES: &[Case] = &[
    case!(1, an_empty_store_is_at_zero),
    case!(1, every_version_is_above_all_before),
    case!(1, versions_go_on_after_reopening, Persistent),
    case!(2, durable_never_exceeds_sequenced_and_neither_moves_back),
    case!(3, an_answered_commit_is_sequenced),
    case!(3, a_durable_commit_is_durable_when_answered),
    case!(3, a_repeated_commit_is_as_durable_as_asked_this_time),
    case!(4, wait_durable_makes_durable),
    case!(4, wait_durable_refuses_what_is_not_there_yet),
];

fn an_empty_store_is_at_zero(kit: &Kit) {
    let marks = kit.marks();
    assert_eq!(marks.sequenced, Version::ZERO);
    assert_eq!(marks.durable, Version::ZERO);
}

fn every_version_is_above_all_before(kit: &Kit) {
    let mut last = Version::ZERO;
    for n in 1..=20 {
        let draft = match n % 4 {
            0 => kit.draft().write(A, []),
            1 => kit.draft().write(A, [write(n, image(1))]),
            2 => kit.draft().write(B, [write(n, image(2))]).durable(),
            _ => kit.draft().set("key", vec![n as u8]),
        };
        let version = kit.commit(&draft).version;
        assert!(version > last, "{version} follows {last}");
        last = version;
    }
}

fn versions_go_on_after_reopening(kit: &Kit) {
    kit.put(1, 1);
    let last = kit.commit(&kit.draft().set("key", "value").durable()).version;
    kit.reopen();
    assert_eq!(kit.marks().sequenced, last);
    assert!(kit.put(1, 2) > last);
}

fn durable_never_exceeds_sequenced_and_neither_moves_back(kit: &Kit) {
    let mut last = kit.marks();
    for n in 0..60 {
        let draft = kit.draft().write(A, [write(1, image(n))]);
        let draft = if n % 3 == 0 { draft.durable() } else { draft };
        kit.outcome(&if n % 5 == 0 { draft.if_page(A, 1, Version::ZERO) } else { draft });
        let marks = kit.marks();
        assert!(marks.durable <= marks.sequenced, "{marks:?}");
        assert!(marks.durable >= last.durable && marks.sequenced >= last.sequenced);
        last = marks;
    }
}

fn an_answered_commit_is_sequenced(kit: &Kit) {
    for n in 1..20 {
        let version = kit.put(1, n);
        assert!(kit.marks().sequenced >= version);
        kit.expect(A, 1, version, version, n);
    }
}

fn a_durable_commit_is_durable_when_answered(kit: &Kit) {
    for n in 1..10 {
        kit.put(1, n);
        let draft = kit.draft().write(A, [write(2, image(n))]).durable();
        let version = kit.commit(&draft).version;
        assert!(kit.marks().durable >= version);
    }
}

fn a_repeated_commit_is_as_durable_as_asked_this_time(kit: &Kit) {
    let draft = kit.draft().write(A, [write(1, image(1))]);
    let first = kit.commit(&draft);
    let again = kit.commit(&draft.durable());
    assert_eq!(again, first);
    assert!(kit.marks().durable >= first.version);
}

fn wait_durable_makes_durable(kit: &Kit) {
    block_on(kit.store().wait_durable(Version::ZERO)).expect("nothing is durable at once");
    let first = kit.put(1, 1);
    let last = kit.put(1, 2);
    block_on(kit.store().wait_durable(last)).expect("the last commit becomes durable");
    assert!(kit.marks().durable >= last);
    block_on(kit.store().wait_durable(first)).expect("an older one is durable already");
}

fn wait_durable_refuses_what_is_not_there_yet(kit: &Kit) {
    let last = kit.put(1, 1);
    let above = last.successor().expect("no store starts at the end");
    for version in [above, Version::MAX] {
        let answer = block_on(kit.store().wait_durable(version));
        assert!(answer.is_err(), "waits for {version}, the newest is {last}");
    }
}
