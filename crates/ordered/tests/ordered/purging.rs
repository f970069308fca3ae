//! What a purge takes and what it leaves, also beside commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use hozo_ordered::Space;
use hozo_traits::exec::block_on;
use hozo_traits::{
    CommitOutcome, Condition, Conflict, Durability, ErrorKind, PageNo, PageStore, PageStoreExt,
    Version,
};

use crate::engine::Disk;
use crate::kit::*;

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
fn a_purge_that_commits_keep_overtaking_spares_the_newest_images() {
    const PAGES: u32 = 20;
    let disk: Arc<Disk> = Arc::default();
    let store = Arc::new(open(&disk));
    let images = || (1..=PAGES).map(|n| whole(n, image(1))).collect();
    let first = put(&store, commit(Durability::Sequenced, images()));
    let second = put(&store, commit(Durability::Sequenced, images()));
    let (writer, scans) = (Arc::clone(&store), AtomicU32::new(0));
    // Each time when the last page was looked at: a delta of another page
    // against what is its newest image at that moment.
    disk.meanwhile(move || {
        let scans = 1 + scans.fetch_add(1, Ordering::AcqRel);
        if scans % PAGES == 0 {
            let (n, (head, _)) = (scans / PAGES, marks(&writer));
            let write = patched(n, second, &image(1), changed(&image(1), 0, 5));
            put(&writer, commit_since(head, vec![write]));
        }
    });
    let victims: Vec<_> = (1..=PAGES).flat_map(|n| [(page(n), first), (page(n), second)]).collect();
    let purged = block_on(store.purge(NS, &victims)).expect("a purge comes to an end");
    assert_eq!((purged.removed, purged.kept), (u64::from(PAGES), u64::from(PAGES)));
    disk.meanwhile(|| ());
    let (head, _) = marks(&store);
    assert!(head > second, "commits came between");
    expect(&store, 1, head, Version::from_seq(3), &changed(&image(1), 0, 5));
    expect(&store, PAGES, head, second, &image(1));
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
