//! The same random operations on a store and on the model, and the same answers.

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Desired, Durability, Effect, Error, ErrorKind, Expected, KvScan, KvStore, KvStoreExt, Present,
    Result, Selection,
};

use super::KvModel;
use super::kit::{Kit, all, b, removed, scan_all, set};
use crate::Rng;

/// How often everything is compared, and how often the store is reopened.
const WHOLE_EVERY: usize = 50;
const REOPEN_EVERY: usize = 200;

/// What an operation said, in words that can be compared.
fn said<T: std::fmt::Debug>(answer: Result<T>) -> Result<String, ErrorKind> {
    answer.map(|answer| format!("{answer:?}")).map_err(|error: Error| error.kind())
}

fn key(rng: &mut Rng) -> Bytes {
    let keys: [&[u8]; 10] =
        [b"", b"a", b"a\0", b"ab", b"b", b"\0", b"\xff", b"\xff\xff", b"key", b"number"];
    if rng.one_in(8) { b(vec![rng.below(256) as u8; rng.below(9)]) } else { b(rng.pick(&keys)) }
}

fn value(rng: &mut Rng) -> Bytes {
    let size = match rng.below(20) {
        0 => 66_000 + rng.below(200_000),
        1..=3 => rng.below(3000),
        4..=6 => 8,
        _ => rng.below(12),
    };
    let mut bytes = vec![0; size];
    rng.fill(&mut bytes);
    bytes.into()
}

fn expected(rng: &mut Rng, dbm: &dyn KvStore, key: &Bytes) -> Expected {
    match rng.below(5) {
        0 => Expected::Absent,
        1 => Expected::Any,
        2 => Expected::Is(value(rng)),
        _ => block_on(dbm.get(key)).ok().flatten().map_or(Expected::Absent, Expected::Is),
    }
}

/// One random operation, the same for the same `rng`, by what `model` has.
fn step(
    model: &dyn KvStore,
    dbm: &dyn KvStore,
    ordered: bool,
    rng: &mut Rng,
) -> Result<String, ErrorKind> {
    let durability = if rng.one_in(30) { Durability::Durable } else { Durability::Sequenced };
    let (k, other) = (key(rng), key(rng));
    match rng.below(22) {
        0..=3 => said(block_on(dbm.set(k, value(rng), rng.one_in(2), durability))),
        4 | 5 => said(block_on(dbm.remove(k, durability))),
        6 | 7 => said(block_on(dbm.append(k, value(rng), b", ", durability))),
        8 => {
            let expected = expected(rng, model, &k);
            let desired = match rng.below(3) {
                0 => Desired::Unchanged,
                1 => Desired::Remove,
                _ => Desired::Set(value(rng)),
            };
            said(block_on(dbm.compare_exchange(k, expected, desired, rng.one_in(2), durability)))
        }
        9 | 10 => {
            let by = *rng.pick(&[1, -1, i64::MIN, i64::MAX, 1000]);
            said(block_on(dbm.increment(k, by, 5, durability)))
        }
        11 => {
            let wanted: Vec<_> = [&k, &other].map(|k| (k.clone(), expected(rng, model, k))).into();
            let desired = [(k, Some(value(rng))), (other, None), (key(rng), Some(value(rng)))];
            said(block_on(dbm.compare_exchange_many(&wanted, &desired, durability)))
        }
        12 => said(block_on(dbm.rekey(k, other, rng.one_in(2), rng.one_in(2), durability))),
        13 => said(block_on(dbm.push_last(value(rng), rng.below(20) as u64, durability))),
        14 => {
            let records = (0..rng.below(6)).map(|_| (key(rng), value(rng))).collect();
            said(block_on(dbm.set_many(records, rng.one_in(2), durability)))
        }
        15 => {
            let keys = (0..rng.below(6)).map(|_| key(rng)).collect();
            said(block_on(dbm.remove_many(keys, durability)))
        }
        16 => {
            let records = (0..rng.below(6)).map(|_| (key(rng), value(rng))).collect();
            said(block_on(dbm.append_many(records, b"", durability)))
        }
        17 | 18 => {
            // Effects of every kind, wrong ones too.
            let keys: Vec<Bytes> = (0..1 + rng.below(4)).map(|_| key(rng)).collect();
            let effects: Vec<Effect> = (0..rng.below(5))
                .map(|_| {
                    let key = if rng.one_in(15) { key(rng) } else { rng.pick(&keys).clone() };
                    match rng.below(12) {
                        0 if rng.one_in(5) => Effect::Clear,
                        0..=4 => removed(key),
                        _ => set(key, value(rng)),
                    }
                })
                .collect();
            let fails = rng.one_in(10);
            let selection = Selection::Keys { keys: &keys, values: rng.one_in(2) };
            let mut seen = Vec::new();
            let change = &mut |found: &[Present]| {
                seen = found.to_vec();
                if fails { Err(Error::new(ErrorKind::Denied, "no")) } else { Ok(effects.clone()) }
            };
            let answer = said(block_on(dbm.update(selection, durability, change)));
            answer.map(|answer| format!("{answer} after {seen:?}"))
        }
        19 => said(block_on(dbm.get_many(&[k.clone(), other, k]))),
        20 if ordered => {
            if rng.one_in(2) {
                return said(block_on(dbm.pop_first(durability)));
            }
            let scan = KvScan {
                reverse: rng.one_in(2),
                limit: rng.below(8),
                bytes_max: rng.below(5000),
                values: rng.one_in(2),
                start: std::ops::Bound::Included(&k),
                ..all()
            };
            said(block_on(dbm.scan(scan)).map(|part| part.records))
        }
        _ => said(block_on(dbm.count())),
    }
}

pub(super) fn compare(kit: &Kit, steps: usize) {
    let model = KvModel::like(&kit.capabilities());
    let ordered = kit.capabilities().ordered;
    let mut rng = kit.rng();
    let mut done = 0;
    for n in 1..=steps {
        let mut same = rng.clone();
        // The model first, since some steps ask it what is there; then both
        // have to have seen the same before.
        let before = KvModel::copy(&model);
        let theirs = step(&*before, &*kit.dbm(), ordered, &mut same);
        let ours = step(&*before, &*model, ordered, &mut rng);
        if ours != theirs {
            let short = |answer: &Result<String, ErrorKind>| {
                format!("{answer:?}").chars().take(600).collect::<String>()
            };
            panic!(
                "seed {}, step {n}: the model says {}, the store {}",
                kit.seed,
                short(&ours),
                short(&theirs)
            );
        }
        done += usize::from(ours.is_ok());
        if n.is_multiple_of(REOPEN_EVERY) && kit.capabilities().persistent {
            block_on(kit.dbm().synchronise()).expect("synchronised");
            kit.reopen();
        }
        if n.is_multiple_of(WHOLE_EVERY) || n == steps {
            let whole = scan_all(&*model, 1000, false).expect("the model is scanned");
            assert!(kit.contents() == whole, "seed {}, after step {n}", kit.seed);
            assert_eq!(kit.count(), whole.len() as u64, "seed {}, after step {n}", kit.seed);
        }
    }
    assert!(done > steps / 2, "a script of which most is refused");
}
