//! Power cuts at random moments: what was durable is there, and of the rest
//! the first so many updates, each whole.

use hozo_traits::exec::block_on;
use hozo_traits::{Durability, Effect, KvStore, Selection};

use super::*;

const KEYS: usize = 60;

fn key(rng: &mut Rng) -> Bytes {
    // One key is empty, some are long.
    let n = rng.below(KEYS);
    bytes(format!("{n}").repeat(if n % 10 == 9 { 60 } else { n.min(1) }))
}

fn value(rng: &mut Rng) -> Bytes {
    let most = if rng.one_in(60) { 3 * SEGMENT_BYTES as usize } else { 3000 };
    let mut value = vec![0; rng.below(most)];
    rng.fill(&mut value);
    value.into()
}

fn effects(rng: &mut Rng) -> Vec<Effect> {
    let count = if rng.one_in(3) { 1 + rng.below(12) } else { 1 };
    let effect = |_| match rng.below(4) {
        0 => Effect::Remove { key: key(rng) },
        _ => Effect::Set { key: key(rng), value: value(rng) },
    };
    (0..count).map(effect).collect()
}

pub(super) fn make(contents: &mut Contents, effects: &[Effect]) {
    for effect in effects {
        match effect.clone() {
            Effect::Set { key, value } => drop(contents.insert(key, value)),
            Effect::Remove { key } => drop(contents.remove(&key)),
            Effect::Clear => contents.clear(),
        }
    }
}

/// One random update; what it leaves goes to `contents`.
fn update(dbm: &Records, contents: &mut Contents, durability: Durability, rng: &mut Rng) {
    let mut made = Vec::new();
    match rng.below(60) {
        0 => block_on(dbm.update(Selection::First, durability, &mut |found| {
            made = found.iter().map(|one| Effect::Remove { key: one.key.clone() }).collect();
            Ok(made.clone())
        })),
        1 => {
            made = vec![Effect::Clear];
            block_on(dbm.update(Selection::First, durability, &mut |_| Ok(vec![Effect::Clear])))
        }
        2 => {
            block_on(KvStore::rebuild(dbm)).expect("it is rebuilt");
            return;
        }
        _ => {
            made = effects(rng);
            let keys: Vec<Bytes> = made.iter().map(key_of).collect();
            let selection = Selection::Keys { keys: &keys, values: rng.one_in(2) };
            block_on(dbm.update(selection, durability, &mut |_| Ok(made.clone())))
        }
    }
    .expect("it is updated");
    make(contents, &made);
}

fn key_of(effect: &Effect) -> Bytes {
    match effect {
        Effect::Set { key, .. } | Effect::Remove { key } => key.clone(),
        Effect::Clear => unreachable!("not among these"),
    }
}

/// Updates until the power is cut; the disk after that, the states that the
/// DBM went through, and the first of them that may be what is left.
fn until_the_cut(disk: &SimDisk, dbm: &Records, rng: &mut Rng) -> (SimDisk, Vec<Contents>, usize) {
    let mut states = vec![check(dbm)];
    let mut durable = 0;
    disk.crash_at(disk.operations() + rng.below(80) as u64, rng.fork("image").next());
    for _ in 0..400 {
        let durability = if rng.one_in(9) { Durability::Durable } else { Durability::Sequenced };
        let mut contents = states.last().expect("one at least").clone();
        update(dbm, &mut contents, durability, rng);
        states.push(contents);
        if disk.has_image() {
            break;
        }
        if durability == Durability::Durable {
            durable = states.len() - 1;
        }
    }
    disk.forget_crash();
    let image = disk.image().unwrap_or_else(|| cut(disk, rng));
    (image, states, durable)
}

#[test]
fn a_prefix_of_the_updates_survives() {
    let seed = hozo_conformance::seed();
    println!("seed {seed}");
    for round in 0..60 {
        let mut rng = Rng::new(seed).fork(&format!("round {round}"));
        let mut disk = SimDisk::new();
        let mut expected: Option<(Vec<Contents>, usize)> = None;
        for cut in 0..4 {
            let dbm = open(&disk);
            let found = check(&dbm);
            if let Some((states, durable)) = &expected {
                let left = states.iter().rposition(|state| *state == found);
                assert!(
                    left.is_some_and(|left| left >= *durable),
                    "round {round}, cut {cut}: of {} states {left:?} is left, {durable} was durable",
                    states.len()
                );
            }
            let (image, states, durable) = until_the_cut(&disk, &dbm, &mut rng);
            expected = Some((states, durable));
            drop(dbm);
            disk = image;
        }
    }
}

#[test]
fn what_was_closed_is_there() {
    let seed = hozo_conformance::seed();
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let disk = SimDisk::new();
    let mut contents = Contents::new();
    for _ in 0..6 {
        let dbm = open(&disk);
        assert_eq!(check(&dbm), contents);
        assert!(dbm.messages().is_empty(), "{:?}", dbm.messages());
        for _ in 0..300 {
            update(&dbm, &mut contents, Durability::Sequenced, &mut rng);
        }
    }
}
