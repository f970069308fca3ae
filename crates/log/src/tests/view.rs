//! What others see of a log.

use std::sync::atomic::AtomicBool;

use hozo_conformance::{Rng, SEED_VARIABLE, seed};

use super::run::{Run, Said};
use super::*;
use crate::disk::sim::SimDisk;
use crate::survey::Gap;
use crate::view::{Reading, Step, View};

fn view(disk: &SimDisk) -> View {
    View::new(Arc::new(disk.again()), Some(0)).expect("a log")
}

/// All that comes.
fn all(reading: &mut Reading) -> (Vec<Said>, Vec<Gap>, Position) {
    let (mut records, mut gaps) = (Vec::new(), Vec::new());
    while let Some(step) = reading.step().expect("it can be read") {
        match step {
            Step::Record(record) => records.push(Said::from(&record)),
            Step::Damage(gap) => gaps.push(gap),
        }
    }
    (records, gaps, reading.end())
}

/// A log that has been used for a while, all of it durable, with a mark that
/// says so.
fn used(round: u32) -> Run {
    let seed = seed();
    println!("round {round} with {SEED_VARIABLE}={seed}");
    let mut run = Run::new(Rng::new(seed).fork(&format!("view {round}")));
    for _ in 0..60 {
        run.step();
    }
    run.append();
    run.sync();
    run.log().say_durable();
    run
}

fn there(run: &Run) -> Vec<Said> {
    let tail = run.log().tail();
    run.batches.iter().flatten().filter(|said| said.position >= tail).cloned().collect()
}

/// The file and the offset of a position.
fn place(run: &Run, position: Position) -> (String, u64) {
    let pieces = run.log().pieces();
    let piece = pieces.iter().rfind(|piece| piece.first <= position).expect("it is there");
    (piece.name.clone(), position - piece.first + segment::HEADER_BYTES)
}

#[test]
fn a_view_shows_what_the_log_has() {
    for round in 0..20 {
        let run = used(round);
        let files = run.disk.list().expect("listed");
        let (records, gaps, end) = all(&mut view(&run.disk).read());
        assert_eq!(records, there(&run));
        assert_eq!(gaps, []);
        assert_eq!(end, run.log().head());
        let pieces = view(&run.disk).pieces();
        let ends = |pieces: &[Piece]| pieces.iter().map(|p| (p.first, p.end)).collect::<Vec<_>>();
        assert_eq!(ends(&pieces), ends(&run.log().pieces()));
        let middle = records[records.len() / 2].position;
        let (rest, ..) = all(&mut view(&run.disk).read_from(middle));
        assert_eq!(rest, records[records.len() / 2..]);
        assert_eq!(run.disk.list().expect("listed"), files);
    }
}

#[test]
fn a_torn_end_is_the_end() {
    for round in 0..20 {
        let mut run = used(round);
        let before = there(&run);
        let head = run.log().head();
        run.append_batch();
        let batch = run.batches.last().expect("one").clone();
        let first = place(&run, batch[0].position);
        // Of a batch in the next segment nothing is behind it.
        let at_head = batch[0].position == head;
        run.disk.flip(&first.0, first.1 + 1);
        let (records, gaps, end) = all(&mut view(&run.disk).read());
        assert_eq!((records, gaps), (before, vec![]));
        assert!(!at_head || end == head, "{end} for {head}");
    }
}

#[test]
fn damage_is_shown_and_passed_over() {
    for round in 0..20 {
        let mut run = used(round);
        // There may have been no room for a mark.
        let durable = Some(run.log().durable());
        let disk: Arc<dyn Disk> = Arc::new(run.disk.again());
        let view = || View::new(Arc::clone(&disk), durable).expect("a log");
        let said = there(&run);
        let damaged = run.rng.pick(&said).clone();
        let (name, at) = place(&run, damaged.position);
        let byte = run.rng.below(7 + damaged.key.len() + damaged.value.len());
        run.disk.flip(&name, at + byte as u64);
        let (records, gaps, _) = all(&mut view().read());
        let mut batches = run.batches.iter();
        let batch = batches.find(|batch| batch.contains(&damaged)).expect("it was said");
        let missing: Vec<_> = said.iter().filter(|said| !records.contains(said)).collect();
        assert!(missing.contains(&&damaged), "{damaged:?} is not whole");
        assert!(missing.iter().all(|missing| batch.contains(missing)), "{missing:?}");
        assert!(records.iter().all(|record| said.contains(record)), "nothing else comes");
        let position = damaged.position;
        assert!(gaps.iter().any(|gap| gap.from <= position && position < gap.to), "{gaps:?}");
        let gap = &gaps[0];
        assert_eq!(place(&run, gap.from), (gap.file.clone(), gap.offset));
        // It is the same from there on, for who goes on behind it.
        let (rest, again, _) = all(&mut view().read_from(gap.from));
        assert!(records.ends_with(&rest) && again == gaps, "{again:?}");
    }
}

/// A log of ten segments, each with a mark.
fn long(disk: &SimDisk) -> Log {
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    while log.pieces().len() < 10 {
        log.append(2, b"key", &[7; 5000]).expect("appended");
        log.sync().expect("synced");
    }
    log.say_durable();
    log
}

#[test]
fn files_that_are_missing_or_have_no_header_are_damage() {
    for what in ["missing", "header", "zeros", "strange", "short"] {
        let disk = SimDisk::new();
        let pieces = long(&disk).pieces();
        let (records, ..) = all(&mut view(&disk).read());
        let (piece, name) = (&pieces[4], &pieces[4].name);
        match what {
            "missing" => disk.remove(name).expect("removed"),
            "header" => disk.flip(name, 20),
            "zeros" => disk.put(name, &vec![0; 65536]),
            "short" => disk.put(name, &disk.get(name)[..30_000]),
            _ => {
                let header = Header {
                    volume_id: 1,
                    number: 4,
                    spans: 1,
                    segment_log2: 16,
                    follows: piece.first - 100,
                };
                let mut bytes = disk.get(name);
                bytes[..64].copy_from_slice(&header.encode());
                disk.put(name, &bytes);
            }
        }
        let (left, gaps, end) = all(&mut view(&disk).read());
        let inside = |said: &&Said| (piece.first..piece.end).contains(&said.position);
        let lost = records.iter().filter(inside).filter(|said| !left.contains(said)).count();
        let of = records.iter().filter(inside).count();
        match what {
            "header" => assert_eq!(lost, 0),
            "short" => assert!(0 < lost && lost < of, "{lost}"),
            _ => assert_eq!(lost, of),
        }
        assert_eq!(left.len() + lost, records.len(), "{what}");
        assert!(gaps.iter().any(|gap| gap.file == *name), "{what}: {gaps:?}");
        assert!(end > pieces[9].first, "{what}: {end}");
    }
}

#[test]
fn an_end_below_what_was_durable_is_damage() {
    let disk = SimDisk::new();
    let log = long(&disk);
    let (head, pieces) = (log.head(), log.pieces());
    drop(log);
    let last = &pieces[9];
    disk.remove(&last.name).expect("removed");
    let whole = View::new(Arc::new(disk.again()), Some(head)).expect("a log");
    let (_, gaps, _) = all(&mut whole.read());
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].from, gaps[0].to), (pieces[8].end, head));
    // Nobody knows.
    assert_eq!(all(&mut view(&disk).read()).1, []);
}

#[test]
fn without_a_log_there_is_no_view() {
    let kind = |disk: &SimDisk| {
        let view = View::new(Arc::new(disk.again()), None);
        view.err().map(|error| error.kind())
    };
    let disk = SimDisk::new();
    assert_eq!(kind(&disk), Some(ErrorKind::NotFound));
    disk.put("0000000000000000.seg", &[0; 4096]);
    assert_eq!(kind(&disk), Some(ErrorKind::NotFound));
    disk.put("0000000000000000.seg", &[7; 4096]);
    assert_eq!(kind(&disk), Some(ErrorKind::Corrupt));
}

/// The owner appends, syncs and discards as fast as it can; who looks on finds
/// records in their order and never damage.
#[test]
fn a_log_that_is_written_to_is_whole() {
    const RECORDS: u64 = 60_000;
    let dir = tempfile::tempdir().expect("a directory");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(dir.path()).expect("a disk"));
    let log = Log::create(disk, OPTIONS).expect("created");
    let over = AtomicBool::new(false);
    let (mut views, mut passed_over) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..RECORDS {
                let value = vec![i as u8; (i % 700) as usize];
                log.append(2, &i.to_le_bytes(), &value).expect("appended");
                match i % 500 {
                    0 => drop(log.sync().expect("synced")),
                    250 if i % 1000 == 250 => log.prepare_ahead().expect("prepared"),
                    499 => {
                        let keep = 5 * OPTIONS.segment_bytes;
                        log.discard_before(log.head().saturating_sub(keep)).expect("discarded");
                    }
                    _ => {}
                }
            }
            over.store(true, Ordering::Release);
        });
        let mut last = false;
        while !last {
            last = over.load(Ordering::Acquire);
            let disk = Arc::new(RealDisk::read_only(dir.path()));
            let view = View::new(disk, Some(64)).expect("a log");
            let mut reading = view.read();
            let mut before: Option<u64> = None;
            loop {
                match reading.step().expect("it can be read") {
                    None => break,
                    Some(Step::Damage(gap)) => panic!("damage: {gap:?}"),
                    Some(Step::Record(record)) => {
                        let i = u64::from_le_bytes(record.key.try_into().expect("a number"));
                        assert_eq!(record.value, vec![i as u8; (i % 700) as usize]);
                        if let Some(before) = before {
                            assert!(i > before, "{i} after {before}");
                            let next = i == before + 1;
                            assert!(next || reading.passed_over() > 0, "{i} after {before}");
                        }
                        before = Some(i);
                    }
                }
            }
            views += 1;
            passed_over += u64::from(reading.passed_over() > 0);
            assert!(!last || before == Some(RECORDS - 1), "{before:?}");
        }
    });
    println!("{views} views, {passed_over} of which lost something");
}

#[test]
fn what_is_read_only_is_not_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = RealDisk::read_only(dir.path());
    let refused = [
        disk.create("a").err(),
        disk.rename("a", "b").err(),
        disk.remove("a").err(),
        disk.subdir("a").err(),
    ];
    for error in refused {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::ReadOnly));
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 0);
    std::fs::write(dir.path().join("a"), b"x").expect("written");
    let file = disk.open("a").expect("opened");
    assert!(file.write_at(0, b"y").is_err() && file.truncate(0).is_err());
    assert_eq!(std::fs::read(dir.path().join("a")).expect("read"), b"x");
}

#[test]
fn after_a_crash_a_view_shows_what_opening_finds() {
    for round in 0..40 {
        let seed = seed();
        println!("round {round} with {SEED_VARIABLE}={seed}");
        let mut run = Run::new(Rng::new(seed).fork(&format!("crash {round}")));
        for _generation in 0..4 {
            for _ in 0..run.rng.below(80) {
                run.step();
            }
            let mut rng = run.rng.fork("crash");
            let image = run.disk.crash(rng.next());
            run.log = None;
            let (seen, gaps, _) = all(&mut view(&image).read());
            assert_eq!(gaps, []);
            let (log, _, found) = open(Arc::new(image.again()), None).expect("opened");
            assert_eq!(seen, found);
            drop(log);
            // And now that it was opened.
            assert_eq!(all(&mut view(&image).read()).0, found);
            run.resume(image, None);
        }
    }
}
