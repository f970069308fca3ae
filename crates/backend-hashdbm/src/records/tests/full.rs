//! A full disk: an error, nothing lost, and on when there is space.

use hozo_traits::exec::block_on;
use hozo_traits::{Durability, Effect, KvStore, Selection};

use super::*;

/// Updates at random; what fails must leave everything as it was.
fn updates(dbm: &Records, contents: &mut Contents, rng: &mut Rng, count: usize) -> usize {
    let mut failed = 0;
    for _ in 0..count {
        let effect = |rng: &mut Rng| {
            let key = bytes(format!("key {}", rng.below(400)));
            match rng.below(5) {
                0 => Effect::Remove { key },
                _ => Effect::Set { key, value: vec![rng.below(256) as u8; rng.below(2500)].into() },
            }
        };
        let effects: Vec<_> = (0..1 + rng.below(3)).map(|_| effect(rng)).collect();
        let keys: Vec<Bytes> = effects
            .iter()
            .map(|effect| match effect {
                Effect::Set { key, .. } | Effect::Remove { key } => key.clone(),
                Effect::Clear => unreachable!("not among these"),
            })
            .collect();
        let selection = Selection::Keys { keys: &keys, values: false };
        match block_on(dbm.update(selection, Durability::Sequenced, &mut |_| Ok(effects.clone()))) {
            Ok(effects) => super::crash::make(contents, &effects),
            Err(error) => {
                assert!(error.to_string().contains("full"), "{error}");
                failed += 1;
            }
        }
    }
    failed
}

#[test]
fn a_full_disk_is_an_error_and_nothing_more() {
    let seed = hozo_conformance::seed();
    println!("seed {seed}");
    for round in 0..12 {
        let mut rng = Rng::new(seed).fork(&format!("round {round}"));
        let disk = SimDisk::new();
        let mut contents = Contents::new();
        let dbm = open(&disk);
        updates(&dbm, &mut contents, &mut rng, 300);
        let mut failed = 0;
        for _ in 0..4 {
            // What there is and hardly more.
            disk.set_budget(Some(disk.used() + rng.below(300_000) as u64));
            failed += updates(&dbm, &mut contents, &mut rng, 600);
            assert!(check(&dbm) == contents, "round {round}: an update that failed did something");
            disk.set_budget(None);
            assert_eq!(updates(&dbm, &mut contents, &mut rng, 50), 0, "there is space again");
        }
        println!("round {round}: {failed} failed");
        dbm.synchronise().expect("synchronised");
        let image = cut(&disk, &rng);
        drop(dbm);
        assert!(check(&open(&image)) == contents, "round {round}: after a crash");
    }
}

/// Each growth of a file in turn fails: of the log, of the index, of the roots.
#[test]
fn any_growth_may_fail() {
    for n in 1..40 {
        let mut rng = Rng::new(n);
        let disk = SimDisk::new();
        let mut contents = Contents::new();
        let dbm = open(&disk);
        disk.fail_allocate(n);
        updates(&dbm, &mut contents, &mut rng, 400);
        assert!(check(&dbm) == contents, "growth {n}");
        drop(dbm);
        assert!(check(&open(&disk)) == contents, "growth {n}, opened again");
    }
}

/// Each sync in turn fails, whoever does it: no call hangs, and what was
/// answered as durable before is there.
#[test]
fn any_sync_may_fail() {
    for n in 1..40 {
        let disk = SimDisk::new();
        let dbm = open(&disk);
        disk.fail_sync(n);
        let mut durable = 0u32;
        // Also beside each other, with the DBM's thread at work ahead of them.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for i in 0..400u32 {
                    let _ = dbm.set(b"other", &vec![1; (i % 7) as usize * 5000]);
                }
            });
            for i in 1..=200u32 {
                if dbm.set(b"number", &i.to_be_bytes()).and_then(|_| dbm.synchronise()).is_err() {
                    break;
                }
                durable = i;
            }
        });
        drop(dbm);
        let dbm = open(&disk);
        let number = dbm.get(b"number", Bytes::copy_from_slice).expect("read");
        let number = number.map_or(0, |number| u32::from_be_bytes(number[..].try_into().unwrap()));
        assert!(number >= durable, "sync {n}: {number} is there, {durable} was durable");
    }
}

/// A disk with no space at all: segments that are garbage go all the same.
#[test]
fn cleaning_needs_no_space_for_garbage() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    for n in 0..200u32 {
        dbm.set(&n.to_be_bytes(), &[1; 1000]).expect("set");
    }
    dbm.volume.checkpoint().expect("a checkpoint");
    disk.set_budget(Some(disk.used() + 3 * SEGMENT_BYTES));
    // The same records in turn, until nothing goes: all but the last of each
    // are garbage, and the oldest segments have nothing else.
    let fill = (0..100_000u32).find(|n| dbm.set(&(n % 200).to_be_bytes(), &[2; 1000]).is_err());
    println!("full after {fill:?}");
    disk.set_budget(Some(disk.used()));
    dbm.volume.tend_full_disk();
    dbm.volume.settle();
    let mut made = 0;
    for n in 0..2000u32 {
        made += u32::from(dbm.set(&(n % 200).to_be_bytes(), &[3; 1000]).is_ok());
    }
    assert!(made > 0, "garbage gives no space to write");
    assert_eq!(check(&dbm).len(), 200);
}

#[test]
fn a_failed_sync_ends_updates() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    dbm.set(b"a", b"1").expect("set");
    dbm.synchronise().expect("synchronised");
    dbm.set(b"a", b"2").expect("set");
    disk.fail_sync(1);
    dbm.synchronise().expect_err("the disk is broken");
    dbm.set(b"a", b"3").expect_err("nobody knows what is on the disk");
    dbm.synchronise().expect_err("still");
    drop(dbm);
    let found = open(&disk).get(b"a", Bytes::copy_from_slice).expect("read").expect("there");
    assert!(found == "1" || found == "2", "{found:?}");
}
