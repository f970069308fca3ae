use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;

mod power;

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
    Engine::open(&Config { cache_bytes: 1 << 20, ..Config::new(dir.path()) }).unwrap()
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

/// Keys with many bytes 0xff, over which sled by itself cannot walk backwards.
#[test]
fn keys_of_high_bytes_are_found_backwards() {
    let dir = TempDir::new().unwrap();
    let engine = open(&dir);
    let mut keys = Vec::new();
    for group in 0..20_u8 {
        // Of many sizes, so that some of sled's nodes end where a group does.
        for n in 0..20 + group {
            keys.push(Bytes::from([&[group][..], &[0xff; 6], &[n]].concat()));
        }
    }
    for key in &keys {
        let put = Op::Put { space: Space::Meta, key: key.clone(), value: key.clone() };
        engine.apply(&[put]).unwrap();
    }
    let (start, end) = (&[0][..], &[99][..]);
    let (space, limit, bytes_max) = (Space::Meta, usize::MAX, usize::MAX);
    let all = Scan { space, start, end, reverse: true, limit, bytes_max };
    let found = engine.scan(&all).unwrap();
    assert!(found.iter().map(|(key, _)| key).eq(keys.iter().rev()), "all of them, in order");
    for (n, key) in keys.iter().enumerate().skip(1) {
        let last = engine.last_in(Space::Meta, &keys[n - 1], key).unwrap();
        assert_eq!(last.map(|(key, _)| key).as_ref(), Some(key));
        // A little below a key, the one before it is found.
        let below = key[..key.len() - 1].to_vec();
        if key.last() == Some(&0) {
            let last = engine.last_in(Space::Meta, &keys[0], &below).unwrap();
            assert_eq!(last.map(|(key, _)| key).as_ref(), Some(&keys[n - 1]));
        }
    }
}

#[test]
fn keys_keep_their_order_and_come_back() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut key = || -> Vec<u8> {
        let byte =
            |random: &mut Random| [0, 1, 0xfe, 0xff][usize::try_from(random.below(4)).unwrap()];
        (0..random.below(6)).map(|_| byte(&mut random)).collect()
    };
    for _ in 0..5000 {
        let (a, b) = (key(), key());
        let (ea, eb) = (encode(Space::Meta, &a), encode(Space::Meta, &b));
        assert_eq!(a.cmp(&b), ea.cmp(&eb), "{a:?} {b:?}");
        assert_eq!(decode(&ea), a);
        assert!(!ea.windows(2).any(|two| two == [0xff, 0xff]), "{ea:?}");
    }
}

#[test]
fn a_forked_or_failed_engine_is_not_used() {
    let dir = TempDir::new().unwrap();
    let mut engine = open(&dir);
    let put = Op::Put { space: Space::Meta, key: "k".into(), value: "v".into() };
    engine.apply(&[put]).unwrap();
    engine.pid += 1;
    assert_eq!(engine.get(Space::Meta, b"k").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(engine.sync().unwrap_err().kind(), ErrorKind::Unsupported);
    engine.pid -= 1;
    // What panicked is not waited for, and the store can be opened again.
    let failed = engine.read(|_| -> sled::Result<()> { panic!("on purpose") }).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Corrupt);
    drop(engine);
    assert_eq!(open(&dir).get(Space::Meta, b"k").unwrap(), Some("v".into()));
}
