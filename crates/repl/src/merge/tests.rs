use super::*;
use hozo_traits::Reach;
use proptest::prelude::*;

fn server(id: u32) -> ServerId {
    ServerId::new(id).unwrap()
}

fn update(id: u32, seq: u64, time: u64, effects: Vec<Effect>) -> Update {
    Update {
        time: Timestamp::from_micros(time),
        origin: server(id),
        reach: Reach { seq, digest: 0 },
        server: server(id),
        what: What::Records { dbm: 0, effects, reduced: false },
    }
}

fn set(key: &'static str) -> Effect {
    Effect::Set { key: key.into(), value: "v".into() }
}

fn remove(key: &'static str) -> Effect {
    Effect::Remove { key: key.into() }
}

/// What server 1 changed at these times, in this order.
fn recent(changes: &[(u64, Effect)]) -> Recent {
    let mut recent = Recent::default();
    recent.remember(true);
    for (n, (time, effect)) in changes.iter().enumerate() {
        recent.changed_here(&update(1, n as u64 + 1, *time, vec![effect.clone()]));
    }
    recent
}

#[test]
fn the_later_one_stands() {
    let mut here = recent(&[(50, set("k")), (50, remove("r"))]);
    let settled = here.merge(&update(2, 1, 49, vec![set("k"), set("x"), set("r")]));
    assert_eq!(settled.effects, [set("x")]);
    assert!(settled.reduced);
    let lost: Vec<_> = settled.conflicts.iter().map(|c| c.key.clone().unwrap()).collect();
    assert_eq!(lost, ["k", "r"]);
    assert_eq!(
        settled.conflicts[0].kept,
        Stamp { time: Timestamp::from_micros(50), server: server(1) }
    );
    let settled = here.merge(&update(2, 2, 51, vec![set("k")]));
    assert_eq!((settled.effects, settled.reduced), (vec![set("k")], false));
    assert_eq!(settled.conflicts[0].lost.server, server(1));
    // Now theirs stands, which they know of.
    let settled = here.merge(&update(2, 3, 51, vec![set("k")]));
    assert_eq!((settled.effects.len(), settled.conflicts.len()), (1, 0));
}

#[test]
fn of_equal_times_the_higher_server_stands() {
    let mut here = recent(&[(50, set("k"))]);
    assert_eq!(here.merge(&update(2, 1, 50, vec![set("k")])).effects.len(), 1);
    let mut here = Recent::default();
    here.remember(true);
    here.changed_here(&update(2, 1, 50, vec![set("k")]));
    assert_eq!(here.merge(&update(1, 1, 50, vec![set("k")])).effects.len(), 0);
}

#[test]
fn who_knew_wins_whatever_the_clock_says() {
    let mut here = recent(&[(50, set("a")), (60, set("b")), (70, set("a"))]);
    here.known(2);
    assert!(here.stamp_of(0, b"b").is_none());
    assert!(here.stamp_of(0, b"a").is_some(), "a was changed once more");
    assert_eq!(here.merge(&update(2, 1, 10, vec![set("b")])).conflicts.len(), 0);
    assert_eq!(here.merge(&update(2, 2, 10, vec![set("a")])).effects.len(), 0);
    here.known(3);
    assert!(here.is_empty());
}

#[test]
fn a_clearing_is_a_change_of_every_record() {
    let mut here = recent(&[(50, set("early")), (60, Effect::Clear), (70, set("late"))]);
    let settled = here.merge(&update(2, 1, 55, vec![set("early"), set("any"), set("late")]));
    assert_eq!((settled.effects.len(), settled.conflicts.len()), (0, 3));
    let settled = here.merge(&update(2, 2, 65, vec![set("any"), set("late")]));
    assert_eq!(settled.effects, [set("any")]);
    // Two clearings, and those of another DBM.
    assert_eq!(here.merge(&update(2, 3, 59, vec![Effect::Clear])).effects.len(), 0);
    let settled = here.merge(&update(2, 4, 75, vec![Effect::Clear]));
    assert_eq!((settled.effects.len(), settled.conflicts[0].key.clone()), (1, None));
    let mut other = update(2, 5, 1, vec![set("any")]);
    other.what = What::Records { dbm: 1, effects: vec![set("any")], reduced: false };
    assert_eq!(here.merge(&other).effects.len(), 1);
    here.known(2);
    assert_eq!(here.merge(&update(2, 6, 1, vec![set("any")])).effects.len(), 1);
}

#[test]
fn what_was_reduced_stays_so() {
    for mut here in [recent(&[]), recent(&[(50, set("k"))])] {
        let mut given = update(2, 1, 60, vec![set("x")]);
        given.what = What::Records { dbm: 0, effects: vec![set("x")], reduced: true };
        assert!(here.merge(&given).reduced);
    }
}

#[test]
fn a_server_that_is_no_dual_master_remembers_nothing() {
    let mut here = Recent::default();
    here.changed_here(&update(1, 1, 50, vec![set("k")]));
    assert!(here.is_empty() && !here.lacks_older());
    here.remember(true);
    assert!(here.lacks_older(), "what was before may be in the log");
    here.begin_again();
    here.changed_here(&update(1, 2, 50, vec![set("k")]));
    here.remember(true);
    assert!(!here.is_empty() && !here.lacks_older());
    here.remember(false);
    assert!(here.is_empty() && !here.lacks_older());
}

/// What two masters made that did not know of each other: for each a list of
/// times and keys.
fn histories() -> impl Strategy<Value = [Vec<(u64, usize)>; 2]> {
    let one = || prop::collection::vec((0..20u64, 0..4usize), 0..12);
    [one(), one()].prop_map(|histories| {
        histories.map(|mut history| {
            history.sort_by_key(|(time, _)| *time);
            history
        })
    })
}

proptest! {
    #[test]
    fn both_settle_on_the_same(histories in histories()) {
        const KEYS: [&str; 4] = ["a", "b", "c", "clear"];
        let made = |id: u32| -> Vec<Update> {
            let changes = histories[id as usize - 1].iter().enumerate();
            changes.map(|(n, (time, key))| {
                let effect = match KEYS[*key] {
                    "clear" => Effect::Clear,
                    key => Effect::Set { key: key.into(), value: format!("{id}:{n}").into() },
                };
                update(id, n as u64 + 1, *time, vec![effect])
            }).collect()
        };
        let mut ends = Vec::new();
        for (mine, theirs) in [(made(1), made(2)), (made(2), made(1))] {
            let mut records = BTreeMap::new();
            let mut recent = Recent::default();
            recent.remember(true);
            for update in &mine {
                recent.changed_here(update);
                let What::Records { effects, .. } = &update.what else { unreachable!() };
                apply(&mut records, effects);
            }
            for update in &theirs {
                let What::Records { effects, .. } = &update.what else { unreachable!() };
                if effects == &[Effect::Clear] {
                    // As the log does it, which knows the keys.
                    records.retain(|key: &Bytes, _| {
                        recent.stamp_of(0, key).is_some_and(|here| here > Stamp::of(update))
                    });
                } else {
                    apply(&mut records, &recent.merge(update).effects);
                }
            }
            ends.push(records);
        }
        prop_assert_eq!(&ends[0], &ends[1]);
    }
}

fn apply(records: &mut BTreeMap<Bytes, Bytes>, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::Set { key, value } => drop(records.insert(key.clone(), value.clone())),
            Effect::Remove { key } => drop(records.remove(key)),
            Effect::Clear => records.clear(),
        }
    }
}
