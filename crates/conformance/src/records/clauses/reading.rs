//! KV-1 to KV-3: reading.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{KvStoreExt, Selection};

use crate::records::kit::{Kit, NOW, Working, b, removed, set, together};
use crate::records::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(1, nothing_is_there_at_first),
    case!(1, answers_in_the_order_asked_with_repeats),
    case!(1, empty_keys_and_values_are_keys_and_values),
    case!(1, keys_of_any_bytes_are_apart),
    case!(2, every_answered_update_is_seen),
    case!(2, other_threads_see_it_too),
    case!(3, a_value_is_never_mixed),
    case!(3, a_large_value_is_never_mixed),
];

fn nothing_is_there_at_first(kit: &Kit) {
    assert_eq!(block_on(kit.dbm().get_many(&[])).expect("answered"), []);
    assert_eq!(block_on(kit.dbm().get_many(&[b(""), b("a")])).expect("answered"), [None, None]);
    assert_eq!(kit.count(), 0);
    assert_eq!(kit.contents(), []);
}

fn answers_in_the_order_asked_with_repeats(kit: &Kit) {
    for key in ["b", "d", "a"] {
        kit.put(key, key.repeat(3));
    }
    let keys = ["d", "a", "c", "d", "b", "c", "a"].map(b);
    let found = block_on(kit.dbm().get_many(&keys)).expect("answered");
    let expected = keys.map(|key| (key != "c").then(|| key.repeat(3).into()));
    assert_eq!(found, expected);
}

fn empty_keys_and_values_are_keys_and_values(kit: &Kit) {
    kit.put("", "empty key");
    kit.put("empty value", "");
    assert_eq!(kit.get("").as_deref(), Some(&b"empty key"[..]));
    assert_eq!(kit.get("empty value").as_deref(), Some(&b""[..]));
    kit.put("", "");
    assert_eq!(kit.get("").as_deref(), Some(&b""[..]));
    assert_eq!(kit.count(), 2);
    assert_eq!(kit.contents(), [(b(""), b("")), (b("empty value"), b(""))]);
    kit.update(&[b("")], false, &[removed("")]).expect("removed");
    assert_eq!(kit.get(""), None);
    assert_eq!(kit.count(), 1);
}

fn keys_of_any_bytes_are_apart(kit: &Kit) {
    let keys: Vec<Vec<u8>> = vec![
        vec![0],
        vec![0, 0],
        vec![0xff],
        vec![0xff, 0xff],
        vec![0xff, 0],
        b"a".to_vec(),
        b"a\0".to_vec(),
        b"a\xff".to_vec(),
        vec![7; 300],
        [vec![7; 300], vec![0]].concat(),
    ];
    for (n, key) in keys.iter().enumerate() {
        kit.put(key, n.to_string());
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(kit.get(key), Some(n.to_string().into()), "{key:?}");
    }
    assert_eq!(kit.count(), keys.len() as u64);
    assert_eq!(kit.get(vec![7; 299]), None);
}

fn every_answered_update_is_seen(kit: &Kit) {
    let other = kit.dbm();
    for n in 0..200u32 {
        let key = [b'k', (n % 7) as u8];
        kit.put(key, n.to_string());
        assert_eq!(block_on(other.get(&b(key))).expect("read"), Some(n.to_string().into()));
        if n % 5 == 0 {
            kit.update(&[b(key)], false, &[removed(key)]).expect("removed");
            assert_eq!(kit.get(key), None);
        }
    }
}

fn other_threads_see_it_too(kit: &Kit) {
    // Each thread writes to its own key what it read from its neighbour's: what
    // is answered to one can be told to another.
    const THREADS: usize = 3;
    let told: Vec<std::sync::Mutex<u64>> = (0..THREADS).map(|_| 0.into()).collect();
    together(THREADS, |me| {
        let dbm = kit.dbm();
        for n in 1..=200u64 {
            block_on(dbm.set(b([me as u8]), b(n.to_be_bytes()), true, NOW)).expect("set");
            *told[me].lock().expect("no thread panics with it") = n;
            let next = (me + 1) % THREADS;
            let least = *told[next].lock().expect("no thread panics with it");
            let found = block_on(dbm.get(&b([next as u8]))).expect("read");
            let found = found.map_or(0, |v| u64::from_be_bytes(v[..].try_into().expect("8 bytes")));
            assert!(found >= least, "{least} was answered, and {found} is read afterwards");
        }
    });
}

fn a_value_is_never_mixed(kit: &Kit) {
    never_mixed(kit, 100, 400);
}

fn a_large_value_is_never_mixed(kit: &Kit) {
    never_mixed(kit, kit.capabilities().value_bytes_max.min(700_000), 40);
}

/// Values whose bytes are all the same, replaced and removed by one thread, read
/// in every way by others.
fn never_mixed(kit: &Kit, bytes_max: usize, steps: usize) {
    // Goes on until each reader has looked so often while there was something
    // to see, unless reading is very slow.
    const LOOKS: usize = 70;
    const READERS: usize = 3;
    let working = Working::new(1);
    let looks: [AtomicUsize; READERS] = Default::default();
    let same = |value: &Bytes| {
        let first = value.first();
        assert!(value.iter().all(|byte| Some(byte) == first), "a value is mixed of two");
        assert_eq!(value.len(), bytes_max - usize::from(*first.expect("not empty")) % 50);
    };
    kit.put("z", "stays");
    thread::scope(|scope| {
        for (reader, looks) in looks.iter().enumerate() {
            let (dbm, same, working) = (kit.dbm(), &same, &working);
            scope.spawn(move || {
                while working.goes_on() {
                    looks.fetch_add(1, Ordering::Relaxed);
                    match reader {
                        0 => block_on(dbm.get(&b("k"))).expect("read").iter().for_each(same),
                        1 => {
                            let part = block_on(dbm.scan(crate::records::kit::all()));
                            let records = part.expect("scanned").records;
                            assert!(records.iter().any(|(key, _)| key == "z"));
                            records.iter().filter(|(k, _)| k == "k").for_each(|(_, v)| same(v));
                        }
                        _ => {
                            let keys = [b("k")];
                            let selection = Selection::Keys { keys: &keys, values: true };
                            let look = &mut |found: &[hozo_traits::Present]| {
                                if let hozo_traits::PresentValue::Is(value) = &found[0].value {
                                    same(value);
                                }
                                Ok(Vec::new())
                            };
                            block_on(dbm.update(selection, NOW, look)).expect("looked");
                        }
                    }
                }
            });
        }
        let _worker = working.one();
        for n in 0..steps * 100 {
            if n >= steps && looks.iter().all(|looks| looks.load(Ordering::Relaxed) >= LOOKS) {
                break;
            }
            let byte = n as u8;
            let value = vec![byte; bytes_max - usize::from(byte) % 50];
            kit.update(&[b("k")], false, &[set("k", value)]).expect("set");
            if n % 9 == 8 {
                kit.update(&[b("k")], false, &[removed("k")]).expect("removed");
            }
        }
    });
}
