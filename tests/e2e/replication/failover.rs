//! The master ends, a follower takes its place, and the old one comes back.

use hozo_tests::{Random, crash_rounds};

use super::server::Server;
use super::writers::{Records, Writers, none_is_lost, records_of};

/// Rounds of each test; `HOZO_CRASH_ROUNDS` asks for more.
const ROUNDS: u32 = 6;
const WRITERS: usize = 5;
/// At most so many writes are answered between two failovers.
const WRITES_MAX: u64 = 200;
/// Every answer means that two servers have it.
const ACKNOWLEDGED: &str = "ack = 1\nack_timeout_ms = 2000";

/// A record that nobody wrote before; of the first writer two, at once.
fn write(writer: usize, n: u64) -> Vec<(bytes::Bytes, bytes::Bytes)> {
    let record = |key: String| {
        let value = format!("{key} ").repeat(1 + n as usize % 30);
        (key.into(), value.into())
    };
    match writer {
        0 => vec![record(format!("both/{n}/a")), record(format!("both/{n}/b"))],
        _ => vec![record(format!("{writer}/{n}"))],
    }
}

/// What is written at once is there at once. To be looked for when nobody writes: a
/// scan reads the one record before the other.
#[track_caller]
fn none_is_there_in_part(records: &Records) {
    let texts = records.keys().map(|key| std::str::from_utf8(key).expect("keys are text"));
    for key in texts.filter(|key| key.starts_with("both/")) {
        let (stem, half) = key.split_at(key.len() - 1);
        let other = format!("{stem}{}", if half == "a" { "b" } else { "a" });
        assert!(records.contains_key(other.as_bytes()), "{key} is there without {other}");
    }
}

/// kill -9 of the master at any moment, again and again.
pub(super) fn no_write_is_lost() {
    let rounds = crash_rounds(ROUNDS);
    let mut random = Random::seeded();
    println!("{rounds} failovers, HOZO_SEED={}", random.seed());
    let mut servers = [Server::new(1, ACKNOWLEDGED), Server::new(2, ACKNOWLEDGED)];
    servers[0].start("");
    let [one, two] = &mut servers;
    two.start_following(one);
    one.settled(1);
    let writers = Writers::start(&[&servers[0], &servers[1]], WRITERS, write);
    let mut anew = 0;
    for round in 0..rounds as usize {
        let [one, two] = &mut servers;
        let (old, new) = if round % 2 == 0 { (one, two) } else { (two, one) };
        writers.more(1 + random.below(WRITES_MAX));
        // So that the blow falls anywhere between two answers.
        for _ in 0..random.below(200_000) {
            std::hint::spin_loop();
        }
        old.kill();
        new.repl(&["promote"]).ok();
        writers.go_to(1 - round % 2);
        anew += u32::from(comes_back(old, new));
        let answered = writers.records();
        none_is_lost(&answered, &records_of(new));
    }
    let answered = writers.end();
    println!("{} writes were answered; {anew} old masters had to begin anew", answered.len());
    let [one, two] = &mut servers;
    let (master, follower) = if rounds.is_multiple_of(2) { (one, two) } else { (two, one) };
    master.settled(1);
    follower.settled(0);
    let records = records_of(master);
    none_is_lost(&answered, &records);
    none_is_there_in_part(&records);
    assert!(records == records_of(follower), "the follower has other records");
    for server in [master, follower] {
        server.stop();
        server.verify_log();
    }
}

/// As the page says. Whether it had updates that nobody else has, and began anew.
fn comes_back(old: &mut Server, new: &Server) -> bool {
    old.start_following(new);
    let ran = old.repl(&["status", "--wait", "120"]);
    let anew = ran.code == Some(4);
    if anew {
        ran.fails(&["updates of its own"]);
        old.stop();
        old.wipe();
        old.start_following(new);
        old.settled(0);
    } else {
        ran.ok();
    }
    anew
}
