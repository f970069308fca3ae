//! What the log takes in proportion to what is in it.

use super::*;

/// All records are this long, so that what is live can be told.
fn fill(dbm: &Records, keys: u32, value_bytes: usize) {
    for n in 0..keys {
        dbm.set(&n.to_be_bytes(), &vec![1; value_bytes]).expect("set");
    }
}

fn live(dbm: &Records) -> u64 {
    use crate::volume::Index;
    dbm.volume.index().live_bytes()
}

#[test]
fn steady_overwrites_keep_twice_what_lives() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    fill(&dbm, 3000, 500);
    let mut rng = Rng::new(1);
    let mut most = 0;
    for _ in 0..30_000 {
        let key = (rng.below(3000) as u32).to_be_bytes();
        dbm.set(&key, &vec![2; rng.below(1000)]).expect("set");
        most = most.max(dbm.volume.log_bytes().saturating_sub(2 * live(&dbm)));
    }
    assert!(most <= 8 * SEGMENT_BYTES, "{most} bytes more than twice what lives");
    check(&dbm);
}

#[test]
fn files_shrink_when_records_go() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    fill(&dbm, 4000, 1000);
    let full = disk.used();
    for n in 0..4000u32 {
        if n % 50 != 0 {
            dbm.remove(&n.to_be_bytes()).expect("removed");
        }
    }
    dbm.volume.settle();
    let cleaned = dbm.volume.log_bytes();
    assert!(cleaned <= 2 * live(&dbm) + 5 * SEGMENT_BYTES, "{cleaned} bytes of log");
    assert!(disk.used() < full - 2_000_000, "{} of {full}", disk.used());
    dbm.rebuild().expect("rebuilt");
    let rebuilt = dbm.volume.log_bytes();
    assert!(rebuilt <= live(&dbm) + 2 * SEGMENT_BYTES, "{rebuilt} bytes of log");
    assert!(!dbm.sizes().should_be_rebuilt);
    assert_eq!(check(&dbm).len(), 80);
}

#[test]
fn large_values_that_go_are_cleaned_by_few_updates() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    fill(&dbm, 40, 150_000);
    for n in 0..40u32 {
        dbm.remove(&n.to_be_bytes()).expect("removed");
    }
    dbm.volume.settle();
    assert!(dbm.volume.log_bytes() <= 8 * SEGMENT_BYTES, "{}", dbm.volume.log_bytes());
    assert!(check(&dbm).is_empty());
}

/// Records that fill little more than half of a segment: no walk gets the log
/// below twice what lives, and the cleaner must not walk for ever.
#[test]
fn what_cannot_be_cleaned_is_left() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    fill(&dbm, 30, 36_000);
    for round in 0..5 {
        fill(&dbm, 30, 36_000 + round);
    }
    dbm.volume.settle();
    assert_eq!(check(&dbm).len(), 30);
}

#[test]
fn clearing_gives_everything_back() {
    use hozo_traits::{Durability, KvStoreExt, exec::block_on};
    let disk = SimDisk::new();
    let dbm = open(&disk);
    fill(&dbm, 4000, 1000);
    block_on(dbm.clear(Durability::Sequenced)).expect("cleared");
    dbm.volume.settle();
    assert!(dbm.volume.log_bytes() <= 4 * SEGMENT_BYTES, "{}", dbm.volume.log_bytes());
    fill(&dbm, 10, 10);
    drop(dbm);
    assert_eq!(check(&open(&disk)).len(), 10);
}
