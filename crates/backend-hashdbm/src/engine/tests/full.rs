//! Disks that fill up.

use super::*;

/// What the cleaner says in the log again, the index has to be able to follow.
#[test]
fn a_disk_that_fills_up_while_cleaning_does_no_harm() {
    let space = *Space::ALL.iter().find(|space| **space != Space::Pages).unwrap();
    let key = |n: u16| Bytes::from([&n.to_be_bytes()[..], &[7; 900]].concat());
    let put = |n: u16| Op::Put { space, key: key(n), value: Bytes::from_static(b"value") };
    for failing in 1..12 {
        let disk = SimDisk::new();
        let engine = open(&disk);
        for n in 0..1000 {
            engine.apply(&[put(n)]).unwrap();
        }
        engine.volume().checkpoint().unwrap();
        // Every page of the index is to be copied now before it is changed.
        disk.fail_allocate(failing);
        let _ = engine.volume().rebuild();
        disk.fail_allocate(0);
        engine.apply(&[put(1000)]).unwrap();
        for n in 0..=1000 {
            let found = engine.get(space, &key(n)).unwrap();
            assert_eq!(found.as_deref(), Some(&b"value"[..]), "{n} after failure {failing}");
        }
        check(&engine);
    }
}
