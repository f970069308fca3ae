//! The native calls, and scans of the contract over them.

use std::ops::Bound;

use hozo_traits::exec::block_on;
use hozo_traits::{KvScan, KvStore};

use super::*;

#[test]
fn what_is_set_is_there_until_it_is_removed() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    let mut model = Contents::new();
    let mut rng = Rng::new(3);
    for _ in 0..20_000 {
        let key = bytes(vec![b'k'; rng.below(200)]);
        let value = bytes(vec![rng.below(256) as u8; rng.below(50)]);
        match rng.below(4) {
            0 => assert_eq!(dbm.remove(&key).expect("ok"), model.remove(&key).is_some()),
            1 => {
                let found = dbm.get(&key, Bytes::copy_from_slice).expect("ok");
                assert_eq!(found.as_ref(), model.get(&key));
            }
            _ => {
                let existed = model.insert(key.clone(), value.clone()).is_some();
                assert_eq!(dbm.set(&key, &value).expect("ok"), existed);
            }
        }
    }
    assert!(check(&dbm) == model);
}

#[test]
fn the_first_is_taken_until_there_is_none() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    for n in 0..3000u32 {
        dbm.set(&n.to_be_bytes(), &n.to_le_bytes()).expect("set");
    }
    let pop = || dbm.pop_first(|key, value| (bytes(key), bytes(value))).expect("ok");
    let mut earlier: Option<(Bytes, Bytes)> = None;
    for left in (0..3000).rev() {
        let first = scan(&dbm, Bound::Unbounded, 1).pop();
        assert_eq!(pop(), first);
        if let Some((key, value)) = earlier.filter(|_| left % 7 == 0) {
            // What comes again before all others is the first.
            dbm.set(&key, &value).expect("set");
            assert_eq!(pop(), Some((key, value)));
        }
        assert_eq!(dbm.count(), left);
        earlier = first;
    }
    assert_eq!(dbm.pop_first(|_, _| ()).expect("ok"), None);
}

fn scan(dbm: &Records, start: Bound<&[u8]>, limit: usize) -> Vec<(Bytes, Bytes)> {
    let end = Bound::Unbounded;
    let scan = KvScan { start, end, reverse: false, limit, bytes_max: usize::MAX, values: true };
    block_on(dbm.scan(scan)).expect("scanned").records
}

#[test]
fn scans_go_on_from_any_key() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    for n in 0..5000u32 {
        dbm.set(&n.to_be_bytes(), &n.to_le_bytes()).expect("set");
    }
    let whole = scan(&dbm, Bound::Unbounded, usize::MAX);
    let mut met = Vec::new();
    dbm.for_each(|key, value| {
        met.push((bytes(key), bytes(value)));
        true
    })
    .expect("ok");
    assert!(whole == met && whole.len() == 5000);
    let mut parts: Vec<(Bytes, Bytes)> = Vec::new();
    loop {
        let last = parts.last().map(|(key, _)| key.clone());
        let start = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let part = scan(&dbm, start, 77);
        if part.is_empty() {
            break;
        }
        // The last one goes before the scan goes on.
        dbm.remove(&part.last().expect("not empty").0).expect("removed");
        parts.extend(part);
    }
    assert!(parts == whole);
}

#[test]
fn values_of_many_sizes() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    let sizes = [0usize, 1, 127, 128, 40_000, 65_000, 65_535, 65_536, 70_000, 262_144, 1_000_000];
    for (n, size) in sizes.into_iter().enumerate() {
        dbm.set(&vec![n as u8; size / 3 + 1], &vec![n as u8; size]).expect("set");
    }
    for (n, size) in sizes.into_iter().enumerate() {
        let key = bytes(vec![n as u8; size / 3 + 1]);
        let found = block_on(dbm.get_many(&[key])).expect("read").remove(0);
        assert_eq!(found, Some(bytes(vec![n as u8; size])));
    }
    check(&dbm);
    let error = dbm.set(&vec![0; super::super::KEY_BYTES_MAX + 1], b"").expect_err("too long");
    assert_eq!(error.kind(), hozo_traits::ErrorKind::TooLarge);
}
