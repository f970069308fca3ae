//! One fsync for all who wait; the next commit does not wait for it.

use std::thread;

use hozo_traits::exec::block_on;
use hozo_traits::{Durability, PageStore, PageStoreExt, Version};

use crate::engine::Disk;
use crate::kit::*;

const THREADS: u32 = 16;

/// Commits durably from many threads while one fsync hangs, by way of `run`.
/// Answers how many fsyncs that took.
fn syncs_of(run: impl Fn(&Store, u32) + Sync) -> u64 {
    let disk = Disk::default().into();
    let store = open(&disk);
    let before = disk.syncs();
    disk.close_gate();
    thread::scope(|scope| {
        let (run, store, disk) = (&run, &store, &disk);
        scope.spawn(move || run(store, 1));
        disk.wait_for_sync();
        for n in 2..=THREADS {
            scope.spawn(move || run(store, n));
        }
        until(|| marks(store).0 == Version::from_seq(u64::from(THREADS)));
        assert_eq!(marks(store).1, Version::ZERO, "nothing is durable while the fsync hangs");
        disk.open_gate();
    });
    let all = Version::from_seq(u64::from(THREADS));
    assert_eq!(marks(&store), (all, all));
    disk.syncs() - before
}

#[test]
fn commits_that_wait_in_threads_share_an_fsync() {
    let syncs = syncs_of(|store, n| {
        put(store, simple(Durability::Durable, n));
    });
    assert_eq!(syncs, 2, "one that hung, one for all others");
}

#[test]
fn commits_that_wait_on_an_executor_share_an_fsync() {
    let syncs = syncs_of(|store, n| {
        made(run_elsewhere(store.commit(simple(Durability::Durable, n))));
    });
    assert_eq!(syncs, 2, "one that hung, one for all others");
}

#[test]
fn commits_that_wait_in_both_ways_share_an_fsync() {
    let syncs = syncs_of(|store, n| {
        let commit = store.commit(simple(Durability::Durable, n));
        made(if n % 2 == 0 { block_on(commit) } else { run_elsewhere(commit) });
    });
    assert_eq!(syncs, 2, "one that hung, one for all others");
}

#[test]
fn waiting_for_what_is_sequenced_shares_an_fsync() {
    let syncs = syncs_of(|store, n| {
        let version = put(store, simple(Durability::Sequenced, n));
        block_on(store.wait_durable(version)).expect("the version becomes durable");
    });
    assert_eq!(syncs, 2, "one that hung, one for all others");
}

#[test]
fn who_cannot_lead_and_comes_while_another_leads_is_served() {
    let disk = Disk::default().into();
    let store = open(&disk);
    disk.close_gate();
    thread::scope(|scope| {
        let leader = scope.spawn(|| put(&store, simple(Durability::Durable, 1)));
        disk.wait_for_sync();
        let other =
            scope.spawn(|| made(run_elsewhere(store.commit(simple(Durability::Durable, 2)))));
        until(|| marks(&store).0 == Version::from_seq(2));
        disk.open_gate();
        assert_eq!(leader.join().expect("it is made"), Version::from_seq(1));
        assert_eq!(other.join().expect("it is made"), Version::from_seq(2));
    });
}

#[test]
fn the_next_writer_builds_on_a_commit_whose_fsync_hangs() {
    let disk = Disk::default().into();
    let store = open(&disk);
    disk.close_gate();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| put(&store, simple(Durability::Durable, 1)));
        disk.wait_for_sync();

        let first = Version::from_seq(1);
        assert_eq!(marks(&store), (first, Version::ZERO));
        // It is seen, and can be built on.
        let seen = block_on(store.read_page(NS, page(1), first)).expect("reads do not wait");
        assert_eq!(seen.expect("the page is there").bytes, image(1));
        let second = put(&store, commit_since(first, vec![whole(2, image(2))]));
        assert_eq!(second, Version::from_seq(2));
        // Who reads what is durable sees neither.
        assert_eq!(marks(&store), (second, Version::ZERO));
        let seen = block_on(store.read_page(NS, page(1), marks(&store).1)).expect("a read");
        assert_eq!(seen, None);
        assert!(!waiting.is_finished(), "a durable commit waits for its fsync");

        disk.open_gate();
        assert_eq!(waiting.join().expect("the commit is made"), first);
        assert!(marks(&store).1 >= first);
    });
}

#[test]
fn reads_and_sequenced_commits_are_ready_at_once() {
    let disk = Disk::default().into();
    let store = open(&disk);
    let woken = Woken::new();
    let mut commit = std::pin::pin!(store.commit(simple(Durability::Sequenced, 1)));
    assert!(woken.poll(commit.as_mut()).is_ready());
    let pages = [page(1), page(2)];
    let mut read = std::pin::pin!(store.read_pages(NS, &pages, Version::from_seq(1)));
    assert!(woken.poll(read.as_mut()).is_ready());
}

#[test]
fn what_nobody_waits_for_becomes_durable_too() {
    let disk = Disk::default().into();
    let store = open(&disk);
    for n in 1..=3 {
        let version = put(&store, simple(Durability::Sequenced, n));
        until(|| marks(&store).1 == version);
    }
}

#[test]
fn closing_makes_durable() {
    let disk = Disk::default().into();
    let store = open(&disk);
    let version = put(&store, simple(Durability::Sequenced, 1));
    drop(store);
    disk.cut_power(|_| 0);
    assert_eq!(marks(&open(&disk)), (version, version));
}
