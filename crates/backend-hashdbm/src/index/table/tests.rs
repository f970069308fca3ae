//! Tables against a model.

use std::collections::{BTreeMap, BTreeSet};

use hozo_log::disk::Disk;
use hozo_log::disk::sim::SimDisk;
use proptest::prelude::*;

use super::*;

mod measure;
mod threads;

struct Table {
    disk: SimDisk,
    pager: Pager,
    shard: Shard,
    /// What must be in it.
    model: BTreeSet<(u32, u64)>,
    /// As it was at the last checkpoint: epoch, directory, model.
    kept: (u32, Vec<u8>, BTreeSet<(u32, u64)>),
}

const SHARD: usize = 5;

fn hash(tag: u32) -> u64 {
    ((SHARD as u64) << 58) | (u64::from(tag) << 33) | 0x1_2345_6789
}

impl Table {
    fn new() -> Table {
        let disk = SimDisk::new();
        let pager = Pager::create(disk.create("index").unwrap()).unwrap();
        disk.sync_dir().unwrap();
        let kept = (0, Vec::new(), BTreeSet::new());
        let shard = Shard::new(SHARD);
        let mut table = Table { disk, pager, shard, model: BTreeSet::new(), kept };
        table.checkpoint();
        table
    }

    fn insert(&mut self, tag: u32, granule: u64) {
        if self.model.insert((tag, granule)) {
            self.shard.insert(&self.pager, hash(tag), granule).unwrap();
        }
    }

    fn remove(&mut self, tag: u32, granule: u64) {
        let known = self.model.remove(&(tag, granule));
        assert_eq!(self.shard.remove(&self.pager, hash(tag), granule).unwrap(), known);
    }

    fn find(&self, tag: u32, granule: u64) -> bool {
        let found = self.shard.find(&self.pager, hash(tag), |other| Ok(other == granule));
        found.unwrap() == Some(granule)
    }

    fn check(&self) {
        self.shard.check(&self.pager).unwrap();
        assert_eq!(self.shard.entries(), self.model.len() as u64);
        let (mut walked, mut from) = (Vec::new(), Some(0));
        while let Some(tag) = from {
            from = self.shard.entries_from(&self.pager, tag, &mut walked).unwrap();
        }
        assert!(walked.is_sorted_by_key(|entry| entry.0));
        walked.sort_unstable();
        assert!(walked.iter().eq(self.model.iter()));
        for &(tag, granule) in &self.model {
            assert!(self.find(tag, granule));
            assert!(!self.find(tag, granule + 1) || self.model.contains(&(tag, granule + 1)));
        }
    }

    fn checkpoint(&mut self) {
        let frozen = self.pager.freeze();
        let mut roots = Vec::new();
        self.shard.encode(&mut roots);
        self.pager.flush(&frozen).unwrap();
        self.kept = (frozen.epoch(), roots, self.model.clone());
        self.pager.release(frozen);
    }

    /// Cuts the power: of what was written since the last checkpoint, some
    /// reached the disk. Then opens as the checkpoint's roots say.
    fn crash(&mut self, seed: u64) {
        self.disk = self.disk.crash(seed);
        let (epoch, roots, model) = self.kept.clone();
        self.pager = Pager::open(self.disk.open("index").unwrap(), epoch).unwrap();
        self.shard = Shard::decode(SHARD, &mut roots.as_slice()).unwrap();
        let mut used = PageSet::default();
        self.shard.pages(&self.pager, &mut used).unwrap();
        self.pager.reclaim(&used).unwrap();
        self.model = model;
    }

    fn pages(&self) -> usize {
        let mut used = PageSet::default();
        self.shard.pages(&self.pager, &mut used).unwrap();
        used.iter().count()
    }
}

/// Tags as good hashes have them, for `n`.
fn spread(n: u64) -> u32 {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - TAG_BITS)) as u32
}

#[derive(Clone, Debug)]
enum Op {
    Insert { many: u16, from: u64, tags: Tags },
    Remove { every: u64, offset: u64 },
    Replace { every: u64 },
    Clear,
    Checkpoint,
    Crash { seed: u64 },
    FailedCheckpoint { seed: u64 },
}

#[derive(Clone, Copy, Debug)]
enum Tags {
    Spread,
    Near(u8),
    Few,
}

impl Tags {
    fn of(self, n: u64) -> u32 {
        match self {
            Tags::Spread => spread(n),
            Tags::Near(bits) => 0x0123_4567 ^ (spread(n) >> bits),
            Tags::Few => (n % 3) as u32 * 0x00ab_cdef,
        }
    }
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let tags = prop_oneof![5 => Just(Tags::Spread), 2 => (1..25u8).prop_map(Tags::Near), 1 => Just(Tags::Few)];
    let op = prop_oneof![
        8 => (1..1500u16, 0..100_000u64, tags)
            .prop_map(|(many, from, tags)| Op::Insert { many, from, tags }),
        5 => (1..5u64, 0..5u64).prop_map(|(every, offset)| Op::Remove { every, offset }),
        2 => (1..50u64).prop_map(|every| Op::Replace { every }),
        1 => Just(Op::Clear),
        4 => Just(Op::Checkpoint),
        3 => any::<u64>().prop_map(|seed| Op::Crash { seed }),
        1 => any::<u64>().prop_map(|seed| Op::FailedCheckpoint { seed }),
    ];
    proptest::collection::vec(op, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn any_operations_are_as_on_a_set(ops in ops()) {
        let mut table = Table::new();
        for op in ops {
            match op {
                Op::Insert { many, from, tags } => {
                    for n in from..from + u64::from(many) {
                        table.insert(tags.of(n), n + 1);
                    }
                }
                Op::Remove { every, offset } => {
                    let all: Vec<_> = table.model.iter().copied().collect();
                    for (tag, granule) in all {
                        if (granule + offset) % every == 0 {
                            table.remove(tag, granule);
                        }
                    }
                    table.remove(77, 77);
                }
                Op::Replace { every } => {
                    let all: Vec<_> = table.model.iter().copied().collect();
                    for (tag, granule) in all.into_iter().filter(|e| e.1 % every == 0) {
                        let new = granule + 1_000_000_000;
                        table.model.remove(&(tag, granule));
                        table.model.insert((tag, new));
                        prop_assert!(table.shard.replace(&table.pager, hash(tag), granule, new).unwrap());
                        prop_assert!(!table.shard.replace(&table.pager, hash(tag), granule, new).unwrap());
                    }
                }
                Op::Clear => {
                    table.shard.clear(&table.pager).unwrap();
                    table.model.clear();
                }
                Op::Checkpoint => table.checkpoint(),
                Op::Crash { seed } => table.crash(seed),
                Op::FailedCheckpoint { seed } => {
                    table.disk.fail_sync(1);
                    let frozen = table.pager.freeze();
                    prop_assert!(table.pager.flush(&frozen).is_err());
                    prop_assert!(table.pager.flush(&frozen).is_err(), "it stays broken");
                    table.crash(seed);
                }
            }
            table.check();
        }
    }
}

#[test]
fn grows_to_many_pages_and_shrinks_to_none() {
    let mut table = Table::new();
    let n = 200_000;
    for i in 1..=n {
        table.insert(spread(i), i);
    }
    table.check();
    let full = n as usize * 8 / PAGE;
    assert!(table.pages() * 10 < full * 14, "{} pages, where {full} would be full", table.pages());
    table.checkpoint();
    for i in 1..=n {
        table.remove(spread(i), i);
        if i % 40_000 == 0 {
            table.check();
            let left = (n - i) as usize * 8 / PAGE;
            assert!(table.pages() <= left * 3 + 4, "{} for {left}", table.pages());
        }
    }
    assert_eq!((table.pages(), table.shard.cells.len()), (0, 1));
    table.checkpoint();
    table.checkpoint();
    assert_eq!(table.pager.pages_used(), 1, "all is free again");
}

const PAGE: usize = super::super::page::PAGE_BYTES;

#[test]
fn equal_tags_make_chains_and_not_directories() {
    let mut table = Table::new();
    for tag in [0, 1, 12345, (1 << TAG_BITS) - 1] {
        for granule in 1..=5000 {
            table.insert(tag, granule);
        }
        for granule in 1..=700 {
            table.insert(spread(granule), granule);
        }
    }
    table.check();
    assert!(table.shard.cells.len() <= 4096, "{} cells", table.shard.cells.len());
    assert!(table.pages() < 80, "{} pages", table.pages());
    table.checkpoint();
    table.crash(1);
    table.check();
    for granule in (1..=5000).rev() {
        for tag in [12345, 0, 1, (1 << TAG_BITS) - 1] {
            table.remove(tag, granule);
        }
    }
    table.check();
    for granule in 1..=700 {
        table.remove(spread(granule), granule);
    }
    assert_eq!(table.pages(), 0);
}

#[test]
fn a_full_disk_is_an_error_that_changes_nothing() {
    let mut table = Table::new();
    table.disk.set_budget(Some(0));
    let (mut n, mut refused) = (0, 0);
    while refused < 2000 {
        n += 1;
        match table.shard.insert(&table.pager, hash(spread(n)), n) {
            Ok(()) => assert!(table.model.insert((spread(n), n))),
            Err(error) => {
                assert!(!error.to_string().contains("index page"), "{error}");
                refused += 1;
            }
        }
    }
    table.check();
    assert!(table.pager.reserve(1).is_err());
    // What is there can still be removed, and its space used.
    for i in 1..n / 2 {
        if table.model.remove(&(spread(i), i)) {
            assert!(table.shard.remove(&table.pager, hash(spread(i)), i).unwrap());
        }
    }
    table.check();
    table.disk.set_budget(None);
    table.pager.reserve(2000).unwrap();
    table.disk.set_budget(Some(0));
    for i in n + 1..n + 100_000 {
        table.insert(spread(i), i);
    }
    table.check();
}

#[test]
fn a_walk_goes_on_where_it_was_however_the_table_grows() {
    let mut table = Table::new();
    for i in 1..=20_000 {
        table.insert(spread(i), i);
    }
    let stay: BTreeMap<u64, u32> = (1..=20_000).step_by(2).map(|i| (i, spread(i))).collect();
    let (mut seen, mut from, mut next) = (Vec::new(), Some(0), 20_001);
    while let Some(tag) = from {
        from = table.shard.entries_from(&table.pager, tag, &mut seen).unwrap();
        for i in next..next + 1000 {
            table.insert(spread(i), i);
        }
        next += 1000;
        for i in (2..=20_000).step_by(2).filter(|i| i % 26 == next / 1000 % 26) {
            table.remove(spread(i), i);
        }
    }
    let met: Vec<u64> = seen.iter().map(|e| e.1).filter(|g| stay.contains_key(g)).collect();
    assert_eq!(met.len(), stay.len());
    assert_eq!(met.iter().collect::<BTreeSet<_>>().len(), stay.len());
}

#[test]
fn damage_is_an_error_and_no_panic() {
    use hozo_traits::ErrorKind;
    let mut table = Table::new();
    for i in 1..=5000 {
        table.insert(spread(i), i);
    }
    table.checkpoint();
    let (_, roots, _) = table.kept.clone();
    for cut in 0..roots.len() {
        assert!(Shard::decode(SHARD, &mut &roots[..cut]).is_err());
    }
    for at in 0..roots.len() {
        let mut roots = roots.clone();
        roots[at] ^= 0x41;
        if let Ok(shard) = Shard::decode(SHARD, &mut roots.as_slice()) {
            let _ = shard.check(&table.pager);
        }
    }
    // The pages of another shard have right checksums and are not ours.
    table.crash(1);
    let other = Shard::decode(SHARD + 1, &mut roots.as_slice()).unwrap();
    let error = other.find(&table.pager, hash(0), |_| Ok(false)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
