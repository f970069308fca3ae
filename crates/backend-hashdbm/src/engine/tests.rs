//! The engine against a model: every call, checkpoints, cleaning, crashes.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

use bytes::Bytes;
use hozo_conformance::Rng;
use hozo_log::disk::Disk;
use hozo_log::disk::sim::SimDisk;
use hozo_ordered::{KeyRange, LocalEngine, NotApplied, Op, Pair, Scan, Space};

use super::Engine;
use crate::volume::VolumeOptions;

mod full;
mod golden;
mod hostile;

/// Small, so that segments end and checkpoints come all the time.
const OPTIONS: VolumeOptions =
    VolumeOptions { segment_bytes: 64 << 10, checkpoint_bytes: 200 << 10, volume_id: 7 };

/// What the engine should have.
#[derive(Clone, Default, PartialEq, Debug)]
struct Model([BTreeMap<Bytes, Bytes>; Space::ALL.len()]);

impl Model {
    fn apply(&mut self, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Put { space, key, value } => {
                    self.0[*space as usize].insert(key.clone(), value.clone());
                }
                Op::Delete { space, key } => {
                    self.0[*space as usize].remove(key);
                }
                Op::DeleteRange { space, start, end } => {
                    self.0[*space as usize].retain(|key, _| key < start || key >= end);
                }
            }
        }
    }

    fn last_in(&self, space: Space, range: &KeyRange) -> Option<Pair> {
        if range.start > range.end {
            return None;
        }
        let (start, end) = (range.start.as_slice(), range.end.as_slice());
        let found = self.0[space as usize].range::<[u8], _>((Included(start), Included(end)));
        found.map(|(key, value)| (key.clone(), value.clone())).next_back()
    }

    fn scan(&self, scan: &Scan<'_>) -> Vec<Pair> {
        let range = (Included(scan.start), Excluded(scan.end));
        let found = self.0[scan.space as usize].range::<[u8], _>(range);
        let found = found.map(|(key, value)| (key.clone(), value.clone()));
        let all: Vec<Pair> = if scan.reverse { found.rev().collect() } else { found.collect() };
        let mut bytes = 0;
        let mut pairs = Vec::new();
        for pair in all.into_iter().take(scan.limit) {
            bytes += pair.0.len() + pair.1.len();
            pairs.push(pair);
            if bytes >= scan.bytes_max {
                break;
            }
        }
        pairs
    }
}

fn seeded() -> Rng {
    let seed = hozo_conformance::seed();
    eprintln!("to repeat this: HOZO_SEED={seed}");
    Rng::new(seed)
}

fn open(disk: &SimDisk) -> Engine {
    Engine::open(Arc::new(disk.again()), OPTIONS).unwrap().0
}

/// What a power cut now leaves, also while the volume's thread is at work:
/// nothing happens to the disk while the image is taken.
fn power_cut(disk: &SimDisk, rng: &Rng) -> SimDisk {
    disk.crash_at(0, rng.fork("cut").next());
    disk.remove("nothing").expect_err("there is no such file");
    disk.image().expect("it was asked for")
}

fn number(rng: &mut Rng, end: usize) -> u8 {
    u8::try_from(rng.below(end)).unwrap()
}

/// A key of pages: few pages, many versions.
fn page_key(rng: &mut Rng) -> Vec<u8> {
    let mut key = vec![0; 22];
    (key[7], key[11]) = (number(rng, 2), number(rng, 6));
    (key[20], key[21]) = (number(rng, 3), number(rng, 200));
    key
}

fn key(rng: &mut Rng, space: Space) -> Vec<u8> {
    match space {
        Space::Pages => page_key(rng),
        _ if rng.one_in(20) => {
            let longest = rng.below(1023) + 1;
            vec![number(rng, 3); longest]
        }
        _ => {
            let len = rng.below(3) + 1;
            (0..len).map(|_| number(rng, 12)).collect()
        }
    }
}

fn space(rng: &mut Rng) -> Space {
    if rng.one_in(2) { Space::Pages } else { *rng.pick(&Space::ALL) }
}

fn value(rng: &mut Rng) -> Bytes {
    let len = if rng.one_in(5) { rng.below(5000) } else { rng.below(100) };
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    bytes.into()
}

fn op(rng: &mut Rng) -> Op {
    let space = space(rng);
    match rng.below(20) {
        0..15 => Op::Put { space, key: key(rng, space).into(), value: value(rng) },
        15..19 => Op::Delete { space, key: key(rng, space).into() },
        _ => {
            let (a, b) = (key(rng, space), key(rng, space));
            let same = usize::from(space == Space::Pages && !rng.one_in(4)) * 12;
            let end = [&a[..same], &b[same..]].concat();
            Op::DeleteRange { space, start: a.into(), end: end.into() }
        }
    }
}

fn batch(rng: &mut Rng) -> Vec<Op> {
    let len = if rng.one_in(30) { rng.below(200) } else { rng.below(6) };
    (0..len).map(|_| op(rng)).collect()
}

fn range(rng: &mut Rng, space: Space) -> KeyRange {
    let (start, end) = (key(rng, space), key(rng, space));
    if space == Space::Pages && !rng.one_in(5) {
        return KeyRange { end: [&start[..12], &end[12..]].concat(), start };
    }
    KeyRange { start, end }
}

/// Asks the engine for something, as the model knows it.
fn ask(engine: &Engine, model: &Model, rng: &mut Rng) {
    let space = space(rng);
    match rng.below(4) {
        0 => {
            let keys: Vec<_> = (0..rng.below(5)).map(|_| key(rng, space)).collect();
            let known: Vec<_> = keys
                .iter()
                .map(|key| model.0[space as usize].get(key.as_slice()).cloned())
                .collect();
            assert_eq!(engine.get_many(space, &keys).unwrap(), known);
            for (key, known) in keys.iter().zip(known) {
                assert_eq!(engine.get(space, key).unwrap(), known);
            }
        }
        1 => {
            let ranges: Vec<_> = (0..rng.below(5)).map(|_| range(rng, space)).collect();
            let known: Vec<_> = ranges.iter().map(|range| model.last_in(space, range)).collect();
            assert_eq!(engine.last_in_many(space, &ranges).unwrap(), known);
            for (range, known) in ranges.iter().zip(known) {
                assert_eq!(engine.last_in(space, &range.start, &range.end).unwrap(), known);
            }
        }
        _ => {
            let range = range(rng, space);
            let scan = Scan {
                space,
                start: &range.start,
                end: &range.end,
                reverse: rng.one_in(2),
                limit: rng.below(30),
                bytes_max: if rng.one_in(2) { usize::MAX } else { rng.below(3000) },
            };
            let known = if scan.start < scan.end { model.scan(&scan) } else { Vec::new() };
            assert_eq!(engine.scan(&scan).unwrap(), known, "{scan:?}");
        }
    }
}

/// Everything that the engine has, and that it counts right what that takes.
fn everything(engine: &Engine) -> Model {
    let mut model = Model::default();
    for space in Space::ALL {
        let end = [0xff; 1025];
        let (limit, bytes_max) = (usize::MAX, usize::MAX);
        let all = Scan { space, start: &[], end: &end, reverse: false, limit, bytes_max };
        model.0[space as usize] = engine.scan(&all).unwrap().into_iter().collect();
    }
    check(engine);
    model
}

/// The tree is sound, the live bytes are exact, and the table of newest
/// versions says of no page what the tree does not.
fn check(engine: &Engine) {
    use super::place::Place;
    use crate::index::tree::{Cursor, Direction};

    let core = engine.core();
    let state = engine.state().unwrap();
    state.tree.check(&core.pager).unwrap();
    let mut cursor = Cursor::new(&[], None, Direction::Up);
    let mut live = 0;
    let mut newest: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    while let Some((key, place)) = cursor.next(&state.tree, &core.pager).unwrap() {
        let place = Place(place);
        let record = core.log.read(place.position(&core.log)).unwrap();
        assert_eq!(&key[1..], record.key);
        assert_eq!(place.bytes(), record.bytes);
        live += record.bytes;
        if key[0] == Space::Pages.number() && key.len() == 23 {
            newest.insert(key[1..13].to_vec(), record.position);
        }
    }
    assert_eq!(state.live, live, "live bytes");
    let mut entries = 0;
    for (page, at) in newest {
        if let Some(found) = state.newest_of(core, &page).unwrap() {
            assert_eq!(found, at, "the newest version of {page:?}");
            entries += 1;
        }
    }
    let known: u64 = state.newest.iter().map(crate::index::Shard::entries).sum();
    assert_eq!(known, entries, "the table has pages that the tree has not");
}

#[test]
fn it_answers_as_a_model_does() {
    let mut rng = seeded();
    let disk = SimDisk::new();
    let mut engine = open(&disk);
    let mut model = Model::default();
    for round in 0..6000 {
        let ops = batch(&mut rng);
        engine.apply(&ops).unwrap();
        model.apply(&ops);
        ask(&engine, &model, &mut rng);
        if rng.one_in(200) {
            engine.volume().checkpoint().unwrap();
        }
        if rng.one_in(500) {
            engine.volume().rebuild().unwrap();
        }
        if rng.one_in(400) {
            drop(engine);
            engine = open(&disk);
        }
        if round % 500 == 0 {
            assert_eq!(everything(&engine), model);
        }
    }
    assert_eq!(everything(&engine), model);
}

/// What is left after the power went is a prefix of the batches with all that
/// were synced, and the engine goes on from there.
#[test]
fn a_power_cut_leaves_a_prefix() {
    let mut rng = seeded();
    for _ in 0..150 {
        let disk = SimDisk::new();
        let mut engine = open(&disk);
        let mut models = vec![Model::default()];
        let mut synced = 0;
        let cut = disk.operations() + rng.below(150) as u64;
        disk.crash_at(cut, rng.fork("power cut").next());
        while !disk.has_image() && models.len() < 4000 {
            let ops = batch(&mut rng);
            let mut model = models.last().unwrap().clone();
            model.apply(&ops);
            models.push(model);
            engine.apply(&ops).unwrap();
            if rng.one_in(10) && !disk.has_image() {
                let all = models.len() - 1;
                engine.sync().unwrap();
                if !disk.has_image() {
                    synced = all;
                }
            }
            if rng.one_in(60) {
                engine.volume().checkpoint().unwrap();
            }
            if rng.one_in(100) && !disk.has_image() {
                drop(engine);
                engine = open(&disk);
                if !disk.has_image() {
                    // Closing syncs.
                    synced = models.len() - 1;
                }
            }
        }
        let left = disk.image().unwrap_or_else(|| power_cut(&disk, &rng));
        drop(engine);
        let engine = open(&left);
        let found = everything(&engine);
        let which = models.iter().rposition(|model| *model == found);
        let which = which.expect("what is left is not what any prefix of the batches made");
        assert!(which >= synced, "batch {synced} was synced, and {which} is the last there");
        let ops = batch(&mut rng);
        engine.apply(&ops).unwrap();
        drop(engine);
        let mut model = found;
        model.apply(&ops);
        assert_eq!(everything(&open(&left)), model);
    }
}

/// Without index and roots everything comes back from the log alone.
#[test]
fn the_log_alone_is_enough() {
    let mut rng = seeded();
    for file in ["roots", "index"] {
        let disk = SimDisk::new();
        let engine = open(&disk);
        let mut model = Model::default();
        for _ in 0..1500 {
            let ops = batch(&mut rng);
            engine.apply(&ops).unwrap();
            model.apply(&ops);
        }
        drop(engine);
        disk.remove(file).unwrap();
        let (engine, opening) = Engine::open(Arc::new(disk.again()), OPTIONS).unwrap();
        assert_eq!(opening.messages.len(), 1, "{opening:?}");
        assert_eq!(everything(&engine), model);
    }
}

/// What is overwritten or deleted is given back.
#[test]
fn the_log_keeps_in_proportion() {
    let mut rng = seeded();
    let disk = SimDisk::new();
    let engine = open(&disk);
    let value = Bytes::from(vec![1; 1000]);
    for _ in 0..40_000 {
        let key = Bytes::from(vec![number(&mut rng, 32), number(&mut rng, 20)]);
        engine.apply(&[Op::Put { space: Space::Meta, key, value: value.clone() }]).unwrap();
    }
    let live = engine.volume().index().state.read().live;
    let most = 2 * live + 8 * OPTIONS.segment_bytes;
    assert!(engine.volume().log_bytes() <= most, "{} of {live}", engine.volume().log_bytes());
    let (space, start) = (Space::Meta, Bytes::new());
    engine.apply(&[Op::DeleteRange { space, start, end: vec![0xff].into() }]).unwrap();
    engine.volume().rebuild().unwrap();
    assert!(disk.used() < 8 << 20, "{} bytes for nothing", disk.used());
}

/// A disk that is full now and then: what is refused has changed nothing, reads
/// go on, and so does everything when there is space.
#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let mut rng = seeded();
    for _ in 0..12 {
        let disk = SimDisk::new();
        let engine = open(&disk);
        let mut model = Model::default();
        let mut refused = 0;
        for _ in 0..4 {
            disk.set_budget(Some(disk.used() + rng.below(400_000) as u64));
            for _ in 0..400 {
                let ops = batch(&mut rng);
                match engine.apply(&ops) {
                    Ok(()) => model.apply(&ops),
                    Err(NotApplied::Refused(error)) => {
                        assert!(error.to_string().contains("full"), "{error}");
                        refused += 1;
                    }
                    Err(NotApplied::Failed(error)) => panic!("{error}"),
                }
                ask(&engine, &model, &mut rng);
            }
            assert_eq!(everything(&engine), model, "what was refused did something");
            disk.set_budget(None);
            for _ in 0..20 {
                let ops = batch(&mut rng);
                engine.apply(&ops).expect("there is space again");
                model.apply(&ops);
            }
        }
        eprintln!("{refused} refused");
        engine.sync().unwrap();
        let left = power_cut(&disk, &rng);
        drop(engine);
        assert_eq!(everything(&open(&left)), model);
    }
}
