//! Finding places in a log of many segments.

use super::*;
use crate::ulog::{Begin, UlogReader};

/// What a reader gets that has this server's updates up to a number.
fn after(ulog: &Arc<Ulog>, seq: u64) -> Result<Vec<u64>> {
    let mut all = Vec::new();
    ulog.replay(0, to(&mut all)).expect("read");
    let reach = all.iter().find(|update| update.reach.seq == seq).map(|update| update.reach);
    let has = match reach {
        Some(reach) => position(&[(server(1), reach)]),
        // It is not there any more: the digest does not matter.
        None if seq > 0 => position(&[(server(1), Reach { seq, digest: 0 })]),
        None => Position::default(),
    };
    read(ulog.reader(Begin::After(has), None)?)
}

fn since(ulog: &Arc<Ulog>, time: u64) -> Vec<u64> {
    read(ulog.reader(Begin::Since(at(time)), None).expect("begun")).expect("read")
}

fn read(mut reader: UlogReader) -> Result<Vec<u64>> {
    let mut seqs = Vec::new();
    while let Some(part) = reader.read(usize::MAX)? {
        seqs.extend(part.updates.iter().map(|update| update.reach.seq));
    }
    Ok(seqs)
}

fn numbers(from: u64, to: u64) -> Vec<u64> {
    (from..=to).collect()
}

#[test]
fn a_position_is_found_wherever_it_is() {
    let disk = SimDisk::new();
    let mut ulog = open(&disk);
    fill(&ulog, 30);
    assert!(ulog.core.log.pieces().len() > 5, "many segments");
    for reopened in [false, true] {
        if reopened {
            drop(ulog);
            ulog = open(&disk);
        }
        for seq in 0..=30 {
            assert_eq!(after(&ulog, seq).unwrap(), numbers(seq + 1, 30), "after {seq}");
        }
    }
}

#[test]
fn a_log_that_was_opened_again_reaches_back_as_far() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    own(&ulog, 1000, set("a", "1"));
    own(&ulog, 2000, set("b", "2"));
    synced(&ulog);
    drop(ulog);
    // The newest state of the segment that is written is not its first.
    let ulog = open(&disk);
    assert_eq!(after(&ulog, 0).unwrap(), [1, 2]);
    assert_eq!(after(&ulog, 1).unwrap(), [2]);
    assert_eq!(since(&ulog, 1500), [2]);
    own(&ulog, 3000, set("c", "3"));
    synced(&ulog);
    assert_eq!(after(&ulog, 1).unwrap(), [2, 3]);
}

#[test]
fn reading_begins_near_what_is_asked_for() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 30);
    let pieces = ulog.core.log.pieces();
    let begins = |begin| ulog.reader(begin, None).unwrap().place();
    let last = position(&[(server(1), ulog.reach_of(server(1)))]);
    assert!(begins(Begin::After(last)) > pieces.last().unwrap().first);
    assert!(begins(Begin::Since(at(15_000))) > pieces[2].first);
    assert!(begins(Begin::Since(at(15_000))) < pieces[5].first);
    assert!(begins(Begin::Since(at(0))) < pieces[1].first);
}

#[test]
fn a_long_segment_has_states_in_between() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    // One update has a segment of its own, as large as it needs.
    own(&ulog, 1000, set("large", vec![7; 9 << 20]));
    own(&ulog, 2000, set("small", "1"));
    synced(&ulog);
    let reader = ulog.reader(Begin::Since(at(1500)), None).unwrap();
    assert!(reader.place() > 9 << 20, "{}", reader.place());
    assert_eq!(read(reader).unwrap(), [2]);
}

#[test]
fn a_time_is_found_wherever_it_is() {
    let disk = SimDisk::new();
    let mut ulog = open(&disk);
    fill(&ulog, 30);
    for reopened in [false, true] {
        if reopened {
            drop(ulog);
            ulog = open(&disk);
        }
        for seq in 1..=30u64 {
            assert_eq!(since(&ulog, seq * 1000), numbers(seq, 30));
            assert_eq!(since(&ulog, seq * 1000 + 1), numbers(seq + 1, 30));
        }
        assert_eq!(since(&ulog, 0), numbers(1, 30));
    }
}

#[test]
fn what_was_removed_is_not_found_and_the_rest_is() {
    let disk = SimDisk::new();
    let mut ulog = open(&disk);
    fill(&ulog, 30);
    checkpointed(&ulog, &disk);
    let bytes = ulog.bytes();
    let place = ulog.place_before(at(15_000)).unwrap();
    let freed = ulog.discard_before(place).unwrap();
    assert!(freed > 100 << 10 && ulog.bytes() == bytes - freed, "{freed}");
    for reopened in [false, true] {
        if reopened {
            drop(ulog);
            ulog = open(&disk);
        }
        // Nothing that is not older went.
        let first = since(&ulog, 0)[0];
        assert!((9..=15).contains(&first), "{first}");
        assert_eq!(since(&ulog, 15_000), numbers(15, 30));
        for seq in 0..first - 1 {
            assert_eq!(kind(after(&ulog, seq)), hozo_traits::ErrorKind::VersionGone, "{seq}");
        }
        for seq in first..=30 {
            assert_eq!(after(&ulog, seq).unwrap(), numbers(seq + 1, 30));
        }
    }
}

#[test]
fn nothing_before_a_new_beginning_is_found_ever_again() {
    let disk = SimDisk::new();
    let mut ulog = open(&disk);
    fill(&ulog, 10);
    let mut other = Other::new(2);
    let before = ulog.append_other(&other.made(10_500, set("x", "1"))).map(|_| other.reach);
    synced(&ulog);
    for _ in 0..20 {
        other.made(10_600, set("x", "not here"));
    }
    let mine = ulog.reach_of(server(1));
    ulog.restart(position(&[(server(2), other.reach)]), at(10_600), 0).unwrap();
    let there = other.reach;
    ulog.append_other(&other.made(10_700, set("x", "2"))).unwrap();
    synced(&ulog);
    for reopened in [false, true] {
        if reopened {
            drop(ulog);
            ulog = open(&disk);
        }
        // Updates 2 to 21 of server 2 are missing between.
        let old = position(&[(server(1), mine), (server(2), *before.as_ref().unwrap())]);
        let refused = ulog.reader(Begin::After(old), None);
        assert_eq!(kind(refused), hozo_traits::ErrorKind::VersionGone);
        let new = position(&[(server(1), mine), (server(2), there)]);
        let reader = ulog.reader(Begin::After(new), None).unwrap();
        assert_eq!(read(reader).unwrap(), [there.seq + 1]);
        assert_eq!(since(&ulog, 0), [there.seq + 1]);
    }
}
