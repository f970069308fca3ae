//! Power losses at random moments, also while opening after another.

use hozo_conformance::{Rng, SEED_VARIABLE, seed};

use super::run::Run;
use super::*;
use crate::disk::sim::SimDisk;

const ROUNDS: u64 = 40;

/// Prints how to repeat a failure.
fn seeded(what: &str, test: impl Fn(Rng)) {
    let seed = seed();
    for round in 0..ROUNDS {
        let name = format!("{what} {round}");
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            test(Rng::new(seed).fork(&name));
        }));
        if let Err(panic) = result {
            eprintln!("round {round} failed; repeat with {SEED_VARIABLE}={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Where opening may start instead of the tail: what was durable.
fn some_durable(run: &mut Run) -> Option<Position> {
    let durable = run.durable;
    let batches = run.batches.iter().map(|batch| batch[0].position);
    let tail = run.tail.1;
    // A checkpoint takes the durable position itself.
    let known = batches.chain([durable, durable]);
    let known: Vec<_> = known.filter(|at| (tail..=durable).contains(at)).collect();
    (!known.is_empty() && run.rng.one_in(2)).then(|| *run.rng.pick(&known))
}

#[test]
fn what_was_synced_survives_and_the_rest_is_a_prefix() {
    seeded("crash", |rng| {
        let mut run = Run::new(rng);
        for _generation in 0..6 {
            let operations = 1 + run.rng.below(120) as u64;
            let crash_seed = run.rng.fork(&operations.to_string()).next();
            run.disk.crash_at(run.disk.operations() + operations, crash_seed);
            while !run.disk.has_image() {
                run.step();
            }
            let mut image = run.disk.image().expect("it crashed");
            run.log = None;
            // The power fails again while the log is being opened.
            for _ in 0..run.rng.below(4) {
                let operations = run.rng.below(12) as u64;
                let crash_seed = run.rng.fork(&operations.to_string()).next();
                image.crash_at(image.operations() + operations, crash_seed);
                let from = some_durable(&mut run);
                let opened = open(Arc::new(image.again()), from);
                opened.expect("a crash is no damage");
                if let Some(next) = image.image() {
                    image = next;
                } else {
                    image.forget_crash();
                    break;
                }
            }
            let from = some_durable(&mut run);
            run.resume(image, from);
        }
    });
}

#[test]
fn a_crash_at_the_very_end_keeps_every_synced_batch() {
    seeded("end", |rng| {
        let mut run = Run::new(rng);
        for _ in 0..5 {
            for _ in 0..run.rng.below(100) {
                run.step();
            }
            let mut crash_rng = run.rng.fork("end");
            let image = run.disk.crash(crash_rng.next());
            run.log = None;
            run.resume(image, None);
        }
    });
}

#[test]
fn creating_is_finished_or_never_happened() {
    seeded("create", |mut rng| {
        let disk = SimDisk::new();
        disk.crash_at(rng.below(5) as u64, rng.fork("image").next());
        let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
        drop(log);
        let image = disk.image().unwrap_or_else(|| disk.crash(rng.next()));
        match open(Arc::new(image), None) {
            Ok((_, _, replayed)) => assert!(replayed.is_empty()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
    });
}

#[test]
fn a_log_that_could_not_sync_takes_nothing_more() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    log.append(2, b"a", b"1").expect("appended");
    log.sync().expect("synced");
    log.append(2, b"b", b"2").expect("appended");
    disk.fail_sync(1);
    for _ in 0..2 {
        let error = log.sync().expect_err("the disk is broken");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    log.append(2, b"c", b"3").expect_err("poisoned");
    log.append_batch(&[Entry { kind: 2, key: b"c", value: b"3" }]).expect_err("poisoned");
    log.discard_before(log.head()).expect_err("poisoned");
    let first = log.records_from(log.tail()).next().expect("there").expect("read");
    assert_eq!(first.key, b"a", "reading goes on");
}

#[test]
fn what_was_cut_off_never_comes_back() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    let torn = log.append(2, b"torn", &[1; 100]).expect("appended");
    log.append(2, b"behind", b"whole, but behind what is torn").expect("appended");
    drop(log);
    disk.flip(&segment::file_name(0), torn + 20);
    let (log, opened, replayed) = open(Arc::new(disk.again()), None).expect("opened");
    assert!(replayed.is_empty() && opened.head > torn);
    // As long as what was there, so that what is behind would fit.
    log.append(2, b"torn", &[2; 100 - record::MARK_BYTES as usize]).expect("appended");
    drop(log);
    let (_, _, replayed) = open(Arc::new(disk), None).expect("opened");
    assert_eq!(replayed.len(), 1);
}

#[test]
fn a_mark_beyond_what_is_torn_says_that_it_is_damage() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    let first = log.append(2, b"first", b"durable").expect("appended");
    log.sync().expect("synced");
    log.append(2, b"second", b"says so").expect("appended");
    drop(log);
    let name = segment::file_name(0);
    disk.flip(&name, first + 4);
    let error = open(Arc::new(disk.again()), None).err().expect("damaged");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    // Without the mark it is what a crash could have left.
    disk.flip(&name, first + 24 + 4);
    let (_, opened, replayed) = open(Arc::new(disk), None).expect("opened");
    assert!(replayed.is_empty() && opened.head > first);
}

#[test]
fn the_next_segment_is_prepared_and_used() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    while log.head() < 60_000 {
        log.append(2, b"key", &[1; 1000]).expect("appended");
    }
    log.sync().expect("synced");
    log.prepare_ahead().expect("prepared");
    assert!(disk.list().expect("listed").iter().any(|name| name.ends_with(".spare")));
    log.append(2, b"key", &[1; 20_000]).expect("appended");
    assert!(!disk.list().expect("listed").iter().any(|name| name.ends_with(".spare")));
    log.sync().expect("synced");
    let before = disk.operations();
    log.prepare_ahead().expect("prepared");
    log.prepare_ahead().expect("nothing to do");
    assert!(disk.operations() - before <= 4);
}

#[test]
fn a_spare_file_is_not_used_after_a_crash() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    let position = log.append(2, b"key", &[1; 1000]).expect("appended");
    drop(log);
    // A segment whose renaming was undone, together with what was in it.
    let header = Header {
        volume_id: OPTIONS.volume_id,
        number: 1,
        spans: 1,
        segment_log2: 16,
        follows: position,
    };
    disk.put("0.spare", &[&header.encode()[..], &[0; 1000]].concat());
    let (log, _, _) = open(Arc::new(disk.again()), None).expect("opened");
    assert_eq!(disk.list().expect("listed"), [segment::file_name(0)]);
    drop(log);
}

#[test]
fn where_a_torn_log_goes_on_is_durable_at_once() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    let position = log.append(2, b"key", &[1; 1000]).expect("appended");
    drop(log);
    disk.flip(&segment::file_name(0), position + 100);
    let (log, opened, _) = open(Arc::new(disk.again()), None).expect("opened");
    assert_eq!((opened.head, log.sync().expect("nothing to do")), (log.head(), opened.head));
    let mut rng = Rng::new(1);
    for _ in 0..30 {
        // As a checkpoint says that was taken right after opening.
        let image = Arc::new(disk.crash(rng.next()));
        open(image, Some(opened.head)).expect("a crash is no damage");
    }
}
