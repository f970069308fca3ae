//! Servers that are stopped or end, and nobody takes their place, or too early.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hozo_tests::{Random, crash_rounds};

use super::server::Server;
use super::writers::{Writers, none_is_lost, records_of};

const ROUNDS: u32 = 4;
const WRITERS: usize = 4;

/// A record that nobody wrote before.
fn own(writer: usize, n: u64) -> Vec<(Bytes, Bytes)> {
    vec![(format!("{writer}/{n}").into(), "v".repeat(1 + n as usize % 200).into())]
}

/// The same few records for all of them, with values that nobody wrote before.
fn common(_writer: usize, n: u64) -> Vec<(Bytes, Bytes)> {
    static EVER: AtomicU64 = AtomicU64::new(0);
    let value = EVER.fetch_add(1, Ordering::Relaxed).to_string();
    vec![(format!("common/{}", n % 7).into(), value.into())]
}

/// A master that stands still while another is promoted, and then goes on: it has no
/// answer for what it was asked, and hears that it is not the master any more.
pub(super) fn a_master_that_stood_still() {
    let acknowledged = "ack = 1\nack_timeout_ms = 2000";
    let mut one = Server::new(1, acknowledged);
    let mut two = Server::new(2, acknowledged);
    let mut three = Server::new(3, acknowledged);
    one.start("");
    two.start_following(&one);
    three.start_following(&one);
    one.settled(2);
    one.dbm(&["set", "before", "kept"]).ok();
    one.settled(2);

    one.signal("STOP");
    // Its system takes what is sent to it all the same.
    let pending = one.dbm(&["set", "pending", "lost"]).start();
    two.repl(&["promote"]).ok();
    three.repl(&["follow", &two.address()]).ok();
    two.settled(1);
    two.dbm(&["set", "after", "kept"]).ok();
    one.signal("CONT");
    pending.finish().fails(&["CANCELED_ERROR", "not enough followers"]);
    // It still believes to be the master, but nobody acknowledges.
    one.dbm(&["set", "new", "lost"]).run().fails(&["not enough followers"]);
    // Whoever knows of the promotion and comes to it tells it.
    three.repl(&["follow", &one.address()]).ok();
    one.until("fenced", |status| !status["fenced"].is_null());
    let status = one.repl(&["status"]);
    assert_eq!(status.code, Some(4), "{status}");
    status.fails(&["takes no writes: another server was promoted, in epoch 1"]);
    one.dbm(&["set", "new", "lost"]).run().fails(&["another server was promoted"]);

    three.repl(&["follow", &two.address()]).ok();
    two.settled(1);
    for server in [&two, &three] {
        let records = records_of(server);
        assert_eq!(records.keys().collect::<Vec<_>>(), ["after", "before"]);
    }
    // What it answered nobody is in its way.
    one.repl(&["follow", &two.address()]).ok();
    let status = one.repl(&["status", "--wait", "120"]);
    assert_eq!(status.code, Some(4), "{status}");
    status.fails(&["updates of its own"]);
    one.stop();
    one.wipe();
    one.start_following(&two);
    two.settled(2);
    assert!(records_of(&one) == records_of(&two));
}

/// kill -9 of a follower again and again: it gets each update once.
pub(super) fn a_follower_that_ends_often() {
    let rounds = crash_rounds(ROUNDS);
    let mut random = Random::seeded();
    println!("{rounds} ends of a follower, HOZO_SEED={}", random.seed());
    let (mut master, mut follower) = (Server::new(1, ""), Server::new(2, ""));
    master.start("");
    follower.start_following(&master);
    let writers = Writers::start(&[&master], WRITERS, own);
    for _ in 0..rounds {
        writers.more(1 + random.below(200));
        follower.kill();
        writers.more(random.below(200));
        follower.start_following(&master);
        if random.below(2) == 0 {
            follower.until("following", |status| status["source"]["state"] == "following");
        }
    }
    let answered = writers.end();
    master.settled(1);
    follower.settled(0);
    let records = records_of(&master);
    none_is_lost(&answered, &records);
    assert!(records == records_of(&follower), "the follower has other records");
    assert_eq!(master.status()["head"], follower.status()["head"]);
    for server in [&mut follower, &mut master] {
        server.stop();
        server.verify_log();
    }
}

/// kill -9 of each of two masters in turn, while both are written to.
pub(super) fn two_masters_that_end() {
    let rounds = crash_rounds(ROUNDS);
    let mut random = Random::seeded();
    println!("{rounds} ends of one of two masters, HOZO_SEED={}", random.seed());
    let (mut one, mut two) = (Server::new(1, ""), Server::new(2, ""));
    let of = |other: &Server| format!("follow = {:?}\nrole = \"master\"", other.address());
    let follows = [of(&two), of(&one)];
    one.start(&follows[0]);
    two.start(&follows[1]);
    let writers = [Writers::start(&[&one], 2, common), Writers::start(&[&two], 2, common)];
    for round in 0..rounds as usize {
        for writers in &writers {
            writers.more(1 + random.below(100));
        }
        let server = if round % 2 == 0 { &mut one } else { &mut two };
        server.kill();
        // The other one goes on alone.
        writers[1 - round % 2].more(random.below(100));
        server.start(&follows[round % 2]);
        server.until("following", |status| status["source"]["state"] == "following");
    }
    drop(writers.map(Writers::end));
    // Both have what the other one had when nobody wrote any more.
    let both = [&one.status()["head"], &two.status()["head"]].map(Clone::clone);
    for server in [&one, &two] {
        server.settled(1);
    }
    let same = |status: &serde_json::Value| same_updates(&status["head"], &both);
    one.until("where both were", same);
    two.until("where both were", same);
    let records = records_of(&one);
    assert_eq!(records.len(), 7);
    assert!(records == records_of(&two), "{records:?}\n{:?}", records_of(&two));
    let conflicts = |server: &Server| server.status()["conflicts"].as_u64();
    assert!(conflicts(&one) > Some(0) && conflicts(&two) > Some(0), "no conflict was met");
    for server in [&mut one, &mut two] {
        server.stop();
        server.verify_log();
    }
}

/// Whether a head has at least what each of these has.
fn same_updates(head: &serde_json::Value, wanted: &[serde_json::Value]) -> bool {
    let reaches = |head: &serde_json::Value| {
        let reaches = head.as_array().cloned().unwrap_or_default();
        reaches.iter().map(|r| (r["server"].as_u64(), r["updates"].as_u64())).collect::<Vec<_>>()
    };
    let here = reaches(head);
    let has = |(server, updates)| here.iter().any(|(s, u)| *s == server && *u >= updates);
    wanted.iter().flat_map(reaches).all(has)
}
