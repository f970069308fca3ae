//! Full disks, large values, and limits.

use super::run::{Run, Said};
use super::*;
use crate::disk::sim::SimDisk;
use hozo_conformance::{Rng, SEED_VARIABLE, seed};

#[test]
fn a_full_disk_is_an_error_and_service_resumes() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    disk.set_budget(Some(256 << 10));
    let mut said = Vec::new();
    let full = loop {
        match log.append(2, b"key", &[1; 3000]) {
            Ok(position) => said.push(position),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::Unavailable);
    assert!(full.to_string().contains("full"), "{full}");
    // Nothing more than a segment's rest is lost to the limit.
    assert!(said.len() > 80, "{}", said.len());
    let head = log.head();
    for bytes in [3000, 70_000, 300_000] {
        log.append(2, b"key", &vec![1; bytes]).expect_err("still full");
        let entry = Entry { kind: 2, key: b"key", value: &vec![1; bytes] };
        log.append_batch(&[entry, entry]).expect_err("still full");
    }
    let segments: Vec<_> = log.segments.lock().values().cloned().collect();
    let allocated: u64 = segments.iter().map(|segment| segment.allocated()).sum();
    assert_eq!(disk.used(), allocated, "what failed leaves nothing behind");
    log.sync().expect("syncing needs no space");
    let walk = |log: &Log| -> Vec<Position> {
        log.records_from(log.tail()).map(|record| record.expect("walked").position).collect()
    };
    assert_eq!(walk(&log), said);
    assert!(log.head() - head <= 2 * OPTIONS.segment_bytes);
    disk.set_budget(None);
    for bytes in [3000, 70_000, 300_000] {
        said.push(log.append(2, b"key", &vec![1; bytes]).expect("there is space again"));
    }
    assert_eq!(walk(&log), said);
    drop(log);
    let (_, _, replayed) = open(Arc::new(disk), None).expect("opened");
    assert_eq!(replayed.iter().map(|said| said.position).collect::<Vec<_>>(), said);
}

#[test]
fn freeing_segments_needs_no_space() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    disk.set_budget(Some(1 << 20));
    while log.append(2, b"key", &[1; 3000]).is_ok() {}
    log.discard_before(log.head()).expect("discarded");
    log.append(2, b"key", &[1; 3000]).expect("appended");
}

#[test]
fn a_torn_log_opens_on_a_disk_that_is_all_but_full() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    let position = log.append(2, b"key", &[1; 3000]).expect("appended");
    drop(log);
    disk.flip(&segment::file_name(0), position + 100);
    disk.set_budget(Some(disk.used() + 5000));
    let (log, _, replayed) = open(Arc::new(disk.again()), None).expect("opened");
    assert!(replayed.is_empty());
    log.append(2, b"key", &[1; 3000]).expect("there is as much");
    log.append(2, b"key", &[1; 3000]).expect_err("full");
    disk.set_budget(None);
    log.append(2, b"key", &[1; 3000]).expect("there is space again");
}

#[test]
fn failures_of_allocation_change_nothing() {
    let seed = seed();
    for round in 0..20 {
        println!("round {round} with {SEED_VARIABLE}={seed}");
        let mut run = Run::new(Rng::new(seed).fork(&format!("allocation {round}")));
        for _ in 0..30 {
            run.disk.fail_allocate(1 + run.rng.below(2) as u64);
            let value = vec![run.rng.next() as u8; run.rng.below(300_000)];
            let entry = Entry { kind: 2, key: b"key", value: &value };
            if let Ok(positions) = run.log().append_batch(&[entry, entry]) {
                let said = |position| Said {
                    position,
                    kind: 2,
                    key: b"key".to_vec(),
                    value: value.clone(),
                };
                run.batches.push(positions.into_iter().map(said).collect());
            }
            run.disk.fail_allocate(0);
            if run.rng.one_in(4) {
                run.step();
            }
        }
        let mut rng = run.rng.fork("crash");
        let image = run.disk.crash(rng.next());
        run.resume(image, None);
    }
}

#[test]
fn a_batch_larger_than_a_segment_spans_several() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
    log.append(2, b"before", b"").expect("appended");
    let value: Vec<u8> = (0..3_000_000u32).map(|i| (i >> 3) as u8).collect();
    let position = log.append(2, b"large", &value).expect("appended");
    let small = vec![9; 100_000];
    let many: Vec<_> = (0..10).map(|_| Entry { kind: 3, key: b"many", value: &small }).collect();
    let positions = log.append_batch(&many).expect("appended");
    log.append(2, b"after", b"").expect("appended");
    assert_eq!(log.read(position).expect("read").value, value);
    assert!(positions.iter().all(|at| log.read(*at).expect("read").value == small));
    assert_eq!(log.records_from(log.tail()).count(), 13);
    log.sync().expect("synced");
    let image = disk.crash(1);
    let (again, _, replayed) = open(Arc::new(image), None).expect("opened");
    assert_eq!(replayed.len(), 13);
    assert_eq!(again.read(position).expect("read").value, value);
    log.discard_before(positions[0]).expect("discarded");
    assert_eq!(log.records_from(log.tail()).count(), 11);
    assert!(
        !disk
            .list()
            .expect("listed")
            .iter()
            .any(|name| name.ends_with(".spare") && disk.get(name).len() > 64 << 10)
    );
}

#[test]
fn what_is_too_large_is_refused_before_anything_happens() {
    let log = Log::create(Arc::new(SimDisk::new()), OPTIONS).expect("created");
    let head = log.head();
    // Nobody touches these zeros.
    let value = vec![0; BATCH_BYTES_MAX as usize];
    let error = log.append(2, b"key", &value).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let error = log.append_batch(&[Entry { kind: 2, key: b"key", value: &value }]);
    assert_eq!(error.expect_err("too large").kind(), ErrorKind::TooLarge);
    assert_eq!(log.head(), head);
    let segments = WINDOW_NUMBERS_MAX;
    log.check_window(segments).expect("the window is full");
    assert_eq!(log.check_window(segments + 1).expect_err("too far").kind(), ErrorKind::TooLarge);
}

#[test]
#[ignore = "takes a minute and 3 GiB"]
fn a_value_of_one_gibibyte_fits() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(dir.path()).expect("a disk"));
    let options = LogOptions { segment_bytes: 64 << 20, volume_id: 1 };
    let log = Log::create(Arc::clone(&disk), options).expect("created");
    let value: Vec<u8> = (0..1u32 << 28).flat_map(u32::to_le_bytes).collect();
    let position = log.append(2, &[7; 65_536], &value).expect("appended");
    log.sync().expect("synced");
    assert!(log.read(position).expect("read").value == value);
    drop(log);
    let mut seen = 0;
    let replay = &mut |record: &Record<'_>| {
        seen += record.value.len();
        Ok(())
    };
    Log::open(disk, None, replay).expect("opened");
    assert_eq!(seen, value.len());
}

#[test]
fn a_file_that_cannot_be_removed_leaves_no_hole() {
    for (failures, goes_on) in [(1, true), (2, false), (3, false)] {
        let disk = SimDisk::new();
        let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
        for _ in 0..100 {
            log.append(2, b"key", &[1; 3000]).expect("appended");
        }
        log.sync().expect("synced");
        let (first, half) = (log.tail(), log.head() / 2);
        disk.fail_names(failures);
        // One that cannot be kept is removed instead.
        assert_eq!(log.discard_before(half).is_ok(), goes_on, "{failures}");
        if failures == 3 {
            log.discard_before(half).expect_err("still not");
        }
        log.discard_before(half).expect("discarded");
        assert!(log.tail() > first);
        let kept = log.records_from(log.tail()).count();
        drop(log);
        let (_, _, replayed) = open(Arc::new(disk), None).expect("there is no hole");
        assert_eq!(replayed.len(), kept, "and nothing comes back");
    }
}

#[test]
fn no_segment_reaches_into_the_next_turn_of_granules() {
    let disk = SimDisk::new();
    let log = Log::create(Arc::new(disk), OPTIONS).expect("created");
    let turn = WINDOW_BYTES / OPTIONS.segment_bytes;
    for (number, spans, wanted) in [
        (1, 4, 1),
        (turn - 4, 4, turn - 4),
        (turn - 3, 4, turn),
        (turn, 4, turn),
        (2 * turn - 1, 2, 2 * turn),
    ] {
        assert_eq!(log.number_for(number, spans), wanted, "{number} {spans}");
    }
}
