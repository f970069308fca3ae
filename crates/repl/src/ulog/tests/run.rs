//! Appending, settling, beginning anew, closing.

use hozo_traits::ErrorKind;

use super::*;

#[test]
fn each_update_has_the_next_number_and_a_digest_over_all_before_it() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    for time in [10, 20, 5] {
        own(&ulog, time, set("k", time.to_string()));
    }
    let mut all = Vec::new();
    ulog.replay(0, to(&mut all)).unwrap();
    let said: Vec<_> = all.iter().map(|u| (u.reach.seq, u.time.as_micros())).collect();
    assert_eq!(said, [(1, 10), (2, 20), (3, 20)], "times never go back");
    let mut digest = 0;
    for update in &all {
        digest = codec::digest_of(digest, update);
        assert_eq!(update.reach.digest, digest);
    }
    assert_eq!(ulog.reach_of(server(1)), Reach { seq: 3, digest });
}

#[test]
fn what_is_changed_after_something_was_seen_is_later() {
    let ulog = open(&SimDisk::new());
    ulog.append_other(&Other::new(2).made(500, set("a", "b"))).unwrap();
    own(&ulog, 1, set("a", "c"));
    assert_eq!(ulog.state().newest, at(500));
    ulog.has_seen(at(900));
    own(&ulog, 1, set("a", "d"));
    assert_eq!(ulog.state().newest, at(901));
}

#[test]
fn updates_without_numbers_become_this_servers() {
    let ulog = open(&SimDisk::new());
    own(&ulog, 10, set("a", "b"));
    let foreign = Update {
        time: at(70),
        origin: server(9),
        reach: Reach::default(),
        server: server(9),
        what: set("x", "y"),
    };
    ulog.append_foreign(&foreign).unwrap();
    let mut all = Vec::new();
    ulog.replay(0, to(&mut all)).unwrap();
    assert_eq!((all[1].origin, all[1].server, all[1].reach.seq), (server(1), server(9), 2));
    assert_eq!(codec::digest_of(all[0].reach.digest, &all[1]), all[1].reach.digest);
    assert_eq!(ulog.state().foreign_of(server(9)), Some(at(70)));
}

#[test]
fn a_conflict_is_settled_in_the_log_as_well() {
    let ulog = open(&SimDisk::new());
    ulog.remember_changes(true);
    own(&ulog, 50, set("k", "mine"));
    let mut other = Other::new(2);
    let lost = other.made(40, set("k", "theirs"));
    let merged = ulog.append_other(&lost).unwrap();
    assert_eq!((merged.effects.len(), merged.conflicts.len()), (0, 1));
    let merged = ulog.append_other(&other.made(60, set("k", "later"))).unwrap();
    assert_eq!((merged.effects.len(), merged.conflicts.len()), (1, 1));
    assert_eq!(ulog.state().conflicts, 2);
    let mut all = Vec::new();
    ulog.replay(0, to(&mut all)).unwrap();
    let reduced = What::Records { dbm: 0, effects: Vec::new(), reduced: true };
    assert_eq!(all[1], Update { what: reduced, ..lost });
    assert_eq!(ulog.reach_of(server(2)), other.reach);
}

#[test]
fn a_clearing_leaves_what_was_changed_later() {
    let ulog = open(&SimDisk::new());
    ulog.remember_changes(true);
    own(&ulog, 10, set("early", "1"));
    own(&ulog, 30, set("late", "2"));
    let clear = What::Records { dbm: 0, effects: vec![Effect::Clear], reduced: false };
    let keys = ["early", "late", "unknown"].map(Bytes::from);
    let merged = ulog.append_clearing(&Other::new(2).made(20, clear), &keys).unwrap();
    let removed = ["early", "unknown"].map(|key| Effect::Remove { key: key.into() });
    assert_eq!(merged.effects, removed);
    assert_eq!(merged.conflicts.len(), 1);
    assert_eq!(merged.conflicts[0].key.as_deref(), Some(&b"late"[..]));
    assert_eq!(ulog.state().conflicts, 1);
}

#[test]
fn a_log_begins_anew_after_a_snapshot() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 10);
    let own_reach = ulog.reach_of(server(1));
    let there = Reach { seq: 400, digest: 9 };
    let older = Reach { seq: 3, digest: 1 };
    ulog.restart(position(&[(server(2), there), (server(1), older)]), at(99_000), 4).unwrap();
    let state = ulog.state();
    assert_eq!(state.position, position(&[(server(1), own_reach), (server(2), there)]));
    assert_eq!((state.newest, state.epoch), (at(99_000), 4));
    assert_eq!(ulog.durable().place, ulog.end(), "it is durable at once");
    drop(ulog);
    assert_eq!(open(&disk).state(), state);
}

#[test]
fn a_closed_log_takes_nothing_and_is_durable() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    own(&ulog, 10, set("a", "b"));
    ulog.close().unwrap();
    assert_eq!(ulog.durable().place, ulog.end());
    assert_eq!(ulog.durable().position, ulog.state().position);
    let refused = ulog.append_own(What::Nothing, at(20), Durability::Durable);
    assert_eq!(kind(refused), ErrorKind::Unavailable);
    assert_eq!(kind(ulog.mark()), ErrorKind::Unavailable);
    let restarted = ulog.restart(Position::default(), at(1), 0);
    assert_eq!(kind(restarted), ErrorKind::Unavailable);
    // Whoever waits for what is there has it, though the log has marks behind it.
    synced(&ulog);
}

#[test]
fn a_log_is_of_so_many_servers_that_it_can_be_read_again() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    for id in 0..codec::SERVERS_MAX as u32 {
        ulog.append_other(&Other::new(id + 10).made(10, What::Nothing)).unwrap();
    }
    let one_more = ulog.append_other(&Other::new(5).made(10, What::Nothing));
    assert_eq!(kind(one_more), ErrorKind::TooLarge);
    ulog.mark().unwrap();
    synced(&ulog);
    let state = ulog.state();
    drop(ulog);
    assert_eq!(open(&disk).state(), state);
}

#[test]
fn an_update_that_has_no_room_leaves_nothing() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 4);
    disk.set_budget(Some(disk.used()));
    let (before, end) = (ulog.state(), ulog.end());
    let big = set("big", vec![1; 60_000]);
    assert_eq!(kind(ulog.append_own(big, at(1), Durability::Sequenced)), ErrorKind::Unavailable);
    assert_eq!((ulog.state(), ulog.end()), (before, end));
    // Who waits for all that is there is not kept waiting.
    synced(&ulog);
    disk.set_budget(None);
    assert_eq!(own(&ulog, 5, set("small", "1")), 5);
    synced(&ulog);
    drop(ulog);
    assert_eq!(open(&disk).reach_of(server(1)).seq, 5);
}

#[test]
fn what_was_changed_before_the_log_was_opened_is_remembered() {
    for (known, conflicts) in [(0, 2), (1, 1), (2, 0)] {
        let disk = SimDisk::new();
        let ulog = open(&disk);
        ulog.remember_changes(true);
        own(&ulog, 50, set("a", "mine"));
        fill_with_others(&ulog);
        own(&ulog, 60, set("b", "mine"));
        synced(&ulog);
        drop(ulog);
        let ulog = open(&disk);
        ulog.remember_changes(true);
        if known > 0 {
            ulog.known_there(Reach { seq: known, digest: 0 }).unwrap();
        }
        assert_eq!(ulog.may_conflict().unwrap(), conflicts > 0);
        let mut other = Other::new(2);
        for key in ["a", "b"] {
            ulog.append_other(&other.made(20, set(key, "theirs"))).unwrap();
        }
        assert_eq!(ulog.state().conflicts, conflicts, "{known} were known");
    }
}

/// Segments of updates of another server, which knew all.
fn fill_with_others(ulog: &Ulog) {
    let mut third = Other::new(3);
    for _ in 0..12 {
        ulog.append_other(&third.made(55, set("c", vec![3; 15_000]))).expect("appended");
    }
}
