//! An engine that fails: no commit any more, and nothing lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use hozo_traits::exec::block_on;
use hozo_traits::{Durability, ErrorKind, PageStore, PageStoreExt, Retry, Version};

use crate::engine::{Disk, Fail};
use crate::kit::*;

/// That the store takes no commit, still reads, and goes on when reopened.
fn expect_poisoned(disk: &Arc<Disk>, store: Store, why: &str, survives: Version) {
    for durability in [Durability::Sequenced, Durability::Durable] {
        let refused = block_on(store.commit(simple(durability, 9))).expect_err("it is poisoned");
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        assert_eq!(refused.retry(), Retry::Never);
        assert!(refused.message().contains("reopen"), "{refused}");
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let (_, durable) = marks(&store);
    assert_eq!(durable, Version::from_seq(1));
    let read = block_on(store.read_page(NS, page(1), durable)).expect("reads go on");
    assert_eq!(read.expect("the page is there").bytes, image(1));
    drop(store);

    let store = open(disk);
    assert_eq!(marks(&store), (survives, survives));
    put(&store, simple(Durability::Durable, 2));
}

fn a_store() -> (Arc<Disk>, Store) {
    let disk = Arc::default();
    let store = open(&disk);
    put(&store, simple(Durability::Durable, 1));
    (disk, store)
}

#[test]
fn a_failed_fsync_poisons() {
    let (disk, store) = a_store();
    disk.fail_next(Fail::Sync);
    let failed = block_on(store.commit(simple(Durability::Durable, 2))).expect_err("it fails");
    assert!(failed.to_string().contains("the disk failed"), "{failed}");
    expect_poisoned(&disk, store, "the disk failed", Version::from_seq(2));
}

#[test]
fn a_failed_fsync_fails_all_who_wait_for_it() {
    let (disk, store) = a_store();
    disk.close_gate();
    disk.fail_next(Fail::Sync);
    thread::scope(|scope| {
        let commit = |n| block_on(store.commit(simple(Durability::Durable, n)));
        let leader = scope.spawn(move || commit(2));
        disk.wait_for_sync();
        let others: Vec<_> = (3..6).map(|n| scope.spawn(move || commit(n))).collect();
        let elsewhere = scope.spawn(|| run_elsewhere(store.commit(simple(Durability::Durable, 6))));
        until(|| marks(&store).0 == Version::from_seq(6));
        disk.open_gate();
        for thread in others.into_iter().chain([leader, elsewhere]) {
            thread.join().expect("no panic").expect_err("it is not durable");
        }
    });
    expect_poisoned(&disk, store, "the disk failed", Version::from_seq(6));
}

#[test]
fn a_failed_fsync_of_the_thread_poisons() {
    let (disk, store) = a_store();
    disk.fail_next(Fail::Sync);
    run_elsewhere(store.commit(simple(Durability::Durable, 2))).expect_err("it fails");
    expect_poisoned(&disk, store, "the disk failed", Version::from_seq(2));
}

#[test]
fn a_failed_write_poisons() {
    let (disk, store) = a_store();
    disk.fail_next(Fail::Apply);
    block_on(store.commit(simple(Durability::Sequenced, 2))).expect_err("it fails");
    assert_eq!(marks(&store).0, Version::from_seq(1), "it is not shown");
    expect_poisoned(&disk, store, "the disk failed", Version::from_seq(1));
}

#[test]
fn a_refused_write_changes_nothing_and_the_next_is_made() {
    let (disk, store) = a_store();
    for durability in [Durability::Sequenced, Durability::Durable] {
        let before = marks(&store);
        disk.fail_next(Fail::Refused);
        let refused = block_on(store.commit(simple(durability, 2))).expect_err("it is refused");
        assert_eq!(refused.retry(), Retry::Later, "{refused}");
        assert_eq!(marks(&store), before);
        put(&store, simple(durability, 2));
        assert_eq!(marks(&store).0, Version::from_seq(before.0.seq() + 1));
    }
}

#[test]
fn a_panic_in_an_fsync_poisons() {
    let (disk, store) = a_store();
    disk.fail_next(Fail::SyncPanics);
    let commit = || block_on(store.commit(simple(Durability::Durable, 2)));
    catch_unwind(AssertUnwindSafe(commit)).expect_err("it panics");
    expect_poisoned(&disk, store, "the engine panicked", Version::from_seq(2));
}

#[test]
fn a_panic_in_a_write_poisons() {
    let (disk, store) = a_store();
    disk.fail_next(Fail::ApplyPanics);
    let commit = || block_on(store.commit(simple(Durability::Durable, 2)));
    catch_unwind(AssertUnwindSafe(commit)).expect_err("it panics");
    expect_poisoned(&disk, store, "the engine panicked", Version::from_seq(1));
}

#[test]
fn what_was_durable_before_is_answered_as_such() {
    let (disk, store) = a_store();
    disk.fail_next(Fail::Sync);
    block_on(store.commit(simple(Durability::Durable, 2))).expect_err("it fails");
    block_on(store.wait_durable(Version::from_seq(1))).expect("it was durable");
    block_on(store.wait_durable(Version::from_seq(2))).expect_err("it is not");
}

#[test]
fn an_fsync_that_fails_at_opening_is_an_error() {
    let (disk, store) = a_store();
    drop(store);
    disk.fail_next(Fail::Sync);
    let failed = hozo_ordered::Sequenced::open(disk.open()).err().expect("it fails");
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
}
