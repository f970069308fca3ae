//! An index or roots that are gone or damaged: made anew, and said so. A log
//! that is damaged: an error.

use hozo_traits::KvStore;
use hozo_traits::exec::block_on;

use super::*;

fn filled(disk: &SimDisk) -> Contents {
    let dbm = open(disk);
    let mut rng = Rng::new(5);
    for n in 0..6000u32 {
        let key = bytes(format!("key {}", rng.below(900)));
        if n % 5 == 0 {
            dbm.remove(&key).expect("removed");
        } else {
            dbm.set(&key, &vec![n as u8; rng.below(300)]).expect("set");
        }
    }
    check(&dbm)
}

fn order(dbm: &Records) -> Vec<Bytes> {
    let mut order = Vec::new();
    dbm.for_each(|key, _| {
        order.push(bytes(key));
        true
    })
    .expect("read");
    order
}

fn comes_back(damage: impl Fn(&SimDisk)) {
    let disk = SimDisk::new();
    let expected = filled(&disk);
    let before = order(&open(&disk));
    damage(&disk);
    {
        let dbm = open(&disk);
        assert_eq!(dbm.messages().len(), 1, "it says what it did");
        assert!(check(&dbm) == expected);
        assert!(order(&dbm) == before, "the order of scans stays (KV-12)");
    }
    let dbm = open(&disk);
    assert!(dbm.messages().is_empty(), "only once: {:?}", dbm.messages());
    assert!(check(&dbm) == expected);
}

#[test]
fn roots_that_are_missing() {
    comes_back(|disk| disk.remove("roots").expect("removed"));
}

#[test]
fn roots_that_are_damaged() {
    for at in [0, 8, 12, 25, 60, 400] {
        comes_back(|disk| disk.flip("roots", at));
    }
    comes_back(|disk| disk.put("roots", b""));
    comes_back(|disk| disk.put("roots", &disk.get("roots")[..100]));
}

#[test]
fn an_index_that_is_missing() {
    comes_back(|disk| disk.remove("index").expect("removed"));
    comes_back(|disk| disk.put("index", b""));
    comes_back(|disk| disk.put("index", &vec![0; 4 << 20]));
}

#[test]
fn an_index_that_is_damaged_where_it_is_read() {
    comes_back(|disk| {
        let mut index = disk.get("index");
        index.iter_mut().skip(4096).for_each(|byte| *byte ^= 1);
        disk.put("index", &index);
        let dbm = open(disk);
        let error = dbm.for_each(|_, _| true).expect_err("the index cannot be read");
        assert_eq!(error.kind(), hozo_traits::ErrorKind::Corrupt, "{error}");
        dbm.set(b"key 1", b"lost").expect_err("nor written");
    });
}

#[test]
fn a_log_that_is_damaged_is_an_error() {
    let disk = SimDisk::new();
    let expected = filled(&disk);
    // The oldest record that lives: much that is durable comes after it.
    let (position, key) = {
        let dbm = open(&disk);
        // What is moved on is no place to damage.
        dbm.volume.settle();
        let shards = dbm.volume.index();
        let place = |key: &Bytes| {
            let hash = shards.hash(key);
            let shard = shards.read(shards.shard_of(hash));
            let found = shard.find(dbm.volume.core(), hash, key).expect("found");
            (found.expect("it is there").position, key.clone())
        };
        expected.keys().map(place).min().expect("there are records")
    };
    // The file that begins last at or before it: files may span several numbers.
    let number = |name: &String| u64::from_str_radix(name.strip_suffix(".seg")?, 16).ok();
    let numbers = disk.list().expect("listed");
    let numbers = numbers.iter().filter_map(number).filter(|n| n * SEGMENT_BYTES <= position);
    let first = numbers.max().expect("a segment has it");
    // Its key's first byte but one.
    disk.flip(&format!("{first:016x}.seg"), position - first * SEGMENT_BYTES + 8);
    {
        let dbm = open(&disk);
        assert!(dbm.messages().is_empty(), "nobody has looked yet");
        let error = dbm.for_each(|_, _| true).expect_err("it is met");
        assert_eq!(error.kind(), hozo_traits::ErrorKind::Corrupt, "{error}");
        let read = block_on(dbm.get_many(std::slice::from_ref(&key)));
        read.expect_err("what is damaged is not what is not there");
        let error = dbm.get(&key, |_| ()).expect_err("nor here");
        assert_eq!(error.kind(), hozo_traits::ErrorKind::Corrupt, "{error}");
    }
    // Without an index all of the log is needed.
    disk.remove("roots").expect("removed");
    let Err(error) = open_with(&disk, SMALL) else { panic!("it opens") };
    assert_eq!(error.kind(), hozo_traits::ErrorKind::Corrupt, "{error}");
}

#[test]
fn segments_that_are_missing_are_an_error() {
    let disk = SimDisk::new();
    filled(&disk);
    for name in disk.list().expect("listed").iter().filter(|name| name.ends_with(".seg")) {
        disk.remove(name).expect("removed");
    }
    let Err(error) = open_with(&disk, SMALL) else { panic!("it opens") };
    assert_eq!(error.kind(), hozo_traits::ErrorKind::Corrupt, "{error}");
}
