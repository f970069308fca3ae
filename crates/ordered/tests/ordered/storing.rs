//! What is stored: how much, in what form, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use hozo_conformance::TestAmbient;
use hozo_ordered::{Op, Space};
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, CommitOutcome, Condition, Conflict, Durability, ErrorKind, PageNo, PageStore,
    PageStoreExt, PageWrite, Version,
};

use crate::engine::Disk;
use crate::kit::*;

/// `image` with eight bytes at `at` changed.
fn changed(image: &Bytes, at: usize, to: u64) -> Bytes {
    let mut new = image.to_vec();
    new[at..at + 8].copy_from_slice(&to.to_be_bytes());
    new.into()
}

fn expect(store: &Store, n: u32, at: Version, version: Version, image: &Bytes) {
    let read = block_on(store.read_page(NS, page(n), at)).expect("pages are answered");
    let read = read.expect("the page is there");
    assert_eq!((read.version, &read.bytes), (version, image));
}

/// Bytes of the newest record of page 1.
fn record_len(disk: &Disk) -> usize {
    disk.newest(Space::Pages, &NS.0.to_be_bytes()).expect("a record").len()
}

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
    // Page, log, log by time, commit id, newest version.
    assert_eq!(steps.len(), 5);
    assert!(bytes < 250, "{bytes} bytes");
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
fn a_delta_against_a_staged_image() {
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let old = image(1);
    let staging = commit(Durability::Sequenced, Vec::new());
    block_on(store.stage(staging.id, NS, vec![whole(1, old.clone())])).expect("it is staged");
    let first = put(&store, staging);
    assert_eq!(record_len(&disk), 17, "a pointer");
    let new = changed(&old, 8, 9);
    let second = put(&store, commit_since(first, vec![patched(1, first, &old, new.clone())]));
    assert!(record_len(&disk) < PAGE_BYTES / 4);
    expect(&store, 1, first, first, &old);
    expect(&store, 1, second, second, &new);
    // The staged image is needed; when the delta goes, it can go.
    let purge = |victims: &[(PageNo, Version)]| {
        block_on(store.purge(NS, victims)).expect("the purge is made")
    };
    let purged = purge(&[(page(1), first)]);
    assert_eq!((purged.removed, purged.kept), (0, 1));
    expect(&store, 1, second, second, &new);
    let purged = purge(&[(page(1), first), (page(1), second)]);
    assert_eq!((purged.removed, purged.kept), (2, 0));
    assert_eq!(disk.count(Space::Staged), 0, "the image went with its page version");
}

#[test]
fn at_most_one_record_says_that_a_stretch_is_gone() {
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let versions: Vec<Version> =
        (0..10).map(|_| put(&store, simple(Durability::Sequenced, 1))).collect();
    let victims: Vec<_> = versions[1..9].iter().map(|version| (page(1), *version)).collect();
    // In two parts, the newer first.
    for part in [&victims[4..], &victims[..4]] {
        let purged = block_on(store.purge(NS, part)).expect("the purge is made");
        assert_eq!((purged.removed, purged.kept), (4, 0));
    }
    assert_eq!(disk.count(Space::Pages), 3);
    expect(&store, 1, versions[0], versions[0], &image(1));
    expect(&store, 1, versions[9], versions[9], &image(1));
    for version in &versions[1..9] {
        let gone = block_on(store.read_page(NS, page(1), *version)).expect_err("it is gone");
        assert_eq!(gone.kind(), ErrorKind::VersionGone);
    }
}

#[test]
fn a_base_below_a_gap_stays() {
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let mut newest = image(1);
    let mut version = put(&store, commit(Durability::Sequenced, vec![whole(1, newest.clone())]));
    let mut versions = vec![version];
    for n in 0..3 {
        let next = changed(&newest, 8 * n, n as u64);
        let write = patched(1, version, &newest, next.clone());
        version = put(&store, commit_since(version, vec![write]));
        (newest, versions) = (next, [versions, vec![version]].concat());
    }
    let purge = |of: Version| block_on(store.purge(NS, &[(page(1), of)])).expect("a purge");
    assert_eq!(purge(versions[1]).removed, 1);
    let purged = purge(versions[0]);
    assert_eq!((purged.removed, purged.kept), (0, 1), "the newest is stored against it");
    expect(&store, 1, version, version, &newest);
}

#[test]
fn conditions_see_a_newest_version_that_was_purged() {
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let versions: Vec<Version> =
        (0..4).map(|_| put(&store, simple(Durability::Sequenced, 1))).collect();
    let victims: Vec<_> = versions[1..].iter().map(|version| (page(1), *version)).collect();
    block_on(store.purge(NS, &victims)).expect("the purge is made");
    for since in &versions[..3] {
        let mut late = simple(Durability::Sequenced, 2);
        late.conditions =
            vec![Condition::PageUnchanged { namespace: NS, page: page(1), since: *since }];
        let conflict = Conflict::Page { namespace: NS, page: page(1), version: versions[3] };
        let outcome = block_on(store.commit(late)).expect("the commit is answered");
        assert_eq!(outcome, CommitOutcome::Conflict(conflict), "since {since}");
    }
}

#[test]
fn a_purge_that_commits_keep_overtaking_spares_the_newest_image() {
    let disk: Arc<Disk> = Arc::default();
    let store = Arc::new(open(&disk));
    let first = put(&store, simple(Durability::Sequenced, 1));
    let second = put(&store, simple(Durability::Sequenced, 1));
    let writer = Arc::clone(&store);
    // A delta against what is the newest image at that moment.
    disk.meanwhile(move || {
        let (head, _) = marks(&writer);
        let old = image(1);
        let write = patched(1, head, &old, changed(&old, 0, head.seq()));
        put(&writer, commit_since(head, vec![write]));
    });
    let purged = block_on(store.purge(NS, &[(page(1), first), (page(1), second)]));
    let purged = purged.expect("a purge comes to an end");
    assert_eq!((purged.removed, purged.kept), (1, 1));
    disk.meanwhile(|| ());
    let (head, _) = marks(&store);
    assert!(head > second, "commits came between");
    expect(&store, 1, head, head, &changed(&image(1), 0, head.seq() - 1));
}

#[test]
fn a_commit_that_purges_keep_overtaking_is_made() {
    let disk: Arc<Disk> = Arc::default();
    let store = Arc::new(open(&disk));
    let first = put(&store, simple(Durability::Sequenced, 1));
    let old = changed(&image(1), 64, 7);
    let write = patched(1, first, &image(1), old.clone());
    let base = put(&store, commit_since(first, vec![write]));
    let purger = Arc::clone(&store);
    let next = AtomicU32::new(3);
    // Each finds something to purge.
    disk.meanwhile(move || {
        let n = next.fetch_add(1, Ordering::AcqRel);
        let version = put(&purger, simple(Durability::Sequenced, n));
        block_on(purger.purge(NS, &[(page(n), version)])).expect("a purge");
    });
    let new = changed(&old, 0, 9);
    let mut patch = commit(Durability::Sequenced, vec![patched(1, base, &old, new.clone())]);
    patch.conditions = vec![Condition::PageUnchanged { namespace: NS, page: page(1), since: base }];
    let version = put(&store, patch);
    disk.meanwhile(|| ());
    expect(&store, 1, version, version, &new);
}

#[test]
fn a_purge_beside_commits_takes_no_base_from_under_them() {
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let mut newest = image(1);
    let first = put(&store, commit(Durability::Sequenced, vec![whole(1, newest.clone())]));
    let over = AtomicBool::new(false);
    // Also when a check below fails.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    thread::scope(|scope| {
        let _end = End(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                // Everything, the newest too: a delta that is just being made
                // against it must be made anew.
                let (head, _) = marks(&store);
                let all: Vec<_> = (head.seq().saturating_sub(8)..=head.seq())
                    .map(|seq| (page(1), Version::from_seq(seq)))
                    .collect();
                block_on(store.purge(NS, &all)).expect("a purge");
            }
        });
        let mut base = first;
        for n in 0..3000 {
            let next = changed(&newest, 8 * (n % 60), n as u64);
            let write = patched(1, base, &newest, next.clone());
            base = put(&store, commit_since(base, vec![write]));
            newest = next;
            match block_on(store.read_page(NS, page(1), base)) {
                Ok(read) => assert_eq!(read.expect("the page is there").bytes, newest),
                Err(gone) => assert_eq!(gone.kind(), ErrorKind::VersionGone, "{gone}"),
            }
        }
    });
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
    let staged = block_on(store.stage(first.id, NS, vec![whole(1, image(3))]));
    assert_eq!(staged.expect_err("it could replace pages").kind(), ErrorKind::Invalid);
    drop(store);
    let store = open_with(disk.open(), Arc::clone(&ambient));
    assert_eq!(first_again(&store).expect_err("still").kind(), ErrorKind::Invalid);
    // New ids of that time are none of the forgotten.
    let mut new = simple(Durability::Sequenced, 3);
    new.id = id_of(TestAmbient::START.as_millis() + 1);
    put(&store, new);
    assert_eq!(made(block_on(store.commit(later))), Version::from_seq(2));
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
