//! A DBM that an earlier version wrote, index and roots included: it is read by
//! every later one, without having to make anything anew.

use super::*;
use crate::sim::golden;

/// What is in it, in the order of scans, which stays as well.
fn expected() -> Vec<(Bytes, Bytes)> {
    let record = |key: &str, value: &[u8]| (bytes(key), bytes(value));
    vec![
        record("long", &[0x4c; 70_000]),
        record("empty", b""),
        record("", b"the empty key"),
        record("ash", b"Fraxinus excelsior"),
        record("written after the checkpoint", b"replayed"),
        record("oak", b"Quercus robur"),
    ]
}

#[test]
fn the_golden_dbm_is_read() {
    let dbm = open(&golden::disk("records"));
    assert!(dbm.messages().is_empty(), "nothing is made anew: {:?}", dbm.messages());
    let mut found = Vec::new();
    dbm.for_each(|key, value| {
        found.push((bytes(key), bytes(value)));
        true
    })
    .expect("it is read");
    assert_eq!(found, expected());
    assert_eq!(check(&dbm).len(), found.len());
    dbm.set(b"new", b"one").expect("and written");
}

#[test]
#[ignore = "writes the golden files, once for a version of the format"]
fn write_the_golden_dbm() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    for (key, value) in expected() {
        dbm.set(&key, b"overwritten").expect("set");
        if key != "written after the checkpoint" {
            dbm.set(&key, &value).expect("set");
        }
    }
    dbm.set(b"removed", b"before the checkpoint").expect("set");
    dbm.remove(b"removed").expect("removed");
    dbm.volume.checkpoint().expect("a checkpoint");
    dbm.set(b"written after the checkpoint", b"replayed").expect("set");
    dbm.set(b"removed", b"after it").expect("set");
    dbm.remove(b"removed").expect("removed");
    dbm.synchronise().expect("synchronised");
    golden::save("records", &disk);
}
