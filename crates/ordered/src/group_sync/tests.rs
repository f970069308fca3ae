//! What a store does not show: its tests are in `tests/ordered`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hozo_traits::exec::block_on;
use hozo_traits::{Durability, Error, ErrorKind};

use super::{GroupSync, GroupSyncConfig, Marks};

/// A disk that knows how far it was synced.
#[derive(Default)]
struct Disk {
    reaches: AtomicU64,
    syncs: AtomicU64,
}

fn group(disk: &Arc<Disk>, config: GroupSyncConfig) -> GroupSync<u64> {
    let disk = Arc::clone(disk);
    GroupSync::new(7, config, move |mark| {
        disk.syncs.fetch_add(1, Ordering::SeqCst);
        disk.reaches.fetch_max(mark, Ordering::SeqCst);
        Ok(())
    })
}

const NEVER_BY_ITSELF: GroupSyncConfig = GroupSyncConfig { persistent: true, lag: None };

#[test]
fn marks_may_be_positions_with_gaps() {
    let disk = Arc::new(Disk::default());
    let group = group(&disk, NEVER_BY_ITSELF);
    assert_eq!(group.marks(), Marks { written: 7, durable: 7 });
    group.wrote(100, Durability::Durable);
    group.wrote(250, Durability::Durable);
    block_on(group.wait(90)).expect("synced");
    assert_eq!(group.marks(), Marks { written: 250, durable: 250 });
    assert_eq!(disk.reaches.load(Ordering::SeqCst), 250);
    block_on(group.wait(250)).expect("there already");
    assert_eq!(disk.syncs.load(Ordering::SeqCst), 1);
}

#[test]
fn without_a_lag_nothing_is_synced_until_the_end() {
    let disk = Arc::new(Disk::default());
    let group = group(&disk, NEVER_BY_ITSELF);
    group.wrote(8, Durability::Sequenced);
    assert!(group.inner.state().thread.is_none(), "nobody needs a thread");
    drop(group);
    assert_eq!(disk.reaches.load(Ordering::SeqCst), 8);
}

#[test]
fn with_a_lag_the_thread_syncs() {
    let disk = Arc::new(Disk::default());
    let lag = Some(Duration::from_millis(1));
    let group = group(&disk, GroupSyncConfig { persistent: true, lag });
    group.wrote(8, Durability::Sequenced);
    while group.marks().durable < 8 {
        std::thread::yield_now();
    }
    assert_eq!(disk.syncs.load(Ordering::SeqCst), 1);
}

/// What is written while somebody syncs is not had by that sync, whatever mark
/// it has.
#[test]
fn who_is_in_a_hurry_gets_what_was_written_before_too() {
    let disk = Arc::new(Disk::default());
    // Longer than any test.
    let lag = Some(Duration::from_secs(1 << 20));
    let group = group(&disk, GroupSyncConfig { persistent: true, lag });
    group.wrote(8, Durability::Sequenced);
    group.hurry(Some(Duration::from_millis(1)));
    while group.marks().durable < 8 {
        std::thread::yield_now();
    }
    group.wrote(9, Durability::Sequenced);
    while group.marks().durable < 9 {
        std::thread::yield_now();
    }
    group.hurry(None);
    group.wrote(10, Durability::Sequenced);
    let limit = group.inner.state().lag.expect("it is noted");
    assert!(limit > std::time::Instant::now() + Duration::from_secs(1 << 19));
}

#[test]
fn what_comes_during_a_sync_has_a_sync_of_its_own() {
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let config = GroupSyncConfig { persistent: true, lag: Some(Duration::from_millis(1)) };
    let group = GroupSync::new(7u64, config, move |_| {
        begun.send(()).expect("the test waits");
        // Only the first one is held up: later there is nobody to send.
        let _ = may_go_on.lock().expect("one at a time").recv();
        Ok(())
    });
    std::thread::scope(|scope| {
        group.wrote(8, Durability::Durable);
        let group = &group;
        scope.spawn(move || block_on(group.wait(8)).expect("synced"));
        has_begun.recv().expect("the first sync");
        group.wrote(8, Durability::Sequenced);
        drop(go_on);
        has_begun.recv_timeout(Duration::from_secs(60)).expect("a second sync");
    });
}

#[test]
fn what_is_not_persistent_is_durable_at_once() {
    let disk = Arc::new(Disk::default());
    let group = group(&disk, GroupSyncConfig { persistent: false, lag: None });
    group.wrote(8, Durability::Durable);
    assert_eq!(group.marks().durable, 8);
    drop(group);
    assert_eq!(disk.syncs.load(Ordering::SeqCst), 0);
}

#[test]
fn a_panic_in_a_write_is_the_end() {
    let group = group(&Arc::default(), NEVER_BY_ITSELF);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = group.poison_unless_defused("a write");
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    let error = group.refuse_if_poisoned().expect_err("it is over");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let again = group.poison("later", Error::new(ErrorKind::Internal, "more"));
    assert_eq!(again.kind(), ErrorKind::Internal);
    assert!(group.refuse_if_poisoned().unwrap_err().to_string().contains("a write"));
}
