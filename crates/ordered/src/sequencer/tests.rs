use bytes::Bytes;
use proptest::prelude::*;

use super::recent::Recent;
use crate::{Condition, KeyRange, Op, Space};

const SPACES: [Space; 2] = [Space::Pages, Space::Meta];

fn keys() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(0u8..4, 1..3).prop_map(Bytes::from)
}

fn ops() -> impl Strategy<Value = Op> {
    let space = || prop::sample::select(&SPACES[..]);
    prop_oneof![
        4 => (space(), keys()).prop_map(|(space, key)| Op::Put { space, key, value: Bytes::new() }),
        2 => (space(), keys()).prop_map(|(space, key)| Op::Delete { space, key }),
        1 => (space(), keys(), keys())
            .prop_map(|(space, start, end)| Op::DeleteRange { space, start, end }),
    ]
}

/// All keys that [`keys`] gives.
fn every_key() -> impl Iterator<Item = Bytes> {
    let ones = (0..4u8).map(|a| vec![a]);
    ones.chain((0..16u8).map(|n| vec![n / 4, n % 4])).map(Bytes::from)
}

fn changes(op: &Op, space: Space, key: &Bytes) -> bool {
    match op {
        Op::Put { space: s, key: k, .. } | Op::Delete { space: s, key: k } => {
            *s == space && k == key
        }
        Op::DeleteRange { space: s, start, end } => *s == space && start <= key && key < end,
    }
}

proptest! {
    #[test]
    fn a_condition_is_judged_again_if_one_of_its_keys_changed(
        batches in prop::collection::vec(prop::collection::vec(ops(), 0..4), 1..6),
        from in 0usize..6, start in keys(), end in keys(),
    ) {
        let from = from.min(batches.len());
        let mut recent = Recent::default();
        batches[..from].iter().for_each(|batch| recent.push(batch.clone()));
        let moment = recent.now();
        batches[from..].iter().for_each(|batch| recent.push(batch.clone()));
        let seen = recent.since(moment).expect("so few are remembered");
        for space in SPACES {
            let range = KeyRange { start: start.to_vec(), end: end.to_vec() };
            let empty = Condition::RangeEmpty { space, range };
            let inside = |key: &Bytes| start <= *key && *key <= end;
            let changed = |key: &Bytes| {
                batches[from..].iter().flatten().any(|op| changes(op, space, key))
            };
            if every_key().any(|key| inside(&key) && changed(&key)) {
                prop_assert!(seen.touch(&empty), "{empty:?}");
            }
            for key in every_key() {
                let is = Condition::KeyIs { space, key: key.to_vec(), value: None };
                prop_assert_eq!(seen.touch(&is), changed(&key), "{:?}", is);
            }
        }
    }
}

#[test]
fn what_is_no_longer_remembered_is_not_known() {
    let batch = |bytes: usize| {
        vec![Op::Put {
            space: Space::Pages,
            key: Bytes::from_static(b"key"),
            value: vec![0; bytes].into(),
        }]
    };
    let mut recent = Recent::default();
    let start = recent.now();
    (0..256).for_each(|_| recent.push(batch(1)));
    assert!(recent.since(start).is_some());
    recent.push(batch(1));
    assert!(recent.since(start).is_none(), "one batch too many");

    let before = recent.now();
    recent.push(batch(1 << 20));
    assert!(recent.since(before).is_some());
    recent.push(batch(8 << 20));
    assert!(recent.since(before).is_none(), "a batch too large");
    assert!(recent.since(recent.now()).is_some(), "nothing since is known");
}
