//! KV-11 and KV-16 to KV-19: stable storage, the count, rebuilding, reopening.
//! What a crash may do is in the rounds of `records/crash`.

use hozo_traits::exec::block_on;
use hozo_traits::{Durability, KvStoreExt, Selection};

use crate::records::kit::{Kit, NOW, Working, b, removed, together};
use crate::records::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(11, a_durable_update_is_there_after_reopening, Persistent),
    case!(11, durable_updates_of_many_threads, Nothing),
    case!(16, follows_every_kind_of_update),
    case!(16, is_exact_after_many_threads),
    case!(17, synchronise_after_updates),
    case!(18, rebuild_changes_nothing),
    case!(18, updates_go_on_during_rebuild),
    case!(19, everything_is_there_after_reopening, Persistent),
    case!(19, a_clear_stays_after_reopening, Persistent),
];

fn a_durable_update_is_there_after_reopening(kit: &Kit) {
    for n in 0..20u8 {
        let durability = if n == 19 { Durability::Durable } else { NOW };
        block_on(kit.dbm().set(b([n]), b([n, n]), true, durability)).expect("set");
    }
    kit.reopen();
    assert_eq!((0..20u8).filter(|n| kit.get([*n]) == Some(b([*n, *n]))).count(), 20);
    assert_eq!(kit.count(), 20);
}

fn durable_updates_of_many_threads(kit: &Kit) {
    together(4, |me| {
        let dbm = kit.dbm();
        for n in 0..20u8 {
            let durability = if n % 3 == 0 { NOW } else { Durability::Durable };
            block_on(dbm.set(b([me as u8, n]), b([n]), true, durability)).expect("set");
            // One that changes nothing is answered as well.
            let keys = [b([me as u8])];
            let selection = Selection::Keys { keys: &keys, values: true };
            block_on(dbm.update(selection, Durability::Durable, &mut |_| Ok(Vec::new())))
                .expect("answered");
        }
    });
    assert_eq!(kit.count(), 80);
}

fn follows_every_kind_of_update(kit: &Kit) {
    let mut rng = kit.rng();
    let mut there = std::collections::BTreeSet::new();
    for _ in 0..400 {
        let key = [rng.below(30) as u8];
        match rng.below(10) {
            0..=5 => {
                kit.put(key, vec![0; rng.below(20)]);
                there.insert(key.to_vec());
            }
            6 | 7 => {
                kit.update(&[b(key)], false, &[removed(key)]).expect("removed");
                there.remove(&key[..]);
            }
            8 => {
                if let Some((key, _)) = block_on(kit.dbm().pop_first(NOW)).expect("popped") {
                    assert!(there.remove(&key[..]));
                }
            }
            _ if rng.one_in(20) => {
                block_on(kit.dbm().clear(NOW)).expect("cleared");
                there.clear();
            }
            _ => {
                let other = [rng.below(30) as u8];
                let dbm = kit.dbm();
                block_on(dbm.rekey(b(key), b(other), true, false, NOW)).expect("rekeyed");
                if key != other && there.remove(&key[..]) {
                    there.insert(other.to_vec());
                }
            }
        }
        assert_eq!(kit.count(), there.len() as u64);
    }
}

fn is_exact_after_many_threads(kit: &Kit) {
    // The same few keys are made and removed by all.
    together(4, |me| {
        let (dbm, mut rng) = (kit.dbm(), kit.rng().fork(&me.to_string()));
        for n in 0..300 {
            let key = b([rng.below(8) as u8]);
            let ended = match rng.below(3) {
                0 => block_on(dbm.remove(key, NOW)),
                1 => block_on(dbm.set(key, b([n as u8]), false, NOW)),
                _ => block_on(dbm.set(key, b([n as u8]), true, NOW)),
            };
            ended.expect("answered");
            if rng.one_in(60) {
                block_on(dbm.clear(NOW)).expect("cleared");
            }
        }
    });
    assert_eq!(kit.count(), kit.contents().len() as u64);
    assert_eq!(kit.count(), (0..8u8).filter(|n| kit.get([*n]).is_some()).count() as u64);
}

fn synchronise_after_updates(kit: &Kit) {
    block_on(kit.dbm().synchronise()).expect("of nothing");
    kit.put("a", "1");
    block_on(kit.dbm().synchronise()).expect("synchronised");
    block_on(kit.dbm().synchronise()).expect("again");
    assert_eq!(kit.get("a"), Some(b("1")));
    together(3, |me| {
        for n in 0..10u8 {
            kit.put([me as u8, n], "v");
            block_on(kit.dbm().synchronise()).expect("synchronised");
        }
    });
}

fn rebuild_changes_nothing(kit: &Kit) {
    block_on(kit.dbm().rebuild()).expect("of nothing");
    for n in 0..300u32 {
        kit.put((n % 100).to_be_bytes(), vec![n as u8; 1000]);
    }
    for n in (0..100u32).step_by(3) {
        kit.update(&[b(n.to_be_bytes())], false, &[removed(n.to_be_bytes())]).expect("removed");
    }
    let before = (kit.contents(), kit.count());
    block_on(kit.dbm().rebuild()).expect("rebuilt");
    assert!((kit.contents(), kit.count()) == before);
    block_on(kit.dbm().sizes()).expect("sizes are answered");
}

fn updates_go_on_during_rebuild(kit: &Kit) {
    let working = Working::new(1);
    together(2, |me| {
        if me == 0 {
            let _worker = working.one();
            for _ in 0..5 {
                block_on(kit.dbm().rebuild()).expect("rebuilt");
            }
            return;
        }
        let mut n = 0u32;
        while working.goes_on() || n < 200 {
            kit.put((n % 50).to_be_bytes(), n.to_string());
            assert_eq!(kit.get((n % 50).to_be_bytes()), Some(n.to_string().into()));
            n += 1;
        }
    });
    assert_eq!(kit.count(), 50);
}

fn everything_is_there_after_reopening(kit: &Kit) {
    let large = kit.capabilities().value_bytes_max.min(250_000);
    for round in 0..4u8 {
        for n in 0..40u8 {
            let size = if n % 10 == 0 { large } else { usize::from(n) };
            kit.put([n, round], vec![round; size]);
            kit.put([n], vec![round; size / 2]);
        }
        kit.update(&[b([round])], false, &[removed([round])]).expect("removed");
        let before = (kit.contents(), kit.count());
        block_on(kit.dbm().synchronise()).expect("synchronised");
        kit.reopen();
        assert!((kit.contents(), kit.count()) == before, "round {round}");
        assert_eq!(kit.count(), before.0.len() as u64);
    }
}

fn a_clear_stays_after_reopening(kit: &Kit) {
    for n in 0..40u8 {
        kit.put([n], vec![n; 50]);
    }
    block_on(kit.dbm().clear(Durability::Durable)).expect("cleared");
    kit.put("after", "1");
    block_on(kit.dbm().synchronise()).expect("synchronised");
    kit.reopen();
    assert_eq!((kit.contents(), kit.count()), (vec![(b("after"), b("1"))], 1));
}
