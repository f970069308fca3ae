//! Opening, also after crashes and of what is not whole.

use hozo_traits::{ErrorKind, SnapshotPlace};

use super::*;
use crate::loading::Loading;

fn replayed(disk: &SimDisk) -> Result<Vec<u64>> {
    let mut all = Vec::new();
    let opened = opened(disk, &mut to(&mut all))?;
    assert_eq!(opened.replayed, all.len() as u64);
    Ok(all.iter().map(|update| update.reach.seq).collect())
}

#[test]
fn what_comes_after_the_checkpoint_is_replayed() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 6);
    checkpointed(&ulog, &disk);
    fill(&ulog, 3);
    let state = ulog.state();
    drop(ulog);
    for _ in 0..2 {
        let mut all = Vec::new();
        let opened = opened(&disk, &mut to(&mut all)).unwrap();
        assert_eq!(opened.checkpoint.unwrap().boot, [7; 16]);
        assert_eq!(all.iter().map(|u| u.reach.seq).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(opened.ulog.state(), state);
        assert_eq!(opened.ulog.durable().position, state.position);
    }
}

#[test]
fn without_a_checkpoint_that_can_be_read_everything_is_replayed() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 6);
    checkpointed(&ulog, &disk);
    fill(&ulog, 3);
    let state = ulog.state();
    drop(ulog);
    let whole = disk.get("checkpoint");
    let all: Vec<u64> = (1..=9).collect();
    for at in 0..whole.len() as u64 {
        disk.flip("checkpoint", at);
        assert_eq!(Checkpoint::read(&as_disk(&disk)).unwrap(), None, "{at}");
        disk.put("checkpoint", &whole);
    }
    disk.flip("checkpoint", 9);
    assert_eq!(replayed(&disk).unwrap(), all);
    disk.put("checkpoint", &whole[..20]);
    assert_eq!(replayed(&disk).unwrap(), all);
    disk.remove("checkpoint").unwrap();
    assert_eq!(replayed(&disk).unwrap(), all);
    assert_eq!(open(&disk).state(), state);
}

#[test]
fn nothing_before_a_new_beginning_is_replayed() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 6);
    ulog.restart(position(&[(server(2), Reach { seq: 5, digest: 5 })]), at(7000), 0).unwrap();
    fill(&ulog, 2);
    let state = ulog.state();
    drop(ulog);
    disk.remove("checkpoint").unwrap();
    assert_eq!(replayed(&disk).unwrap(), [7, 8]);
    assert_eq!(open(&disk).state(), state);
}

#[test]
fn nothing_is_replayed_into_records_that_are_being_loaded() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 2);
    checkpointed(&ulog, &disk);
    fill(&ulog, 2);
    let state = ulog.state();
    drop(ulog);
    let place = SnapshotPlace { from: Position::default(), dbm: 0, key: Some("k3".into()) };
    Loading(Some((server(2), place))).write(&as_disk(&disk)).unwrap();
    assert_eq!(replayed(&disk).unwrap(), [0; 0]);
    disk.remove("checkpoint").unwrap();
    assert_eq!(replayed(&disk).unwrap(), [0; 0]);
    assert_eq!(open(&disk).state(), state);
    Loading::remove(&as_disk(&disk)).unwrap();
    assert_eq!(replayed(&disk).unwrap(), [1, 2, 3, 4]);
}

#[test]
fn an_error_of_the_records_is_one_of_opening() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 2);
    checkpointed(&ulog, &disk);
    fill(&ulog, 1);
    drop(ulog);
    for checkpoint in [true, false] {
        if !checkpoint {
            disk.remove("checkpoint").unwrap();
        }
        let refused = opened(&disk, &mut |_| Err(Error::new(ErrorKind::Unavailable, "full")));
        assert_eq!(kind(refused), ErrorKind::Unavailable);
    }
}

#[test]
fn a_log_is_of_the_same_dbms_and_new_ones_behind_them() {
    let disk = SimDisk::new();
    drop(open(&disk));
    let of = |dbms: &[&str]| opened_of(&disk, dbms, &mut |_| Ok(()));
    let error = of(&["second", "casket"]).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("other DBMs"), "{error}");
    assert_eq!(kind(of(&["casket"])), ErrorKind::Invalid);
    assert_eq!(kind(of(&[])), ErrorKind::Invalid);
    of(&["casket", "second", "third"]).unwrap();
    assert_eq!(kind(of(&["casket", "second"])), ErrorKind::Invalid);
    let many: Vec<String> = (0..=codec::DBMS_MAX).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(kind(opened_of(&SimDisk::new(), &many, &mut |_| Ok(()))), ErrorKind::Invalid);
}

#[test]
fn a_record_of_a_kind_that_is_not_known_is_an_error() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    ulog.core.log.append(4, b"", b"").unwrap();
    ulog.core.log.sync().unwrap();
    drop(ulog);
    let error = replayed(&disk).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("a newer version of Hozo"), "{error}");
}

#[test]
fn segments_that_are_gone_are_no_new_log() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 2);
    checkpointed(&ulog, &disk);
    drop(ulog);
    for name in disk.list().unwrap().iter().filter(|name| name.ends_with(".seg")) {
        disk.remove(name).unwrap();
    }
    assert_eq!(kind(replayed(&disk)), ErrorKind::Corrupt);
}

#[test]
fn a_log_that_was_never_finished_is_made_anew() {
    for operation in 0..12 {
        let disk = SimDisk::new();
        disk.crash_at(operation, operation);
        drop(open(&disk));
        let Some(image) = disk.image() else { continue };
        let ulog = open(&image);
        assert_eq!(ulog.state().position, Position::default());
        fill(&ulog, 1);
    }
}

#[test]
fn what_was_durable_is_there_after_any_crash() {
    for seed in 0..60 {
        let disk = SimDisk::new();
        let ulog = open(&disk);
        fill(&ulog, 2);
        disk.crash_at(disk.operations() + seed % 23, seed);
        let mut durable = 2;
        for round in 0..8 {
            for n in 0..3 {
                own(&ulog, 10_000, set("k", vec![n; 9000]));
            }
            if round % 3 == 2 {
                checkpointed(&ulog, &disk);
            } else {
                synced(&ulog);
            }
            if !disk.has_image() {
                durable = ulog.reach_of(server(1)).seq;
            }
        }
        let Some(image) = disk.image() else { continue };
        let mut all = Vec::new();
        ulog.replay(0, to(&mut all)).unwrap();
        let there = open(&image).reach_of(server(1));
        assert!(there.seq >= durable, "seed {seed}: {there:?}, {durable} were durable");
        assert_eq!(all[there.seq as usize - 1].reach, there, "seed {seed}");
    }
}

#[test]
fn states_are_written_now_and_then() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    let big = vec![1; 1 << 20];
    for _ in 0..10 {
        own(&ulog, 10, set("k", big.clone()));
    }
    let states = ulog
        .core
        .log
        .records_from(0)
        .filter(|record| record.as_ref().expect("read").kind == codec::STATE);
    // At the beginning, and in each segment.
    assert_eq!(states.count(), ulog.core.log.pieces().len());
}
