//! Records over real disks and over such as crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hozo_conformance::Rng;
use hozo_log::disk::Disk;
use hozo_log::disk::sim::SimDisk;
use hozo_traits::{Ambient, Timestamp};

use super::{Records, RecordsOptions, SyncMode};
use crate::index::table::SHARDS;

mod crash;
mod damage;
mod full;
mod golden;
mod hostile;
mod measure;
mod modes;
mod native;
mod space;
mod threads;

/// What a DBM holds.
type Contents = BTreeMap<Bytes, Bytes>;

const SEGMENT_BYTES: u64 = 64 << 10;

/// Small segments and frequent checkpoints, so that little work meets all.
const SMALL: RecordsOptions = RecordsOptions {
    segment_bytes: SEGMENT_BYTES,
    checkpoint_bytes: 3 * SEGMENT_BYTES,
    sync: SyncMode::System,
};

struct Seeded(u64);

impl Ambient for Seeded {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        Rng::new(self.0).fill(bytes);
    }
}

fn open_with(disk: &SimDisk, options: RecordsOptions) -> hozo_traits::Result<Records> {
    let disk: Arc<dyn Disk> = Arc::new(disk.again());
    Records::open(disk, options, &Seeded(7))
}

fn open(disk: &SimDisk) -> Records {
    open_with(disk, SMALL).expect("it opens")
}

/// What a power cut now leaves, also while the DBM's thread is at work: nothing
/// happens to the disk while the image is taken.
fn cut(disk: &SimDisk, rng: &Rng) -> SimDisk {
    disk.crash_at(0, rng.fork("cut").next());
    disk.remove("nothing").expect_err("there is no such file");
    disk.image().expect("it was asked for")
}

fn contents(dbm: &Records) -> Contents {
    let mut contents = Contents::new();
    dbm.for_each(|key, value| {
        let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        assert!(contents.insert(key, value).is_none(), "a record is met twice");
        true
    })
    .expect("it is read");
    contents
}

/// What must hold of every DBM at rest.
fn check(dbm: &Records) -> Contents {
    let core = dbm.volume.core();
    let mut live = 0;
    for shard in 0..SHARDS {
        let shard = dbm.volume.index().read(shard);
        shard.check(core).expect("the table is in order");
        live += shard.live();
    }
    check_garbage(dbm);
    let contents = contents(dbm);
    assert_eq!(dbm.count(), contents.len() as u64, "the count is exact");
    let records = contents.iter().map(|(key, value)| super::shard::bytes_of(key, value));
    assert_eq!(live, records.sum::<u64>(), "the bytes that live are counted right");
    for (key, value) in &contents {
        let found = dbm.get(key, Bytes::copy_from_slice).expect("it is read");
        assert_eq!(found.as_ref(), Some(value));
    }
    contents
}

/// What is said to be needed of each segment is what the index points to.
fn check_garbage(dbm: &Records) {
    let core = dbm.volume.core();
    // Nothing is cleaned away meanwhile.
    let shards: Vec<_> = (0..SHARDS).map(|shard| dbm.volume.index().read(shard)).collect();
    let mut positions = Vec::new();
    for shard in &shards {
        let (mut run, mut from) = (super::shard::Run::default(), Some(0));
        while let Some(tag) = from {
            from = run.fill(core, shard, tag).expect("it is read");
            positions.extend(run.entries().iter().map(|entry| entry.1));
        }
    }
    for (segment, needed) in core.log.counted() {
        let there = positions.iter().filter(|position| segment.contains(position)).count();
        assert_eq!(there as u64, needed, "records needed in the segment at {}", segment.start);
    }
}

fn bytes(bytes: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.as_ref())
}
