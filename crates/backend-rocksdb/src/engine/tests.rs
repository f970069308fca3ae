use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;

type Model = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    fn space(&mut self) -> Space {
        Space::ALL[usize::try_from(self.below(Space::ALL.len() as u64)).unwrap()]
    }

    /// A key of the shape that the space has, out of few.
    fn key(&mut self, space: Space) -> Vec<u8> {
        let mut key = self.below(3).to_be_bytes().to_vec();
        match space {
            Space::Pages => {
                key.extend(u32::try_from(self.below(4)).unwrap().to_be_bytes());
                key.extend(self.below(6).to_be_bytes());
                key.extend([0, 0]);
            }
            Space::Meta => {
                let length = usize::try_from(1 + self.below(12)).unwrap();
                key = (0..length).map(|_| b'a' + u8::try_from(self.below(3)).unwrap()).collect();
            }
            _ => key.extend(self.below(8).to_be_bytes()),
        }
        key
    }

    fn value(&mut self) -> Vec<u8> {
        let length = usize::try_from([0, 20, 900, 70_000][usize::try_from(self.below(4)).unwrap()]);
        vec![u8::try_from(self.below(256)).unwrap(); length.unwrap()]
    }
}

fn open(dir: &TempDir) -> Engine {
    Engine::open(&Config { write_buffer_bytes: 1 << 20, ..Config::new(dir.path()) }).unwrap()
}

fn apply(engine: &Engine, model: &mut Model, random: &mut Random) {
    let mut ops = Vec::new();
    for _ in 0..=random.below(6) {
        let space = random.space();
        let key = Bytes::from(random.key(space));
        match random.below(8) {
            0 | 1 => {
                model.remove(&(space, key.to_vec()));
                ops.push(Op::Delete { space, key });
            }
            2 => {
                let end = Bytes::from(random.key(space));
                model.retain(|(s, k), _| *s != space || **k < *key || **k >= *end);
                ops.push(Op::DeleteRange { space, start: key, end });
            }
            _ => {
                let value = Bytes::from(random.value());
                model.insert((space, key.to_vec()), value.to_vec());
                ops.push(Op::Put { space, key, value });
            }
        }
    }
    engine.apply(&ops).unwrap();
}

fn compare(engine: &Engine, model: &Model, random: &mut Random) {
    for space in Space::ALL {
        let (a, b) = (random.key(space), random.key(space));
        let pairs: Vec<Pair> = model
            .range((space, a.clone())..)
            .take_while(|((s, k), _)| *s == space && *k < b)
            .map(|((_, k), v)| (Bytes::from(k.clone()), Bytes::from(v.clone())))
            .collect();
        for reverse in [false, true] {
            let mut expected = pairs.clone();
            if reverse {
                expected.reverse();
            }
            let mut scan =
                Scan { space, start: &a, end: &b, reverse, limit: 100, bytes_max: usize::MAX };
            assert_eq!(engine.scan(&scan).unwrap(), expected);
            scan.limit = 2;
            expected.truncate(2);
            assert_eq!(engine.scan(&scan).unwrap(), expected);
            scan.bytes_max = 1;
            expected.truncate(1);
            assert_eq!(engine.scan(&scan).unwrap(), expected);
        }
        let keys = vec![a.clone(), b.clone(), a.clone()];
        let values: Vec<Option<Bytes>> =
            keys.iter().map(|k| model.get(&(space, k.clone())).cloned().map(Bytes::from)).collect();
        assert_eq!(engine.get(space, &a).unwrap(), values[0]);
        assert_eq!(engine.get_many(space, &keys).unwrap(), values);

        let mut ranges = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..4 {
            let end = random.key(space);
            let mut start = random.key(space);
            if space == Space::Pages {
                start[..12].copy_from_slice(&end[..12]);
            }
            expected.push(
                model
                    .range(..=(space, end.clone()))
                    .next_back()
                    .filter(|((s, k), _)| *s == space && *k >= start)
                    .map(|((_, k), v)| (Bytes::from(k.clone()), Bytes::from(v.clone()))),
            );
            ranges.push(KeyRange { start, end });
        }
        assert_eq!(engine.last_in_many(space, &ranges).unwrap(), expected);
        for (range, expected) in ranges.iter().zip(expected) {
            assert_eq!(engine.last_in(space, &range.start, &range.end).unwrap(), expected);
        }
    }
}

#[test]
fn it_does_what_a_sorted_map_does_also_after_reopening() {
    for seed in [1, 2, 3] {
        println!("seed {seed}");
        let dir = TempDir::new().unwrap();
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut model = Model::new();
        let mut engine = open(&dir);
        for _ in 0..60 {
            for _ in 0..random.below(12) {
                apply(&engine, &mut model, &mut random);
            }
            if random.below(3) == 0 {
                engine.sync().unwrap();
            }
            if random.below(12) == 0 {
                let db = engine.db().unwrap();
                for space in Space::ALL {
                    db.flush_cf(family(db, space).unwrap()).unwrap();
                }
            }
            if random.below(10) == 0 {
                drop(engine);
                engine = open(&dir);
            }
            compare(&engine, &model, &mut random);
        }
    }
}

#[test]
fn an_inverted_range_has_nothing() {
    let dir = TempDir::new().unwrap();
    let engine = open(&dir);
    let key = |n: u8| Bytes::from(vec![n; 22]);
    let put = Op::Put { space: Space::Pages, key: key(5), value: Bytes::from_static(b"x") };
    engine.apply(&[put]).unwrap();
    let inverted = Op::DeleteRange { space: Space::Pages, start: key(9), end: key(1) };
    engine.apply(&[inverted]).unwrap();
    assert!(engine.get(Space::Pages, &key(5)).unwrap().is_some());
    assert_eq!(engine.last_in(Space::Pages, &key(9), &key(1)).unwrap(), None);
    let scan = Scan {
        space: Space::Pages,
        start: &key(9),
        end: &key(1),
        reverse: true,
        limit: 9,
        bytes_max: 9,
    };
    assert_eq!(engine.scan(&scan).unwrap(), []);
}

#[test]
fn a_closed_store_has_no_zeros_ahead_of_its_log() {
    let dir = TempDir::new().unwrap();
    let engine = Engine::open(&Config::new(dir.path())).unwrap();
    let put = |n: u32| Op::Put {
        space: Space::Log,
        key: Bytes::from(n.to_be_bytes().to_vec()),
        value: Bytes::from(vec![7; 100]),
    };
    for n in 0..100 {
        engine.apply(&[put(n)]).unwrap();
        engine.sync().unwrap();
    }
    let (_, log) = wal::log_files(&engine.path).unwrap().pop().unwrap();
    let open = log.metadata().unwrap().len();
    assert!(open > 64 << 10, "zeros are ahead of the end while it is open: {open}");
    drop(engine);
    let closed = log.metadata().unwrap().len();
    assert!(closed < 32 << 10, "and are cut off when it closes: {closed}");
}

#[test]
fn a_large_log_becomes_tables_when_the_store_closes() {
    let dir = TempDir::new().unwrap();
    let engine = Engine::open(&Config::new(dir.path())).unwrap();
    let put = |n: u32| Op::Put {
        space: Space::Log,
        key: Bytes::from(n.to_be_bytes().to_vec()),
        value: Bytes::from(vec![7; 2000]),
    };
    for n in 0..400 {
        engine.apply(&[put(n)]).unwrap();
    }
    drop(engine);
    let engine = Engine::open(&Config::new(dir.path())).unwrap();
    let log = engine.written.load(Ordering::Relaxed);
    assert!(log < 100, "nothing was left in the log: {log}");
    assert!(engine.get(Space::Log, &399_u32.to_be_bytes()).unwrap().is_some());
}

/// What a power cut may leave: of what was synced everything, of what was
/// written to the log since any blocks, in any order.
#[test]
fn a_power_cut_leaves_a_prefix_with_everything_that_was_synced() {
    const DISK_BLOCK: usize = 512;
    for seed in 1..=40 {
        println!("seed {seed}");
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let live = TempDir::new().unwrap();
        let engine = Engine::open(&Config::new(live.path())).unwrap();
        let batch = |n: u64| {
            let value = Bytes::from(n.to_be_bytes().to_vec());
            let bulk = Bytes::from(vec![u8::try_from(n % 251).unwrap(); 700]);
            let key = Bytes::from(n.to_be_bytes().to_vec());
            [
                Op::Put { space: Space::Log, key: key.clone(), value: bulk },
                Op::Put { space: Space::Times, key, value: Bytes::new() },
                Op::Put { space: Space::System, key: Bytes::from_static(b"last"), value },
            ]
        };
        let (mut last, mut synced, mut synced_length) = (0, 0, 0);
        let stop = 20 + random.below(200);
        while last < stop {
            last += 1;
            engine.apply(&batch(last)).unwrap();
            if random.below(6) == 0 && last + 12 < stop {
                engine.sync().unwrap();
                synced = last;
                synced_length = written_length(&engine);
            }
        }
        let dead = TempDir::new().unwrap();
        for entry in std::fs::read_dir(live.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dead.path().join(entry.file_name())).unwrap();
        }
        drop(engine);
        let (_, log) = wal::log_files(dead.path()).unwrap().pop().unwrap();
        let mut bytes = std::fs::read(&log).unwrap();
        let mut at = synced_length;
        while at < bytes.len() {
            let stop = ((at / DISK_BLOCK + 1) * DISK_BLOCK).min(bytes.len());
            if random.below(5) == 0 {
                bytes[at..stop].fill(0);
            }
            at = stop;
        }
        if random.below(4) == 0 {
            let length = u64::try_from(bytes.len() - synced_length).unwrap();
            bytes.truncate(synced_length + usize::try_from(random.below(length + 1)).unwrap());
        }
        std::fs::write(&log, bytes).unwrap();

        for _ in 0..2 {
            let engine = Engine::open(&Config::new(dead.path())).unwrap();
            let left = engine.get(Space::System, b"last").unwrap();
            let left = left.map_or(0, |v| u64::from_be_bytes(v[..].try_into().unwrap()));
            assert!((synced..=last).contains(&left), "{left} of {synced} synced, {last} written");
            for space in [Space::Log, Space::Times] {
                let (start, end) = ([0; 8], [0xff; 8]);
                let all = Scan {
                    space,
                    start: &start,
                    end: &end,
                    reverse: false,
                    limit: usize::MAX,
                    bytes_max: usize::MAX,
                };
                let keys = engine.scan(&all).unwrap();
                let expected = (1..=left).map(|n| Bytes::from(n.to_be_bytes().to_vec()));
                assert!(keys.into_iter().map(|(key, _)| key).eq(expected), "a prefix in {space:?}");
            }
        }
    }
}

/// Where the log's last batch ends, or a little after.
fn written_length(engine: &Engine) -> usize {
    let (_, log) = wal::log_files(&engine.path).unwrap().pop().unwrap();
    let bytes = std::fs::read(log).unwrap();
    // The last batch may end with a few zeros.
    bytes.iter().rposition(|b| *b != 0).map_or(0, |at| (at + 1 + 8).min(bytes.len()))
}

/// Makes the store as if it had been made before there was this space.
fn forget_family(dir: &TempDir, space: Space) {
    let names = rocksdb::DB::list_cf(&rocksdb::Options::default(), dir.path()).unwrap();
    let mut db = rocksdb::DB::open_cf(&rocksdb::Options::default(), dir.path(), names).unwrap();
    db.drop_cf(space.name()).unwrap();
    drop(db);
}

#[test]
fn a_store_from_before_there_were_records_opens() {
    without(&[Space::Records, Space::Changes]);
}

#[test]
fn a_store_from_before_there_was_a_list_of_changes_opens() {
    without(&[Space::Changes]);
}

fn without(missing: &[Space]) {
    let dir = TempDir::new().unwrap();
    let (mut random, mut model) = (Random(7), Model::new());
    let engine = open(&dir);
    for _ in 0..100 {
        apply(&engine, &mut model, &mut random);
    }
    engine.sync().unwrap();
    drop(engine);
    for space in missing {
        forget_family(&dir, *space);
    }
    model.retain(|(space, _), _| !missing.contains(space));
    for _ in 0..2 {
        let engine = open(&dir);
        for space in Space::ALL {
            let end = [0xff; 64];
            let scan = Scan {
                space,
                start: b"",
                end: &end,
                reverse: false,
                limit: usize::MAX,
                bytes_max: usize::MAX,
            };
            let found = engine.scan(&scan).unwrap();
            let found = found.into_iter().map(|(k, v)| ((space, k.to_vec()), v.to_vec()));
            let expected = model.iter().filter(|((s, _), _)| *s == space);
            assert!(found.eq(expected.map(|(k, v)| (k.clone(), v.clone()))), "{space:?}");
        }
        for _ in 0..20 {
            apply(&engine, &mut model, &mut random);
        }
        engine.sync().unwrap();
    }
}

#[test]
fn a_store_that_lost_another_space_does_not_open() {
    let dir = TempDir::new().unwrap();
    drop(open(&dir));
    forget_family(&dir, Space::Log);
    assert!(Engine::open(&Config::new(dir.path())).is_err());
}
