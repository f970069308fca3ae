//! Conditions are judged with nothing between judging and writing, however
//! many they are.

use std::thread;

use hozo_traits::exec::block_on;
use hozo_traits::{CommitOutcome, Condition, Durability, PageStore, Version};

use crate::engine::Disk;
use crate::kit::*;

/// Threads that each add one to a page of their own and read all others: what
/// they read must be what they build on.
fn counters(pages: u32) {
    const THREADS: u32 = 4;
    const ROUNDS: u64 = 60;
    let disk = Disk::default().into();
    let store = open(&disk);
    let all: Vec<_> = (1..=pages).map(page).collect();
    let zeros = (1..=pages).map(|n| whole(n, vec![0; PAGE_BYTES].into())).collect();
    put(&store, commit(Durability::Sequenced, zeros));
    // Page n counts the commits of thread n; the first page counts all, so
    // that every two commits conflict.
    let attempt = |n: u32| -> bool {
        let (at, _) = marks(&store);
        let read = block_on(store.read_pages(NS, &all, at)).expect("pages are answered");
        let count = |n: u32| {
            let image = read[n as usize - 1].as_ref().expect("the page is there");
            u64::from_be_bytes(image.bytes[..8].try_into().expect("8 bytes"))
        };
        let sum: u64 = (2..=pages).map(count).sum();
        assert_eq!(count(1), sum, "a snapshot is of one version");
        let with = |count: u64| [&count.to_be_bytes()[..], &[0; PAGE_BYTES - 8]].concat().into();
        let writes = vec![whole(1, with(count(1) + 1)), whole(n, with(count(n) + 1))];
        let mut commit = commit(Durability::Sequenced, writes);
        let unchanged =
            |page: &_| Condition::PageUnchanged { namespace: NS, page: *page, since: at };
        commit.conditions = all.iter().map(unchanged).collect();
        match block_on(store.commit(commit)).expect("the commit is answered") {
            CommitOutcome::Committed(_) => true,
            CommitOutcome::Conflict(_) => false,
        }
    };
    thread::scope(|scope| {
        for n in 2..2 + THREADS {
            let attempt = &attempt;
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    until(|| attempt(n));
                }
            });
        }
    });
    let (head, _) = marks(&store);
    assert_eq!(head, Version::from_seq(1 + u64::from(THREADS) * ROUNDS), "no update is lost");
    assert!(attempt(2), "and the sum is right");
}

#[test]
fn no_update_is_lost_with_few_conditions() {
    counters(6);
}

#[test]
fn no_update_is_lost_with_many_conditions() {
    counters(100);
}
