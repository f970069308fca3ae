//! What a table costs in time and space: run by hand, in release.

use std::hint::black_box;

use hozo_log::disk::{Disk, RealDisk};

use super::super::*;

fn hash(n: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(&n.to_le_bytes(), 42)
}

fn bytes(pager: &Pager, shards: &[Shard]) -> f64 {
    let mut used = PageSet::default();
    shards.iter().for_each(|shard| shard.pages(pager, &mut used).unwrap());
    let cells: usize = shards.iter().map(|shard| shard.cells.len() * 8).sum();
    (used.iter().count() * 4096 + cells) as f64
}

/// Nanoseconds that this thread has run: other work on the machine does not
/// count, but for what it takes of the caches.
fn now() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

fn since(begin: u64, n: usize) -> f64 {
    (now() - begin) as f64 / n as f64
}

fn timed(what: &str, n: u64, mut each: impl FnMut(u64)) {
    let begin = now();
    (1..=n).for_each(&mut each);
    println!("  {what}: {:.1} ns", since(begin, n as usize));
}

fn measure(n: u64) {
    let dir = tempfile::tempdir().unwrap();
    let disk = RealDisk::open(dir.path()).unwrap();
    let pager = Pager::create(disk.create("index").unwrap()).unwrap();
    let mut shards: Vec<Shard> = (0..SHARDS).map(Shard::new).collect();
    println!("{n} entries");
    timed("hash alone", n, |i| {
        black_box(hash(black_box(i)));
    });
    let (mut next, mut sum, mut times, mut most) = (n / 8, 0.0, 0, 0.0f64);
    timed("insert, growing", n, |i| {
        let hash = hash(i);
        shards[shard_of(hash)].insert(&pager, hash, i).unwrap();
        if i == next {
            let each = bytes(&pager, &shards) / i as f64;
            (sum, times, most) = (sum + each, times + 1, most.max(each));
            next += next / 40;
        }
    });
    println!("  bytes for each: mean {:.2}, most {most:.2}", sum / f64::from(times));
    let mut used = PageSet::default();
    shards.iter().for_each(|shard| shard.pages(&pager, &mut used).unwrap());
    let used: Vec<u32> = used.iter().collect();
    let mut sum = 0;
    let zero = black_box(0);
    timed("reading any word of any page, one after the other", n, |i| {
        let hash = hash(i + (sum & zero)) as u32;
        let no = used[((u64::from(hash) * used.len() as u64) >> 32) as usize];
        sum ^= pager.page(no).unwrap().words()[hash as usize % 509];
    });
    black_box(sum);
    timed("find", n, |i| {
        let hash = hash(i);
        black_box(shards[shard_of(hash)].find(&pager, hash, |g| Ok(g == i)).unwrap().unwrap());
    });
    timed("find nothing", n, |i| {
        let hash = hash(i + n);
        assert!(shards[shard_of(hash)].find(&pager, hash, |g| Ok(g == i)).unwrap().is_none());
    });
    // Few enough pages that they are in the caches, and the same probes.
    let near: Vec<u64> =
        (1..=n).map(hash).filter(|h| h >> 58 == 3 && tag_of(*h) >> 21 == 1).collect();
    let near = &near[..near.len().min(4000)];
    let begin = now();
    let rounds = 2_000_000 / near.len();
    for _ in 0..rounds {
        for &hash in near {
            black_box(shards[3].find(&pager, hash, |_| Ok(true)).unwrap());
        }
    }
    let each = since(begin, rounds * near.len());
    println!("  find in {} entries in the caches: {each:.1} ns", near.len());
    timed("replace by entry", n, |i| {
        let hash = hash(i);
        match shards[shard_of(hash)].entry(&pager, hash, |g| Ok(g == i)).unwrap() {
            Entry::Occupied(mut occupied) => occupied.replace(i + n),
            Entry::Vacant(_) => unreachable!(),
        }
    });
    let mut entries = Vec::new();
    let begin = now();
    let mut count = 0;
    for shard in &shards {
        let mut from = Some(0);
        while let Some(tag) = from {
            entries.clear();
            from = shard.entries_from(&pager, tag, &mut entries).unwrap();
            count += entries.len();
        }
    }
    println!("  walk: {:.1} ns", since(begin, count));
    timed("remove", n, |i| {
        let hash = hash(i);
        assert!(shards[shard_of(hash)].remove(&pager, hash, i + n).unwrap());
    });
    assert_eq!(bytes(&pager, &shards) as usize, SHARDS * 8);
}

#[test]
#[ignore = "measures; run it in release"]
fn measure_1_million() {
    measure(1_000_000);
}

#[test]
#[ignore = "measures; run it in release"]
fn measure_10_million() {
    measure(10_000_000);
}
