//! KV-5 and KV-13: what holds while others update.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{Effect, KvStore, KvStoreExt, PresentValue, Selection};

use crate::Rng;
use crate::records::kit::{Kit, NOW, Working, b, removed, scan_all, set, together};
use crate::records::runner::Case;
use crate::records::{bank, effects, histories};

pub(super) const CASES: &[Case] = &[
    case!(5, counters_lose_nothing),
    case!(5, appends_lose_nothing),
    case!(5, transfers_keep_the_sum),
    case!(5, transfers_by_comparing_keep_the_sum),
    case!(5, what_is_selected_is_of_one_moment),
    case!(5, histories_of_keys_are_linear),
    case!(5, only_one_makes_a_record),
    case!(5, each_record_is_popped_once),
    case!(5, pushes_take_keys_of_their_own),
    case!(5, a_pop_takes_the_first_there_is, Ordered),
    case!(5, clears_and_updates_do_not_mix),
    case!(5, effects_replay_to_the_same_state),
    case!(5, updates_polled_on_one_thread),
    case!(13, what_stays_is_scanned_once),
    case!(13, what_stays_is_scanned_once_backwards, Ordered),
];

const THREADS: usize = 4;

/// Lets others run between what a change sees and what it does, often enough
/// that they overlap even where threads are short.
pub(in crate::records) fn overlap(rng: &mut Rng) {
    if rng.one_in(3) {
        std::thread::yield_now();
    }
}

fn counters_lose_nothing(kit: &Kit) {
    const EACH: i64 = 400;
    together(THREADS, |me| {
        let (dbm, mut rng) = (kit.dbm(), kit.rng().fork(&me.to_string()));
        let mut last = [i64::MIN; 3];
        for n in 0..EACH {
            let which = (n % 3) as usize;
            let key = b([which as u8]);
            if n % 2 == 0 {
                let now = block_on(dbm.increment(key, 1, 0, NOW)).expect("counted");
                assert!(now > last[which], "a counter went back");
                last[which] = now;
                continue;
            }
            // The same by hand, with time to go wrong.
            let keys = [key.clone()];
            let selection = Selection::Keys { keys: &keys, values: true };
            let count = &mut |found: &[hozo_traits::Present]| {
                overlap(&mut rng);
                let before = match &found[0].value {
                    PresentValue::Is(value) => i64::from_be_bytes(value[..].try_into().expect("8")),
                    _ => 0,
                };
                Ok(vec![set(&key, (before + 1).to_be_bytes())])
            };
            block_on(dbm.update(selection, NOW, count)).expect("counted");
        }
    });
    let dbm = kit.dbm();
    let read = |n: u8| block_on(dbm.increment(b([n]), i64::MIN, 0, NOW)).expect("read");
    let sum: i64 = (0..3).map(read).sum();
    assert_eq!(sum, EACH * THREADS as i64);
}

fn appends_lose_nothing(kit: &Kit) {
    together(THREADS, |me| {
        for n in 0..150u32 {
            let word = b(format!("{me}:{n}"));
            block_on(kit.dbm().append(b("log"), word, b" ", NOW)).expect("appended");
        }
    });
    let log = kit.get("log").expect("there");
    let log = String::from_utf8(log.to_vec()).expect("text");
    for me in 0..THREADS {
        let prefix = format!("{me}:");
        let mine = log.split(' ').filter_map(|word| word.strip_prefix(&prefix));
        assert!(mine.eq((0..150u32).map(|n| n.to_string())), "thread {me}, in its order");
    }
}

fn transfers_keep_the_sum(kit: &Kit) {
    bank::run(kit, bank::By::Update);
}

fn transfers_by_comparing_keep_the_sum(kit: &Kit) {
    bank::run(kit, bank::By::Comparing);
}

fn what_is_selected_is_of_one_moment(kit: &Kit) {
    // Both are always set together, to the same.
    let keys = [b("one"), b("two")];
    let working = Working::new(2);
    together(THREADS, |me| {
        let dbm = kit.dbm();
        let selection = Selection::Keys { keys: &keys, values: true };
        if me < 2 {
            let _worker = working.one();
            for n in 0..300u32 {
                let value = format!("{me} {n}").repeat(20);
                let both = vec![set("one", &value), set("two", &value)];
                block_on(dbm.update(selection, NOW, &mut |_| Ok(both.clone()))).expect("set");
            }
            return;
        }
        while working.goes_on() {
            let mut seen = Vec::new();
            let look = &mut |found: &[hozo_traits::Present]| {
                seen = found.iter().map(|present| present.value.clone()).collect();
                Ok(Vec::new())
            };
            block_on(dbm.update(selection, NOW, look)).expect("looked");
            assert_eq!(seen[0], seen[1], "two moments in one update");
        }
    });
}

fn histories_of_keys_are_linear(kit: &Kit) {
    histories::run(kit);
}

fn only_one_makes_a_record(kit: &Kit) {
    let made = together(THREADS, |me| {
        let dbm = kit.dbm();
        let set = |n: u32| block_on(dbm.set(b(n.to_be_bytes()), b([me as u8]), false, NOW));
        let done = (0..200).filter(|n| set(*n).expect("answered") == hozo_traits::Outcome::Done);
        done.map(|n| (n, me as u8)).collect::<Vec<_>>()
    });
    let made: Vec<(u32, u8)> = made.into_iter().flatten().collect();
    assert_eq!(made.len(), 200, "each is made once");
    assert!(made.iter().all(|(n, me)| kit.get(n.to_be_bytes()) == Some(b([*me]))));
    assert_eq!(kit.count(), 200);
}

fn each_record_is_popped_once(kit: &Kit) {
    const PUSHED: usize = 300;
    let working = Working::new(2);
    let popped = together(THREADS, |me| {
        let dbm = kit.dbm();
        let mut mine = Vec::new();
        if me < 2 {
            let _worker = working.one();
            for n in 0..PUSHED {
                let value = b(((me * PUSHED + n) as u32).to_be_bytes());
                block_on(dbm.push_last(value, n as u64, NOW)).expect("pushed");
            }
            return mine;
        }
        loop {
            let last = !working.goes_on();
            match block_on(dbm.pop_first(NOW)).expect("popped") {
                Some((_, value)) => mine.push(value),
                None if last => return mine,
                None => std::thread::yield_now(),
            }
        }
    });
    let popped: Vec<Bytes> = popped.into_iter().flatten().collect();
    let distinct: BTreeSet<&Bytes> = popped.iter().collect();
    assert_eq!((popped.len(), distinct.len()), (2 * PUSHED, 2 * PUSHED));
    assert_eq!(kit.count(), 0);
}

fn pushes_take_keys_of_their_own(kit: &Kit) {
    let keys = together(THREADS, |me| {
        let dbm = kit.dbm();
        let push = |n: u32| block_on(dbm.push_last(b(format!("{me} {n}")), 5, NOW));
        (0..60).map(|n| push(n).expect("pushed")).collect::<Vec<_>>()
    });
    let keys: BTreeSet<Bytes> = keys.into_iter().flatten().collect();
    let expected = (5..5 + 60 * THREADS as u64).map(|n| b(n.to_be_bytes()));
    assert!(keys.into_iter().eq(expected), "no key twice, and none left out");
    assert_eq!(kit.count(), 60 * THREADS as u64);
}

fn a_pop_takes_the_first_there_is(kit: &Kit) {
    // One thread sets records with smaller and smaller keys. Whoever pops sees
    // keys that get smaller, unless it has taken all that there were.
    let working = Working::new(1);
    together(2, |me| {
        let dbm = kit.dbm();
        if me == 0 {
            let _worker = working.one();
            for n in (0..600u32).rev() {
                block_on(dbm.set(b(n.to_be_bytes()), b("v"), false, NOW)).expect("set");
            }
            return;
        }
        loop {
            let last = !working.goes_on();
            let known =
                block_on(dbm.scan(hozo_traits::KvScan { limit: 1, ..crate::records::kit::all() }));
            let known = known.expect("scanned").records.pop();
            let popped = block_on(dbm.pop_first(NOW)).expect("popped");
            match (known, popped) {
                (Some((known, _)), Some((popped, _))) => assert!(popped <= known, "not the first"),
                (Some(_), None) => panic!("nothing was popped, and only this thread pops"),
                (None, None) if last => return,
                (None, _) => {}
            }
        }
    });
    assert_eq!(kit.count(), 0);
}

fn clears_and_updates_do_not_mix(kit: &Kit) {
    // A clear takes all of a pair or nothing of it.
    let keys = [b("one"), b("two"), b("three")];
    together(THREADS, |me| {
        let dbm = kit.dbm();
        for n in 0..150u32 {
            if me == 0 {
                block_on(dbm.clear(NOW)).expect("cleared");
                continue;
            }
            let selection = Selection::Keys { keys: &keys, values: true };
            // Only what the last call saw was so: a store may try with what it
            // read at different moments, and find that out afterwards.
            let mut whole = true;
            let change = &mut |found: &[hozo_traits::Present]| {
                whole = found.iter().all(|p| p.value == found[0].value);
                Ok(keys.iter().map(|key| set(key, n.to_string())).collect())
            };
            block_on(dbm.update(selection, NOW, change)).expect("set");
            assert!(whole, "cleared in part");
        }
    });
    assert_eq!(kit.count(), kit.contents().len() as u64);
}

fn effects_replay_to_the_same_state(kit: &Kit) {
    effects::run(kit);
}

fn updates_polled_on_one_thread(kit: &Kit) {
    // All are in flight at once, and none may block the others.
    let jobs = (0..40u8).map(|n| {
        let dbm = kit.dbm();
        let job = async move {
            for _ in 0..10 {
                dbm.increment(b([n % 3]), 1, 0, hozo_traits::Durability::Durable).await?;
                dbm.set(b([100, n]), b([n]), true, NOW).await?;
                if n % 10 == 0 {
                    dbm.pop_first(NOW).await?;
                }
            }
            Ok::<(), hozo_traits::Error>(())
        };
        Box::pin(job) as crate::exec::Job<_>
    });
    let ended = crate::exec::poll_together(jobs.collect());
    assert!(ended.iter().all(Result::is_ok));
    assert_eq!(ended.len(), 40);
    assert_eq!(kit.count(), kit.contents().len() as u64);
}

fn what_stays_is_scanned_once(kit: &Kit) {
    scanned_under_change(kit, false);
}

fn what_stays_is_scanned_once_backwards(kit: &Kit) {
    scanned_under_change(kit, true);
}

fn scanned_under_change(kit: &Kit, reverse: bool) {
    const ALL: u32 = 400;
    let stays = |n: u32| n.is_multiple_of(4);
    for n in 0..ALL {
        kit.put(n.to_be_bytes(), "v");
    }
    let expected: BTreeMap<Bytes, ()> =
        (0..ALL).filter(|n| stays(*n)).map(|n| (b(n.to_be_bytes()), ())).collect();
    let (working, failed) = (Working::new(1), Mutex::new(None));
    together(3, |me| {
        let (dbm, mut rng) = (kit.dbm(), kit.rng().fork(&me.to_string()));
        if me == 0 {
            let _worker = working.one();
            for limit in [1, 3, 7, 40, 1, 1000] {
                let found = scan_all(&*dbm, limit, reverse).expect("scanned");
                if let Some(wrong) = wrong_scan(&*dbm, &found, &expected, reverse) {
                    *failed.lock().expect("alone") = Some(format!("in parts of {limit}: {wrong}"));
                    break;
                }
            }
            return;
        }
        while working.goes_on() {
            let n = rng.below(ALL as usize) as u32;
            let key = b(n.to_be_bytes());
            let effect: Effect = match stays(n) {
                // Its value may change, and its place in a file with it.
                true => set(&key, vec![1; rng.below(100)]),
                false if rng.one_in(2) => removed(&key),
                false => set(&key, "new"),
            };
            let selection = Selection::Keys { keys: std::slice::from_ref(&key), values: false };
            let change = &mut |_: &[hozo_traits::Present]| Ok(vec![effect.clone()]);
            block_on(dbm.update(selection, NOW, change)).expect("changed");
        }
    });
    let failed = failed.into_inner().expect("alone");
    assert_eq!(failed, None);
}

fn wrong_scan(
    dbm: &dyn KvStore,
    found: &[(Bytes, Bytes)],
    stays: &BTreeMap<Bytes, ()>,
    reverse: bool,
) -> Option<String> {
    let keys: BTreeSet<&Bytes> = found.iter().map(|(key, _)| key).collect();
    if keys.len() != found.len() {
        return Some("a key twice".into());
    }
    if let Some(key) = stays.keys().find(|key| !keys.contains(key)) {
        return Some(format!("{key:?} was there all the time, and is left out"));
    }
    let sorted = found.is_sorted_by(|(a, _), (b, _)| if reverse { a > b } else { a < b });
    (dbm.capabilities().ordered && !sorted).then(|| "out of order".into())
}
