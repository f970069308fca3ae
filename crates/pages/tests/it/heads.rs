//! What is newest, and how cheaply that is known.

use hozo_pages::{CHANGED_PAGES_MAX, CHANGES_ENTRIES_MAX, Head, Reads};
use hozo_traits::exec::block_on;
use hozo_traits::{Durability, ErrorKind, PageNo, Version};

use crate::probe::Settings;
use crate::support::{Kit, changes, fails, page, sequenced};

#[test]
fn the_durable_head_follows_the_sequenced_one() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let first = kit.put(&a, 1, 1);
    block_on(a.wait_durable(first)).expect("it becomes durable");
    kit.tick(5);
    let second = kit.put(&a, 9, 2);
    let heads = block_on(a.heads()).expect("heads are answered");
    assert_eq!((heads.durable.version, heads.sequenced.version), (first, second));
    assert_eq!((heads.durable.page_count, heads.sequenced.page_count), (8, 9));
    assert_eq!(heads.sequenced.time.as_micros() - heads.durable.time.as_micros(), 5_000_000);
    assert_eq!(heads.at(Durability::Durable), heads.durable);
    // Both move before the next look.
    block_on(a.wait_durable(second)).expect("it becomes durable");
    let third = kit.commit(vec![changes(&a, second, Reads::Whole, &[(1, 3)])]).version;
    let heads = block_on(a.heads()).expect("heads are answered");
    assert_eq!((heads.durable.version, heads.sequenced.version), (second, third));
    block_on(a.wait_durable(third)).expect("it becomes durable");
    let heads = block_on(a.heads()).expect("heads are answered");
    assert_eq!(heads.durable, heads.sequenced);
    assert_eq!(heads.sequenced.version, third);
}

#[test]
fn heads_read_no_log_while_nothing_moves() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let b = kit.fresh("b");
    let first = kit.put(&a, 1, 1);
    block_on(a.heads()).expect("heads are answered");
    let before = kit.probe.log_reads();
    for _ in 0..10 {
        block_on(a.heads()).expect("heads are answered");
        // Whoever opened it shares what is known.
        block_on(kit.open("a").heads()).expect("heads are answered");
    }
    assert_eq!(kit.probe.log_reads(), before);
    // The durable watermark alone moves: the sequenced head is known.
    block_on(a.wait_durable(first)).expect("it becomes durable");
    assert_eq!(block_on(a.heads()).expect("heads are answered").durable.version, first);
    assert_eq!(kit.probe.log_reads(), before);
    // Another namespace moves the store: one look, and the same answer.
    kit.put(&b, 1, 1);
    let before = kit.probe.log_reads();
    assert_eq!(sequenced(&a).version, first);
    assert_eq!(kit.probe.log_reads(), before + 1);
}

#[test]
fn a_head_at_a_version_is_the_newest_at_or_below() {
    let kit = Kit::new();
    let (a, b) = (kit.fresh("a"), kit.fresh("b"));
    let first = kit.put(&a, 1, 1);
    let between = kit.put(&b, 1, 1);
    let second = kit.put(&a, 12, 1);
    let head_at = |version| block_on(a.head_at(version));
    assert_eq!(head_at(between).expect("it is there").version, first);
    assert_eq!(head_at(second).expect("it is there").page_count, 12);
    let empty = head_at(Version::from_seq(first.seq() - 1)).expect("it is there");
    assert_eq!((empty.version, empty.page_count), (Version::ZERO, 0));
    // Nothing is remembered yet, and then something is.
    fails(head_at(Version::from_seq(second.seq() + 1)), ErrorKind::VersionGone);
    block_on(a.heads()).expect("heads are answered");
    fails(head_at(Version::from_seq(second.seq() + 1)), ErrorKind::VersionGone);
    let third = kit.put(&a, 1, 2);
    assert_eq!(head_at(third).expect("it came since").version, third);
}

#[test]
fn a_head_knows_its_pages() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    kit.put(&a, 12, 1);
    let head: Head = sequenced(&a);
    assert!(head.contains(page(12)) && !head.contains(page(13)));
    assert_eq!(head.bytes(), 12 * 4096);
}

#[test]
fn changes_are_the_union_of_the_log() {
    let kit = Kit::new();
    let (a, b) = (kit.fresh("a"), kit.fresh("b"));
    let first = kit.put(&a, 1, 1);
    let second = kit.commit(vec![changes(&a, first, Reads::Whole, &[(3, 1), (4, 1)])]).version;
    kit.put(&b, 7, 1);
    let third = kit.commit(vec![changes(&a, second, Reads::Whole, &[(4, 2), (6, 1)])]).version;
    let since = |from, to| {
        let runs = block_on(a.changes_since(from, to)).expect("changes are answered");
        runs.expect("they are few").pages().map(PageNo::get).collect::<Vec<_>>()
    };
    assert_eq!(since(Version::ZERO, third), [1, 3, 4, 6]);
    assert_eq!(since(first, third), [3, 4, 6]);
    assert_eq!(since(second, third), [4, 6]);
    assert_eq!(since(Version::ZERO, first), [1]);
    for (from, to) in [(third, third), (third, first), (Version::MAX, Version::MAX)] {
        assert!(since(from, to).is_empty());
    }
}

#[test]
fn changes_that_are_too_many_are_unknown() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let mut versions = vec![Version::ZERO];
    for _ in 0..=CHANGES_ENTRIES_MAX {
        versions.push(kit.put(&a, 1, 1));
    }
    let last = versions[versions.len() - 1];
    let since = |from| block_on(a.changes_since(from, last)).expect("changes are answered");
    assert!(since(versions[0]).is_none());
    assert!(since(versions[1]).is_some());
}

#[test]
fn changes_of_too_many_pages_are_unknown() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let first = kit.put(&a, 1, 1);
    let size = hozo_traits::PageSize::MIN;
    let image = bytes::Bytes::from(vec![0; 512]);
    let write = |n| hozo_traits::PageWrite { page: page(n), image: image.clone(), patch: None };
    let mut big = changes(&a, first, Reads::Whole, &[]);
    big.page_size = size;
    big.page_count = CHANGED_PAGES_MAX;
    big.writes = (1..=CHANGED_PAGES_MAX).map(write).collect();
    let second = kit.commit(vec![big]).version;
    let runs = block_on(a.changes_since(Version::ZERO, second)).expect("changes are answered");
    assert_eq!(runs.expect("they are just few enough").runs(), [(page(1), CHANGED_PAGES_MAX)]);
    let mut more = changes(&a, second, Reads::Whole, &[]);
    more.page_size = size;
    more.page_count = CHANGED_PAGES_MAX + 1;
    more.writes = vec![write(CHANGED_PAGES_MAX + 1)];
    let third = kit.commit(vec![more]).version;
    assert_eq!(block_on(a.changes_since(first, third)).expect("changes are answered"), None);
}

#[test]
fn changes_that_the_log_does_not_list_are_unknown() {
    let kit = Kit::with(Settings { listed: false, ..Settings::default() });
    let a = kit.fresh("a");
    let first = kit.put(&a, 1, 1);
    assert_eq!(block_on(a.changes_since(Version::ZERO, first)).expect("it is answered"), None);
    let none = block_on(a.changes_since(first, first)).expect("it is answered");
    assert!(none.is_some(), "no commit, no unknown pages");
}
