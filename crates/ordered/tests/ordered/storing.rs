//! What is stored: how much, in what form, and for how long.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hozo_conformance::TestAmbient;
use hozo_ordered::{Op, Space};
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, CommitOutcome, Condition, Durability, ErrorKind, PageStore, PageWrite, Version,
};

use crate::engine::Disk;
use crate::kit::*;

#[test]
fn a_one_page_commit_is_a_few_small_puts() {
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let old = image(1);
    let first = put(&store, commit(Durability::Sequenced, vec![whole(1, old.clone())]));
    let (before, _) = disk.batches();
    put(&store, commit_since(first, vec![patched(1, first, &old, changed(&old, 100, 5))]));
    let (after, steps) = disk.batches();
    assert_eq!(after - before, 1, "one batch");
    let mut bytes = 0;
    for step in &steps {
        let Op::Put { key, value, .. } = step else { panic!("puts only: {step:?}") };
        bytes += key.len() + value.len();
    }
    // Page, log, log by time, list of changes, commit id, newest version.
    assert_eq!(steps.len(), 6);
    assert!(bytes < 290, "{bytes} bytes");
}

#[test]
fn small_changes_are_deltas_until_an_image_is_cheaper() {
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let mut newest = image(1);
    let mut version = put(&store, commit(Durability::Sequenced, vec![whole(1, newest.clone())]));
    let mut history = vec![(version, newest.clone())];
    let mut stored = Vec::new();
    for n in 0..40 {
        let next = changed(&newest, 8 * (n * 7 % 64), n as u64);
        let write = patched(1, version, &newest, next.clone());
        version = put(&store, commit_since(version, vec![write]));
        newest = next;
        history.push((version, newest.clone()));
        stored.push(record_len(&disk));
    }
    let whole = stored.iter().filter(|bytes| **bytes > PAGE_BYTES).count();
    assert!((2..12).contains(&whole), "{stored:?}");
    let deltas = stored.iter().filter(|bytes| **bytes <= PAGE_BYTES / 4 + 20).count();
    assert_eq!(deltas, stored.len() - whole, "a delta is a quarter of a page at most");
    assert!(stored.iter().sum::<usize>() < 40 * PAGE_BYTES / 3, "{stored:?}");
    for (version, image) in &history {
        expect(&store, 1, *version, *version, image);
    }
    // All at once, too, and after reopening.
    drop(store);
    let store = open(&disk);
    for (version, image) in &history {
        let read = block_on(store.read_pages(NS, &[page(1), page(2), page(1)], *version));
        let read = read.expect("pages are answered");
        assert_eq!(read[0].as_ref().map(|i| &i.bytes), Some(image));
        assert_eq!((&read[1], &read[2]), (&None, &read[0]));
    }
}

#[test]
fn a_patch_that_lies_is_not_believed() {
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let old = image(1);
    let first = put(&store, commit(Durability::Sequenced, vec![whole(1, old.clone())]));
    let new = changed(&old, 0, 9);
    let mut write = patched(1, first, &old, new.clone());
    if let Some(patch) = &mut write.patch {
        patch.ranges = vec![(200, Bytes::from_static(b"not so"))];
    }
    let second = put(&store, commit_since(first, vec![write]));
    expect(&store, 1, second, second, &new);
    assert!(record_len(&disk) < PAGE_BYTES / 4);
}

#[test]
fn a_change_that_nothing_guards_is_stored_whole() {
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let old = image(1);
    let first = put(&store, commit(Durability::Sequenced, vec![whole(1, old.clone())]));
    let new = changed(&old, 0, 9);
    let write = || vec![patched(1, first, &old, new.clone())];
    let unguarded = commit(Durability::Sequenced, write());
    let second = put(&store, unguarded);
    assert!(record_len(&disk) > PAGE_BYTES);
    // A condition that is about the future guards nothing before it.
    let third = put(&store, commit_since(Version::MAX, write()));
    assert!(record_len(&disk) > PAGE_BYTES);
    // One about another page neither.
    let mut fourth = commit(Durability::Sequenced, write());
    fourth.conditions =
        vec![Condition::PageUnchanged { namespace: NS, page: page(2), since: third }];
    put(&store, fourth);
    assert!(record_len(&disk) > PAGE_BYTES);
    // One about the page does.
    let mut fifth = commit(Durability::Sequenced, write());
    let since = marks(&store).0;
    fifth.conditions = vec![Condition::PageUnchanged { namespace: NS, page: page(1), since }];
    let fifth = put(&store, fifth);
    assert!(record_len(&disk) < PAGE_BYTES);
    expect(&store, 1, second, second, &new);
    expect(&store, 1, fifth, fifth, &new);
}

#[test]
fn old_commit_ids_are_forgotten_and_refused() {
    let disk: Arc<Disk> = Arc::default();
    let ambient = Arc::new(TestAmbient::new(1));
    let store = open_with(disk.open(), Arc::clone(&ambient));
    let first = simple(Durability::Sequenced, 1);
    put(&store, first.clone());
    let first_again = |store: &Store| block_on(store.commit(first.clone()));
    assert_eq!(made(first_again(&store)), Version::from_seq(1));
    let taken = simple(Durability::Sequenced, 4);
    block_on(store.stage(taken.id, NS, vec![whole(9, image(4))])).expect("staged");
    let taken_at = put(&store, taken.clone());
    ambient.advance(Duration::from_secs(30 * 3600));
    let mut later = simple(Durability::Sequenced, 2);
    later.id = id_of(ambient.now().as_millis());
    put(&store, later.clone());
    assert_eq!(disk.count(Space::Commits), 1, "the old id is forgotten");
    let refused = first_again(&store).expect_err("it could be made twice");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    // So it is after the clock came back, and after reopening.
    ambient.set(TestAmbient::START);
    assert_eq!(first_again(&store).expect_err("still").kind(), ErrorKind::Invalid);
    let staged = block_on(store.stage(taken.id, NS, vec![whole(9, image(3))]));
    assert_eq!(staged.expect_err("it could replace pages").kind(), ErrorKind::Invalid);
    expect(&store, 9, taken_at, taken_at, &image(4));
    // There is nothing that this one could replace.
    block_on(store.stage(first.id, NS, vec![whole(1, image(3))])).expect("staged");
    block_on(store.discard_stage(first.id)).expect("discarded");
    drop(store);
    let store = open_with(disk.open(), Arc::clone(&ambient));
    assert_eq!(first_again(&store).expect_err("still").kind(), ErrorKind::Invalid);
    // New ids of that time are none of the forgotten.
    let mut new = simple(Durability::Sequenced, 3);
    new.id = id_of(TestAmbient::START.as_millis() + 1);
    put(&store, new);
    assert_eq!(made(block_on(store.commit(later))), Version::from_seq(3));
}

#[test]
fn a_commit_beyond_the_engines_batch_is_staged_by_itself() {
    let disk: Arc<Disk> = Arc::default();
    let store = open_with(disk.open_with(64 << 10), Arc::new(TestAmbient::new(1)));
    let writes = |from: u64| -> Vec<PageWrite> {
        (1..=200).map(|n| whole(n, image(from + u64::from(n)))).collect()
    };
    let big = commit(Durability::Sequenced, writes(0));
    let version = put(&store, big.clone());
    for n in [1, 100, 200] {
        expect(&store, n, version, version, &image(u64::from(n)));
    }
    assert_eq!(put(&store, big), version, "again, it is the same");
    assert_eq!(disk.count(Space::Staged), 200, "the images, and nothing else");
    // A conflict leaves nothing in the pages.
    let refused = commit_since(Version::ZERO, writes(1000));
    let outcome = block_on(store.commit(refused.clone())).expect("the commit is answered");
    assert!(matches!(outcome, CommitOutcome::Conflict(_)));
    block_on(store.discard_stage(refused.id)).expect("the stage is dropped");
    assert_eq!(disk.count(Space::Staged), 200);
    expect(&store, 1, version, version, &image(1));
    // More pages than pointers fit is an error that names the limit.
    let many = (1..=4000).map(|n| whole(n, image(0))).collect();
    let refused = block_on(store.commit(commit(Durability::Sequenced, many)));
    let refused = refused.expect_err("4000 pointers are more than 64 KiB");
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert!(refused.to_string().contains("batch_bytes_max"), "{refused}");
    assert_eq!(marks(&store).0, version);
}

#[test]
fn a_store_of_another_format_is_refused() {
    use hozo_ordered::LocalEngine;
    let disk: Arc<Disk> = Arc::default();
    drop(open(&disk));
    let put = Op::Put {
        space: Space::System,
        key: Bytes::from_static(b"format"),
        value: Bytes::from_static(&[99]),
    };
    disk.open().apply(&[put]).expect("the engine writes");
    let engine = hozo_ordered::Sequenced::open(disk.open()).expect("the engine opens");
    let opened = block_on(hozo_ordered::OrderedPages::open(
        engine,
        hozo_ordered::OrderedPagesConfig::default(),
        Arc::new(TestAmbient::new(1)),
    ));
    assert_eq!(opened.err().expect("it is refused").kind(), ErrorKind::Unsupported);
}

#[test]
fn a_store_from_before_there_was_a_list_of_changes_has_one_from_then_on() {
    use hozo_ordered::LocalEngine;
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let old = put(&store, commit(Durability::Durable, vec![whole(1, image(1))]));
    drop(store);
    let engine = disk.open();
    let (space, format) = (Space::System, Bytes::from_static(b"format"));
    let as_it_was = [
        Op::Put { space, key: format, value: Bytes::from_static(&[1]) },
        Op::Delete { space, key: Bytes::from_static(b"changes") },
        Op::DeleteRange {
            space: Space::Changes,
            start: Bytes::new(),
            end: Bytes::from_static(&[0xff; 20]),
        },
    ];
    engine.apply(&as_it_was).expect("the engine writes");
    drop(engine);
    let mut expected = Vec::new();
    for n in 0..2 {
        let store = open(&disk);
        expect(&store, 1, old, old, &image(1));
        let gone = block_on(store.changes(Version::ZERO, 9)).expect_err("it does not go back");
        assert_eq!(gone.kind(), ErrorKind::VersionGone);
        expected.push(put(&store, commit(Durability::Durable, vec![whole(2, image(n))])));
        let changes = block_on(store.changes(old, 9)).expect("it goes back to there");
        assert_eq!(changes.iter().map(|change| change.version).collect::<Vec<_>>(), expected);
    }
}
