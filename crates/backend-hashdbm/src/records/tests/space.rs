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
    // Twice what lives, and what is spared however small the log is: writers
    // wait before it is more, whatever else the machine does.
    assert!(most <= 14 * SEGMENT_BYTES, "{most} bytes more than twice what lives");
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

/// What is damaged cannot be walked.
#[test]
fn segments_of_garbage_go_without_a_look_at_them() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    fill(&dbm, 2000, 1000);
    let names = disk.list().expect("listed");
    // The first one was there when the log was made, and is not counted.
    let damaged = names.iter().filter(|name| name.ends_with(".seg")).nth(2).expect("many");
    disk.flip(damaged, 5000);
    fill(&dbm, 2000, 1000);
    dbm.volume.settle();
    assert!(!disk.list().expect("listed").contains(damaged), "the segment went");
    assert_eq!(check(&dbm).len(), 2000);
}

/// Removing in the order of setting: until tombstones are as much as what
/// lives, nothing is moved for their sake.
#[test]
fn tombstones_alone_are_no_reason_to_move_what_lives() {
    const RECORDS: u32 = 40_000;
    const REMOVED: u32 = RECORDS / 10 * 6;
    let disk = SimDisk::new();
    let dbm = open(&disk);
    fill(&dbm, RECORDS, 8);
    dbm.volume.settle();
    let begin = dbm.volume.core().log.head();
    for n in 0..REMOVED {
        dbm.remove(&n.to_be_bytes()).expect("removed");
    }
    dbm.volume.settle();
    let written = dbm.volume.core().log.head() - begin;
    let tombstones = u64::from(REMOVED) * super::super::shard::bytes_of(&[0; 4], &[]);
    assert!(tombstones > live(&dbm) / 10 * 9, "enough for cleaning, if they did count");
    // The first segment is walked, and there are marks and segments' ends.
    let most = tombstones + 3 * SEGMENT_BYTES;
    assert!(written <= most, "{written} bytes were written, {most} expected");
    for n in REMOVED..RECORDS {
        dbm.remove(&n.to_be_bytes()).expect("removed");
    }
    dbm.volume.settle();
    assert!(dbm.volume.log_bytes() <= 5 * SEGMENT_BYTES, "{}", dbm.volume.log_bytes());
    assert!(check(&dbm).is_empty());
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
