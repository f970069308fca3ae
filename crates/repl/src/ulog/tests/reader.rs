//! What readers get, and when they are refused.

use hozo_traits::exec::block_on;
use hozo_traits::{ErrorKind, FeedPart};

use super::*;
use crate::ulog::{Begin, UlogReader};

fn from_the_start(ulog: &Arc<Ulog>, own: Option<u32>) -> UlogReader {
    ulog.reader(Begin::After(Position::default()), own.map(server)).expect("begun")
}

/// Origins, numbers and whether there is something to do.
fn said(part: &FeedPart) -> Vec<(u32, u64, bool)> {
    let said = |u: &Update| (u.origin.get(), u.reach.seq, u.what != What::Nothing);
    part.updates.iter().map(said).collect()
}

/// Three updates of server 1, then three of server 2, one of server 1, and one
/// more of server 2.
fn mixed(ulog: &Ulog) -> Other {
    let mut other = Other::new(2);
    let others = |ulog: &Ulog, other: &mut Other| {
        let update = other.made(5000, set("o", "1"));
        ulog.append_other(&update).expect("appended");
    };
    for n in 1..=3 {
        own(ulog, n * 1000, set("k", "1"));
    }
    (0..3).for_each(|_| others(ulog, &mut other));
    own(ulog, 6000, set("k", "2"));
    others(ulog, &mut other);
    synced(ulog);
    other
}

#[test]
fn a_servers_own_updates_are_nothing_to_it() {
    let ulog = open(&SimDisk::new());
    mixed(&ulog);
    let part = from_the_start(&ulog, Some(2)).read(usize::MAX).unwrap().unwrap();
    let wanted = [(1, 1, true), (1, 2, true), (1, 3, true), (2, 3, false), (1, 4, true)];
    assert_eq!(said(&part)[..5], wanted);
    assert_eq!(said(&part)[5..], [(2, 4, false)]);
    assert_eq!(part.updates[3].reach.digest, {
        let mut again = Other::new(2);
        (0..3).for_each(|_| drop(again.made(5000, set("o", "1"))));
        again.reach.digest
    });
    let position = ulog.state().position;
    assert_eq!((&part.position, &part.head), (&position, &position));
}

#[test]
fn a_server_is_told_first_how_far_its_updates_are_there() {
    let ulog = open(&SimDisk::new());
    let mut other = mixed(&ulog);
    // A new state, after which reading begins.
    ulog.mark().unwrap();
    let next = other.made(9000, set("o", "2"));
    own(&ulog, 9000, set("k", "3"));
    synced(&ulog);
    let mut has = ulog.state().position;
    has.set(server(1), Reach { seq: 4, ..digest_at(&ulog, 4) });
    let part = ulog.reader(Begin::After(has), Some(server(2))).unwrap();
    let part = { part }.read(usize::MAX).unwrap().unwrap();
    assert_eq!(said(&part), [(2, 4, false), (1, 5, true)]);
    assert!(part.updates[0].time < next.time, "{:?}", part.updates[0]);
}

/// How far server 1 was with an update.
fn digest_at(ulog: &Ulog, seq: u64) -> Reach {
    let mut all = Vec::new();
    ulog.replay(0, to(&mut all)).unwrap();
    let found = all.iter().find(|u| u.origin == server(1) && u.reach.seq == seq);
    found.expect("there").reach
}

#[test]
fn updates_that_a_server_made_under_anothers_numbers_are_nothing_to_it_too() {
    let ulog = open(&SimDisk::new());
    let foreign = |id: u32| Update {
        time: at(70),
        origin: server(id),
        reach: Reach::default(),
        server: server(id),
        what: set("x", "y"),
    };
    for id in [9, 9, 8] {
        ulog.append_foreign(&foreign(id)).unwrap();
    }
    synced(&ulog);
    let part = from_the_start(&ulog, Some(9)).read(usize::MAX).unwrap().unwrap();
    assert_eq!(said(&part), [(1, 2, false), (1, 3, true)]);
}

#[test]
fn who_asks_since_a_time_gets_nothing_older() {
    let ulog = open(&SimDisk::new());
    mixed(&ulog);
    let mut reader = ulog.reader(Begin::Since(at(5000)), None).unwrap();
    let part = reader.read(usize::MAX).unwrap().unwrap();
    assert_eq!(said(&part).iter().filter(|(origin, ..)| *origin == 1).count(), 1);
    assert!(part.updates.iter().all(|update| update.time >= at(5000)), "{part:?}");
    assert_eq!(part.updates.len(), 5);
    assert!(ulog.reader(Begin::Since(at(7000)), None).unwrap().read(1).unwrap().is_none());
}

#[test]
fn a_part_stays_within_what_was_asked_for() {
    let ulog = open(&SimDisk::new());
    fill(&ulog, 9);
    let mut reader = from_the_start(&ulog, None);
    let mut counts = Vec::new();
    let mut seqs = Vec::new();
    while let Some(part) = reader.read(40_000).unwrap() {
        counts.push(part.updates.len());
        seqs.extend(part.updates.iter().map(|update| update.reach.seq));
        assert_eq!(part.position.of(server(1)).seq, *seqs.last().unwrap());
        assert_eq!(part.head, ulog.state().position);
        assert_eq!(part.newest, at(9000));
    }
    assert_eq!(counts, [2, 2, 2, 2, 1]);
    assert_eq!(seqs, (1..=9).collect::<Vec<_>>());
    // One is always given.
    assert_eq!(from_the_start(&ulog, None).read(1).unwrap().unwrap().updates.len(), 1);
}

#[test]
fn only_what_is_durable_is_given() {
    let ulog = open(&SimDisk::new());
    own(&ulog, 10, set("a", "1"));
    let mut reader = from_the_start(&ulog, None);
    assert_eq!(reader.read(usize::MAX).unwrap(), None);
    synced(&ulog);
    own(&ulog, 20, set("b", "2"));
    let part = reader.read(usize::MAX).unwrap().unwrap();
    assert_eq!(said(&part), [(1, 1, true)]);
    assert_eq!((part.head.of(server(1)).seq, part.newest), (1, at(10)));
    assert_eq!(reader.read(usize::MAX).unwrap(), None);
    // Who waits makes it durable.
    assert_eq!(said(&block_on(reader.next(1)).unwrap()), [(1, 2, true)]);
    assert_eq!(ulog.durable().position.of(server(1)).seq, 2);
}

#[test]
fn who_waits_is_told_of_what_comes_and_of_the_end() {
    let ulog = open(&SimDisk::new());
    let mut reader = from_the_start(&ulog, None);
    let waits = std::thread::spawn(move || {
        let mut seqs = Vec::new();
        loop {
            match block_on(reader.next(1)) {
                Ok(part) => seqs.extend(said(&part).iter().map(|(_, seq, _)| *seq)),
                Err(error) => return (seqs, error.kind()),
            }
        }
    });
    for n in 1..=200 {
        own(&ulog, n, set("k", "v"));
        if n % 3 == 0 {
            synced(&ulog);
        }
    }
    ulog.close().unwrap();
    let (seqs, kind) = waits.join().unwrap();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
    assert_eq!(kind, ErrorKind::Unavailable);
}

#[test]
fn another_history_is_refused() {
    let ulog = open(&SimDisk::new());
    let other = mixed(&ulog);
    let refused = |server_id: u32, reach: Reach| {
        let has = position(&[(server(server_id), reach)]);
        let result = ulog.reader(Begin::After(has), None).and_then(|mut reader| {
            while reader.read(1)?.is_some() {}
            Ok(())
        });
        let error = result.expect_err("another history");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let text = error.to_string();
        assert!(text.contains(&format!("(server {server_id}, update {}", reach.seq)), "{text}");
    };
    let mine = ulog.reach_of(server(1));
    // Numbers that this server never gave.
    refused(1, Reach { seq: mine.seq + 1, digest: 0 });
    // Another update of the newest number, of one in between, of another server's.
    refused(1, Reach { seq: mine.seq, digest: mine.digest ^ 1 });
    refused(1, Reach { seq: 2, digest: 1 });
    refused(2, Reach { seq: other.reach.seq, digest: other.reach.digest ^ 1 });
    refused(2, Reach { seq: 2, digest: 1 });
    // Of other servers a reader may know more.
    let has = position(&[(server(2), Reach { seq: 99, digest: 1 }), (server(3), mine)]);
    assert!(ulog.reader(Begin::After(has), None).is_ok());
}

#[test]
fn a_reader_whose_updates_are_removed_meanwhile_is_told() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 8);
    let mut slow = from_the_start(&ulog, None);
    slow.read(1).unwrap().unwrap();
    let mut quick = from_the_start(&ulog, None);
    while quick.read(1).unwrap().is_some() {}
    fill(&ulog, 22);
    let place = ulog.place_before(at(30_000)).unwrap();
    assert!(ulog.discard_before(place).unwrap() > 0);
    assert_eq!(kind(slow.read(1)), ErrorKind::VersionGone);
    assert_eq!(kind(quick.read(1)), ErrorKind::VersionGone);
}

#[test]
fn a_reader_is_told_when_the_log_begins_anew() {
    let ulog = open(&SimDisk::new());
    fill(&ulog, 3);
    let mut reader = from_the_start(&ulog, None);
    reader.read(usize::MAX).unwrap().unwrap();
    ulog.restart(position(&[(server(2), Reach { seq: 9, digest: 9 })]), at(9000), 0).unwrap();
    assert_eq!(kind(block_on(reader.next(1))), ErrorKind::VersionGone);
}
