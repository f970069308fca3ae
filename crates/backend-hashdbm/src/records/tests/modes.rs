//! When updates for which nobody waits reach the disk.

use std::time::{Duration, Instant};

use super::*;

fn within(milliseconds: u64) -> RecordsOptions {
    RecordsOptions { sync: SyncMode::Within(Duration::from_millis(milliseconds)), ..SMALL }
}

/// Waits until the record of a key is durable: that it is so at all is what is
/// tried, not when. Where the log ends says nothing: after a sync there is a
/// mark, which nobody syncs.
fn becomes_durable(dbm: &Records, key: &[u8], what: &str) {
    let (core, shards) = (dbm.volume.core(), dbm.volume.index());
    let hash = shards.hash(key);
    let found = shards.read(shards.shard_of(hash)).find(core, hash, key);
    let position = found.expect("it is read").expect("it is there").position;
    let begun = Instant::now();
    while core.log.durable() <= position {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} never becomes durable");
        std::thread::yield_now();
    }
}

#[test]
fn what_nobody_waits_for_becomes_durable() {
    let disk = SimDisk::new();
    let dbm = open_with(&disk, within(1)).expect("it opens");
    for n in 0..50u32 {
        dbm.set(&n.to_be_bytes(), b"value").expect("set");
        becomes_durable(&dbm, &n.to_be_bytes(), "a record");
    }
    let image = cut(&disk, &Rng::new(1));
    assert_eq!(check(&open(&image)).len(), 50);
}

/// A call that waits and finds everything durable promises nothing to those
/// that come after it.
#[test]
fn a_synchronise_for_nothing_hides_nothing() {
    let disk = SimDisk::new();
    let dbm = open_with(&disk, within(1)).expect("it opens");
    for n in 0..20u32 {
        // So large that there is no room behind it for a mark.
        dbm.set(b"large", &vec![1; 300_000]).expect("set");
        dbm.synchronise().expect("synchronised");
        dbm.synchronise().expect("synchronised");
        dbm.set(b"small", &n.to_be_bytes()).expect("set");
        becomes_durable(&dbm, b"small", "the small record");
    }
}

#[test]
fn threads_that_wait_and_that_do_not_go_together() {
    let disk = SimDisk::new();
    let dbm = open_with(&disk, within(1)).expect("it opens");
    for _ in 0..20 {
        std::thread::scope(|scope| {
            for thread in 0..3u32 {
                let dbm = &dbm;
                scope.spawn(move || {
                    for n in 0..100u32 {
                        dbm.set(&[thread as u8], &n.to_be_bytes()).expect("set");
                        if thread == 0 {
                            dbm.synchronise().expect("synchronised");
                        }
                    }
                });
            }
        });
        dbm.set(b"last", b"value").expect("set");
        becomes_durable(&dbm, b"last", "the last of them");
    }
}

#[test]
fn left_to_the_system_nothing_is_synced_before_the_end() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    let durable = dbm.volume.core().log.durable();
    dbm.set(b"key", b"value").expect("set");
    assert_eq!(dbm.volume.core().log.durable(), durable);
    assert_eq!(
        check(&open(&{
            drop(dbm);
            cut(&disk, &Rng::new(1))
        }))
        .len(),
        1
    );
}

/// Through the contract: answered when it is durable.
#[test]
fn synced_at_each_commit_it_is_durable_when_it_is_answered() {
    use hozo_traits::{Durability, KvStoreExt, exec::block_on};
    let disk = SimDisk::new();
    let options = RecordsOptions { sync: SyncMode::Commit, ..SMALL };
    let dbm = open_with(&disk, options).expect("it opens");
    for n in 0..50u32 {
        let (key, value) = (bytes(n.to_be_bytes()), bytes("value"));
        block_on(KvStoreExt::set(&dbm, key, value, true, Durability::Sequenced)).expect("set");
        let image = cut(&disk, &Rng::new(n.into()));
        assert_eq!(check(&open(&image)).len(), n as usize + 1);
    }
}
