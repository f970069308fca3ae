//! Shards of one pager, each used by a thread of its own while checkpoints are
//! made: what the pager promises to structures that lock only themselves.

use std::sync::Arc;

use hozo_log::disk::{Disk, RealDisk};
use parking_lot::Mutex;

use super::super::*;

const THREADS: usize = 4;
const ROUNDS: u64 = 12;
const STEP: u64 = 4000;

fn hash(shard: usize, n: u64) -> u64 {
    ((shard as u64) << 58) | (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 6)
}

#[test]
fn shards_share_a_pager_while_checkpoints_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(dir.path()).unwrap());
    let pager = Pager::create(disk.create("index").unwrap()).unwrap();
    let shards: Vec<_> = (0..THREADS).map(|no| Mutex::new((Shard::new(no), 0u64))).collect();
    let mut kept = None;
    std::thread::scope(|scope| {
        for no in 0..THREADS {
            let (shards, pager) = (&shards, &pager);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    for n in round * STEP + 1..=(round + 1) * STEP {
                        let mut shard = shards[no].lock();
                        shard.0.insert(pager, hash(no, n), n).unwrap();
                        shard.1 += 1;
                        if n % 3 == 0 {
                            assert!(shard.0.remove(pager, hash(no, n), n).unwrap());
                            shard.1 -= 1;
                        }
                        let n = n / 2 * 3 / 3 + 1;
                        let found = shard.0.find(pager, hash(no, n), |g| Ok(g == n)).unwrap();
                        assert_eq!(found.is_some(), n % 3 != 0, "{n} of {no}");
                    }
                }
            });
        }
        for _ in 0..40 {
            let mut all: Vec<_> = shards.iter().map(|shard| shard.lock()).collect();
            let frozen = pager.freeze();
            let mut roots = Vec::new();
            for shard in &mut all {
                shard.0.encode(&mut roots);
            }
            let counts: Vec<u64> = all.iter().map(|shard| shard.1).collect();
            drop(all);
            pager.flush(&frozen).unwrap();
            kept = Some((frozen.epoch(), roots, counts));
            pager.release(frozen);
            std::thread::yield_now();
        }
    });
    for shard in &shards {
        shard.lock().0.check(&pager).unwrap();
    }
    drop(pager);
    let (epoch, roots, counts) = kept.unwrap();
    let pager = Pager::open(disk.open("index").unwrap(), epoch).unwrap();
    let (mut roots, mut used) = (roots.as_slice(), PageSet::default());
    for (no, count) in counts.into_iter().enumerate() {
        let shard = Shard::decode(no, &mut roots).unwrap();
        assert_eq!(shard.entries(), count);
        shard.check(&pager).unwrap();
        shard.pages(&pager, &mut used).unwrap();
    }
    pager.reclaim(&used).unwrap();
}
