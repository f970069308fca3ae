//! Futures that are dropped before they end leave nobody waiting.

use std::pin::pin;
use std::task::Poll;
use std::thread;

use hozo_traits::exec::block_on;
use hozo_traits::{Durability, PageStore, Version};

use crate::engine::Disk;
use crate::kit::*;

#[test]
fn who_was_woken_to_lead_and_leaves_hands_on() {
    let disk = Disk::default().into();
    let store = open(&disk);
    disk.close_gate();
    thread::scope(|scope| {
        let leader = scope.spawn(|| put(&store, simple(Durability::Durable, 1)));
        disk.wait_for_sync();
        // Both wait behind it, as threads do that may block.
        let (second, third) = (Woken::new(), Woken::new());
        let mut leaves = Box::pin(store.commit(simple(Durability::Durable, 2)));
        assert!(second.poll_blocking(leaves.as_mut()).is_pending());
        let mut stays = pin!(store.commit(simple(Durability::Durable, 3)));
        assert!(third.poll_blocking(stays.as_mut()).is_pending());

        disk.open_gate();
        leader.join().expect("the commit is made");
        until(|| second.count() > 0);
        assert_eq!(third.count(), 0, "one is woken to lead, not all");
        drop(leaves);
        assert_eq!(third.count(), 1, "the other is woken instead");
        assert!(matches!(third.poll_blocking(stays.as_mut()), Poll::Ready(Ok(_))));
        assert_eq!(marks(&store).1, Version::from_seq(3), "what was left is there, too");
    });
}

#[test]
fn who_leaves_while_the_thread_leads_disturbs_nobody() {
    let disk = Disk::default().into();
    let store = open(&disk);
    disk.close_gate();
    let (first, second) = (Woken::new(), Woken::new());
    let mut leaves = Box::pin(store.commit(simple(Durability::Durable, 1)));
    assert!(first.poll(leaves.as_mut()).is_pending());
    disk.wait_for_sync();
    let mut stays = pin!(store.commit(simple(Durability::Durable, 2)));
    assert!(second.poll(stays.as_mut()).is_pending());
    drop(leaves);
    disk.open_gate();
    until(|| second.count() > 0);
    assert!(matches!(second.poll(stays.as_mut()), Poll::Ready(Ok(_))));
    assert_eq!(first.count(), 0, "who left is not woken");
}

#[test]
fn a_commit_whose_waiter_left_becomes_durable() {
    let disk = Disk::default().into();
    let store = open(&disk);
    disk.close_gate();
    let woken = Woken::new();
    let mut leaves = Box::pin(store.commit(simple(Durability::Durable, 1)));
    assert!(woken.poll(leaves.as_mut()).is_pending());
    drop(leaves);
    disk.open_gate();
    until(|| marks(&store).1 == Version::from_seq(1));
}

#[test]
fn a_commit_whose_waiter_left_during_another_fsync_becomes_durable() {
    let disk = Disk::default().into();
    let store = open(&disk);
    disk.close_gate();
    thread::scope(|scope| {
        let leader = scope.spawn(|| put(&store, simple(Durability::Durable, 1)));
        disk.wait_for_sync();
        let mut leaves = Box::pin(store.commit(simple(Durability::Durable, 2)));
        assert!(Woken::new().poll_blocking(leaves.as_mut()).is_pending());
        drop(leaves);
        disk.open_gate();
        leader.join().expect("the commit is made");
        until(|| marks(&store).1 == Version::from_seq(2));
    });
}

#[test]
fn polling_again_waits_once() {
    let disk = Disk::default().into();
    let store = open(&disk);
    disk.close_gate();
    let (old, new) = (Woken::new(), Woken::new());
    let mut commit = pin!(store.commit(simple(Durability::Durable, 1)));
    for _ in 0..3 {
        assert!(old.poll(commit.as_mut()).is_pending());
    }
    assert!(new.poll(commit.as_mut()).is_pending());
    disk.open_gate();
    until(|| new.count() > 0);
    assert_eq!((old.count(), new.count()), (0, 1), "the newest waker is woken, once");
    assert!(matches!(new.poll(commit.as_mut()), Poll::Ready(Ok(_))));
}

#[test]
fn many_who_come_and_leave_leave_nobody_waiting() {
    let disk = Disk::default().into();
    let store = open(&disk);
    thread::scope(|scope| {
        for n in 1..=8 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..200 {
                    let commit = store.commit(simple(Durability::Durable, n));
                    match (n + round) % 4 {
                        0 => {
                            let mut commit = Box::pin(commit);
                            let _ = Woken::new().poll(commit.as_mut());
                        }
                        1 => {
                            made(run_elsewhere(commit));
                        }
                        _ => {
                            made(block_on(commit));
                        }
                    }
                }
            });
        }
    });
    let all = Version::from_seq(8 * 200);
    assert_eq!(marks(&store).0, all);
    until(|| marks(&store).1 == all);
}
