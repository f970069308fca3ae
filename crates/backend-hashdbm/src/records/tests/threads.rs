//! Many at once, and the power cut meanwhile.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Waker};

use hozo_traits::exec::block_on;
use hozo_traits::{Durability, Effect, KvStore, Selection};

use super::crash::make;
use super::*;

const WRITERS: usize = 3;
const UPDATES: u64 = 700;

/// What update `n` of a writer does, always the same; it also says its number.
fn effects(writer: usize, n: u64) -> Vec<Effect> {
    let mut rng = Rng::new(n).fork(&format!("writer {writer}"));
    let mut effects = vec![Effect::Set { key: number_key(writer), value: bytes(n.to_be_bytes()) }];
    for _ in 0..rng.below(5) {
        let key = bytes(format!("{writer}/{}", rng.below(40)));
        effects.push(match rng.below(4) {
            0 => Effect::Remove { key },
            _ => Effect::Set { key, value: vec![n as u8; rng.below(2000)].into() },
        });
    }
    effects
}

fn number_key(writer: usize) -> Bytes {
    bytes(format!("{writer}!"))
}

fn number(contents: &Contents, writer: usize) -> u64 {
    contents.get(&number_key(writer)).map_or(0, |n| u64::from_be_bytes(n[..].try_into().unwrap()))
}

fn write(dbm: &Records, writer: usize, n: u64, durability: Durability) {
    let effects = effects(writer, n);
    let keys: Vec<Bytes> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Set { key, .. } | Effect::Remove { key } => key.clone(),
            Effect::Clear => unreachable!("not among these"),
        })
        .collect();
    let selection = Selection::Keys { keys: &keys, values: false };
    block_on(dbm.update(selection, durability, &mut |_| Ok(effects.clone()))).expect("updated");
}

#[test]
fn each_writers_prefix_survives() {
    let seed = hozo_conformance::seed();
    println!("seed {seed}");
    for round in 0..12 {
        let mut rng = Rng::new(seed).fork(&format!("round {round}"));
        let disk = SimDisk::new();
        let dbm = open(&disk);
        disk.crash_at(disk.operations() + rng.below(300) as u64, rng.fork("image").next());
        let durable: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
        let done: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (dbm, disk, durable, done) = (&dbm, &disk, &durable, &done);
                let mut rng = rng.fork(&writer.to_string());
                scope.spawn(move || {
                    for n in 1..=UPDATES {
                        let how = match rng.below(15) {
                            0 => Durability::Durable,
                            _ => Durability::Sequenced,
                        };
                        // What others were answered before is durable with it.
                        let before: Vec<u64> =
                            done.iter().map(|done| done.load(Ordering::SeqCst)).collect();
                        write(dbm, writer, n, how);
                        done[writer].store(n, Ordering::SeqCst);
                        if how == Durability::Durable && !disk.has_image() {
                            durable[writer].fetch_max(n, Ordering::SeqCst);
                            for (other, n) in before.into_iter().enumerate() {
                                durable[other].fetch_max(n, Ordering::SeqCst);
                            }
                        }
                        if rng.one_in(200) {
                            dbm.rebuild().expect("rebuilt");
                        }
                    }
                });
            }
        });
        let everything = check(&dbm);
        assert!((0..WRITERS).all(|writer| number(&everything, writer) == UPDATES));
        disk.forget_crash();
        let image = disk.image().unwrap_or_else(|| cut(&disk, &rng));
        drop(dbm);
        let found = check(&open(&image));
        let mut expected = Contents::new();
        for (writer, durable) in durable.iter().enumerate() {
            let n = number(&found, writer);
            assert!(n >= durable.load(Ordering::SeqCst), "round {round}: durable updates are gone");
            (1..=n).for_each(|n| make(&mut expected, &effects(writer, n)));
        }
        assert!(found == expected, "round {round}: what is left is not a prefix of each writer's");
    }
}

/// KV-5 across shards: what is moved between two records is never lost or seen
/// twice, and readers and scans go on beside cleaning.
#[test]
fn moves_readers_and_cleaning_go_together() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    let constant: Contents =
        (0..2000u32).map(|n| (bytes(format!("constant {n}")), bytes(n.to_be_bytes()))).collect();
    for (key, value) in &constant {
        dbm.set(key, value).expect("set");
    }
    let accounts: Vec<Bytes> = (0..8).map(|n| bytes(format!("account {n}"))).collect();
    for account in &accounts {
        dbm.set(account, &100u64.to_be_bytes()).expect("set");
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (dbm, accounts, over) = (&dbm, &accounts, &over);
            scope.spawn(move || {
                let mut rng = Rng::new(thread);
                for n in 0..3000u32 {
                    let pair = [rng.pick(accounts).clone(), rng.pick(accounts).clone()];
                    move_one(dbm, &pair);
                    dbm.set(b"garbage", &vec![0; rng.below(2000)]).expect("set");
                    if n % 500 == 0 {
                        dbm.rebuild().expect("rebuilt");
                    }
                }
                over.store(true, Ordering::SeqCst);
            });
        }
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let mut found = contents(&dbm);
                found.retain(|key, _| key.starts_with(b"constant"));
                assert!(found == constant, "a scan missed what was there all the time");
            }
        });
    });
    let total: u64 = accounts
        .iter()
        .map(|account| {
            let balance = dbm.get(account, |value| u64::from_be_bytes(value.try_into().unwrap()));
            balance.expect("read").expect("there")
        })
        .sum();
    assert_eq!(total, 800);
    check(&dbm);
    assert_eq!(
        check(&open(&{
            drop(dbm);
            disk
        }))
        .len(),
        2000 + 8 + 1
    );
}

fn move_one(dbm: &Records, pair: &[Bytes; 2]) {
    if pair[0] == pair[1] {
        return;
    }
    let selection = Selection::Keys { keys: pair, values: true };
    block_on(dbm.update(selection, Durability::Sequenced, &mut |found| {
        let balance = |at: usize| match &found[at].value {
            hozo_traits::PresentValue::Is(value) => {
                u64::from_be_bytes(value[..].try_into().unwrap())
            }
            _ => panic!("the account is there"),
        };
        let (from, to) = (balance(0), balance(1));
        let moved = from.min(1);
        let set = |at: usize, balance: u64| Effect::Set {
            key: pair[at].clone(),
            value: bytes(balance.to_be_bytes()),
        };
        Ok(vec![set(0, from - moved), set(1, to + moved)])
    }))
    .expect("moved");
}

/// Who reads all may write on the way, also so much that the cleaner has work
/// and segments are to go.
#[test]
fn a_reader_of_all_may_write() {
    let disk = SimDisk::new();
    let dbm = open(&disk);
    for n in 0..3000u32 {
        dbm.set(&n.to_be_bytes(), &[0; 100]).expect("set");
    }
    for round in 1..4u8 {
        let mut met = 0;
        dbm.for_each(|key, value| {
            assert!(value.iter().all(|byte| *byte == round - 1 || *byte == round));
            let key = Bytes::copy_from_slice(key);
            for _ in 0..4 {
                dbm.set(&key, &[round; 100]).expect("set");
            }
            met += 1;
            true
        })
        .expect("read");
        assert_eq!(met, 3000);
    }
    check(&dbm);
}

/// A rebuild that nobody waits for any more ends with the DBM.
#[test]
fn nothing_of_a_dropped_dbm_goes_on() {
    let disk = SimDisk::new();
    let mut unfinished = 0;
    for round in 0..200 {
        let dbm = open(&disk);
        for n in 0..5000u32 {
            dbm.set(&n.to_be_bytes(), &[round; 100]).expect("set");
        }
        let volume = Arc::downgrade(&dbm.volume);
        {
            let mut rebuild = std::pin::pin!(KvStore::rebuild(&dbm));
            let mut context = Context::from_waker(Waker::noop());
            // On a busy machine its thread may have been faster than this one.
            unfinished += u32::from(rebuild.as_mut().poll(&mut context).is_pending());
        }
        drop(dbm);
        assert_eq!(volume.strong_count(), 0, "nobody has it any more");
        if unfinished == 10 {
            break;
        }
    }
    assert_eq!(unfinished, 10, "rebuilds that were not waited for");
    assert_eq!(check(&open(&disk)).len(), 5000);
}
