//! What a power cut may leave: of what was synced everything, of what sled has
//! written since any blocks, in any order.

use std::fs;
use std::path::Path;

use super::*;

const DISK_BLOCK: usize = 4096;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The log as it was at the last sync, with some of the blocks that were
/// written since.
fn cut(synced: &Path, written: &Path, dead: &Path, random: &mut Random) {
    copy(written, dead);
    let read = |dir: &Path| fs::read(dir.join(LOG_FILE)).unwrap();
    let (old, mut bytes) = (read(synced), read(written));
    let mut at = 0;
    while at < bytes.len() {
        let stop = (at + DISK_BLOCK).min(bytes.len());
        if random.below(4) == 0 {
            let kept = old.len().clamp(at, stop) - at;
            if kept > 0 {
                bytes[at..at + kept].copy_from_slice(&old[at..at + kept]);
            }
            bytes[at + kept..stop].fill(0);
        }
        at = stop;
    }
    if random.below(4) == 0 && bytes.len() > old.len() {
        let more = u64::try_from(bytes.len() - old.len()).unwrap();
        bytes.truncate(old.len() + usize::try_from(random.below(more + 1)).unwrap());
    }
    fs::write(dead.join(LOG_FILE), bytes).unwrap();
}

/// A store that is written to until its power is cut.
struct Run {
    random: Random,
    live: TempDir,
    /// Its files as they were at the last sync.
    old: TempDir,
    engine: Engine,
    /// Which pages each batch wrote.
    batches: Vec<Vec<u64>>,
    /// How many batches the last sync covered.
    synced: usize,
}

const PAGES: u64 = 40;

fn image(batch: usize) -> Bytes {
    vec![u8::try_from(batch % 251).unwrap(); 4000].into()
}

impl Run {
    fn new(seed: u64) -> Run {
        let (live, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let engine = Engine::open(&Config::new(live.path())).unwrap();
        copy(live.path(), old.path());
        let random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        Run { random, live, old, engine, batches: Vec::new(), synced: 0 }
    }

    fn apply(&mut self) {
        let batch = self.batches.len() + 1;
        let count = if self.random.below(30) == 0 { 200 } else { 1 + self.random.below(3) };
        let pages: Vec<u64> = (0..count).map(|_| self.random.below(PAGES)).collect();
        let n = Bytes::from(batch.to_be_bytes().to_vec());
        let mut ops = vec![
            Op::Put { space: Space::Log, key: n.clone(), value: Bytes::new() },
            Op::Put { space: Space::System, key: Bytes::from_static(b"last"), value: n.clone() },
        ];
        for (at, page) in pages.iter().enumerate() {
            let key = Bytes::from(page.to_be_bytes().to_vec());
            ops.push(Op::Put { space: Space::Staged, key, value: image(batch) });
            // History, which stays.
            let key = Bytes::from([&n[..], &at.to_be_bytes()].concat());
            ops.push(Op::Put { space: Space::Times, key, value: image(batch) });
        }
        // As the engine does by itself when the batch comes.
        let before = self.engine.unsynced.load(Ordering::Relaxed);
        self.engine.sync_before(pages.len() as u64 * 8100).unwrap();
        if self.engine.unsynced.load(Ordering::Relaxed) < before {
            self.synced = batch - 1;
            copy(self.live.path(), self.old.path());
        }
        self.engine.apply(&ops).unwrap();
        self.batches.push(pages);
    }

    /// Cuts the power: a prefix must be left, with all that was synced in it.
    fn cut(mut self) {
        let dead = TempDir::new().unwrap();
        cut(self.old.path(), self.live.path(), dead.path(), &mut self.random);
        drop(self.engine);
        let engine = Engine::open(&Config::new(dead.path())).unwrap();
        let left = engine.get(Space::System, b"last").unwrap();
        let left = left.map_or(0, |v| usize::from_be_bytes(v[..].try_into().unwrap()));
        let (synced, written) = (self.synced, self.batches.len());
        assert!((synced..=written).contains(&left), "{left} of {synced} synced, {written} written");

        let keys = |space| {
            let (start, end) = ([0; 16], [0xff; 16]);
            let (limit, bytes_max) = (usize::MAX, usize::MAX);
            let all = Scan { space, start: &start, end: &end, reverse: false, limit, bytes_max };
            engine.scan(&all).unwrap()
        };
        let expected = (1..=left).map(|n| Bytes::from(n.to_be_bytes().to_vec()));
        let log = keys(Space::Log).into_iter().map(|(key, _)| key);
        assert!(log.eq(expected), "a prefix of the batches");
        let history = self.batches[..left].iter().enumerate();
        let history = history.flat_map(|(n, pages)| pages.iter().map(move |_| image(n + 1)));
        assert!(keys(Space::Times).into_iter().map(|(_, v)| v).eq(history), "all of their history");
        for page in 0..PAGES {
            let last = self.batches[..left].iter().rposition(|pages| pages.contains(&page));
            let stored = engine.get(Space::Staged, &page.to_be_bytes()).unwrap();
            assert_eq!(stored, last.map(|n| image(n + 1)), "page {page}");
        }
    }
}

#[test]
fn a_power_cut_leaves_a_prefix_with_everything_that_was_synced() {
    for seed in 1..=12 {
        println!("seed {seed}");
        let mut run = Run::new(seed);
        for _ in 0..20 + run.random.below(120) {
            run.apply();
        }
        run.cut();
    }
}
