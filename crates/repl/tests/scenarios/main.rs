//! What a few servers do together, over real files.

mod kit;
mod pages;

use hozo_traits::exec::block_on;
use hozo_traits::{Durability, ErrorKind, FollowState, KvStoreExt, Replicator, Role};
use kit::{Net, Server};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

fn follower(net: &Net, name: &'static str, id: u32, source: &str) -> Server {
    Server::new(net, name, id, |config| {
        config.follow = Some(source.to_owned());
        config.role = Role::Follower;
    })
}

#[test]
fn a_follower_gets_what_was_and_what_comes() {
    let net = Net::default();
    let master = Server::new(&net, "one", 1, |_| {});
    master.set("before", "1").unwrap();
    let follower = follower(&net, "two", 2, "one");
    follower.catch_up(&master);
    assert_eq!(follower.get("before").as_deref(), Some("1"));
    for n in 0..100 {
        master.set("key", &n.to_string()).unwrap();
    }
    follower.catch_up(&master);
    assert_eq!(follower.get("key").as_deref(), Some("99"));
    let refused = follower.set("key", "mine").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnly);
    assert!(refused.to_string().contains("one"), "{refused}");
}

#[test]
fn records_from_before_there_was_a_log_come_to_followers() {
    let net = Net::default();
    let mut master = Server::new(&net, "one", 1, |_| {});
    master.set_unlogged(&[("a", "1"), ("b", "2")]);
    master.start();
    let follower = follower(&net, "two", 2, "one");
    master.set("c", "3").unwrap();
    follower.catch_up(&master);
    let all = ["a", "b", "c"].map(|key| follower.get(key));
    assert_eq!(all, ["1", "2", "3"].map(|value| Some(value.to_owned())));
    // It is said once.
    let head = master.repl().status().head;
    master.stop();
    master.start();
    assert_eq!(master.repl().status().head, head);
}

#[test]
fn records_that_no_log_knows_of_are_not_mixed_with_those_of_a_source() {
    let net = Net::default();
    let master = Server::new(&net, "one", 1, |_| {});
    master.set("a", "1").unwrap();
    let mut follower = follower(&net, "two", 2, "one");
    follower.catch_up(&master);
    follower.set_unlogged(&[("mine", "1")]);
    follower.start();
    follower.until("it has stopped", |follower| {
        follower.repl().status().source.is_some_and(|s| s.state == FollowState::Stopped)
    });
    let why = follower.repl().status().source.and_then(|source| source.error).unwrap();
    assert!(why.contains("remove its stores"), "{why}");
    assert_eq!(follower.get("mine").as_deref(), Some("1"), "nothing is lost");
}

#[test]
fn a_follower_goes_on_where_it_was() {
    let net = Net::default();
    let mut master = Server::new(&net, "one", 1, |_| {});
    let mut follower = follower(&net, "two", 2, "one");
    master.set("a", "1").unwrap();
    follower.catch_up(&master);
    follower.stop();
    master.set("b", "2").unwrap();
    master.stop();
    master.start();
    master.set("c", "3").unwrap();
    follower.start();
    follower.catch_up(&master);
    let all = ["a", "b", "c"].map(|key| follower.get(key));
    assert_eq!(all, ["1", "2", "3"].map(|value| Some(value.to_owned())));
}

/// Answered is not yet on stable storage, and what is not there is not given.
#[test]
fn who_has_everything_has_what_was_answered() {
    let net = Net::default();
    let master = Server::new(&net, "one", 1, |_| {});
    let mut follower = follower(&net, "two", 2, "one");
    let sequenced = |n: usize| {
        let set = master.dbm().set("n".into(), n.to_string().into(), true, Durability::Sequenced);
        block_on(set).unwrap();
    };
    follower.catch_up(&master);
    for n in 0..50 {
        sequenced(n);
        master.until("its follower has all", |master| {
            let followers = master.repl().status().followers;
            followers.iter().any(|follower| follower.has.is_some() && follower.behind == 0)
        });
        assert_eq!(follower.get("n"), Some(n.to_string()));
    }
    for n in 50..60 {
        follower.stop();
        sequenced(n);
        follower.start();
        follower.until("it has all", |follower| {
            let source = follower.repl().status().source;
            source.is_some_and(|s| s.state == FollowState::Following && s.behind == 0)
        });
        assert_eq!(follower.get("n"), Some(n.to_string()));
    }
}

#[test]
fn a_source_that_was_started_again_hears_what_its_follower_has() {
    let net = Net::default();
    let mut master = Server::new(&net, "one", 1, |config| config.ack = 1);
    let follower = follower(&net, "two", 2, "one");
    master.set("a", "1").unwrap();
    follower.catch_up(&master);
    master.stop();
    master.start();
    // Nothing is written, so nothing else is there to be acknowledged.
    let head = master.repl().status().head;
    master.until("it knows what the follower has", |master| {
        let followers = master.repl().status().followers;
        followers.iter().any(|follower| follower.has.as_ref().is_some_and(|has| has.covers(&head)))
    });
}

#[test]
fn a_chain_passes_on_what_comes() {
    let net = Net::default();
    let one = Server::new(&net, "one", 1, |_| {});
    let two = follower(&net, "two", 2, "one");
    let three = follower(&net, "three", 3, "two");
    one.set("key", "value").unwrap();
    three.catch_up(&one);
    assert_eq!(three.get("key").as_deref(), Some("value"));
    // The one in the middle is not needed: positions are the same everywhere.
    block_on(three.repl().follow("one", 0)).unwrap();
    drop(two);
    one.set("key", "other").unwrap();
    three.catch_up(&one);
    assert_eq!(three.get("key").as_deref(), Some("other"));
}

#[test]
fn a_promoted_follower_takes_writes_and_the_old_master_does_not() {
    let net = Net::default();
    let old = Server::new(&net, "old", 1, |config| {
        config.ack = 1;
        config.ack_timeout = Duration::from_millis(300);
    });
    let new = follower(&net, "new", 2, "old");
    old.set("key", "1").unwrap();
    new.catch_up(&old);
    assert_eq!(block_on(new.repl().promote()).unwrap(), 1);
    new.set("key", "2").unwrap();
    let lonely = old.set("key", "lost").unwrap_err();
    assert_eq!(lonely.kind(), ErrorKind::TimedOut);
    assert!(lonely.to_string().contains("followers_having_it"), "{lonely}");
    // It is told by who follows the new one and comes to the old one.
    let third = follower(&net, "third", 3, "new");
    third.catch_up(&new);
    block_on(third.repl().follow("old", 0)).unwrap();
    old.until("it is fenced", |old| old.repl().status().fenced.is_some());
    assert_eq!(old.set("key", "3").unwrap_err().kind(), ErrorKind::ReadOnly);
    // It has an update that nobody else has, and says so.
    block_on(old.repl().follow("new", 0)).unwrap();
    old.until("it stops", |old| {
        old.repl().status().source.is_some_and(|source| source.state == FollowState::Stopped)
    });
    let error = old.repl().status().source.unwrap().error.unwrap();
    assert!(error.contains("updates of its own"), "{error}");
}

#[test]
fn an_old_master_hears_of_the_promotion_from_the_promoted_one_itself() {
    let net = Net::default();
    let old = Server::new(&net, "old", 1, |_| {});
    let new = follower(&net, "new", 2, "old");
    old.set("key", "1").unwrap();
    new.catch_up(&old);
    block_on(new.repl().promote()).unwrap();
    // It has an update that the old one never gets: that of its promotion.
    block_on(new.repl().follow("old", 0)).unwrap();
    old.until("it is fenced", |old| old.repl().status().fenced.is_some());
    new.until("it says why", |new| {
        let error = new.repl().status().source.and_then(|source| source.error);
        error.is_some_and(|error| error.contains("older epoch"))
    });
}

#[test]
fn two_masters_settle_on_the_later_update() {
    let net = Net::default();
    let dual = |name, id, other: &'static str| {
        Server::new(&net, name, id, |config| {
            config.follow = Some(other.to_owned());
            config.role = Role::DualMaster;
        })
    };
    let mut one = dual("one", 1, "two");
    one.set("only here", "1").unwrap();
    // While they do not reach each other.
    net.leave("one");
    let two = dual("two", 2, "one");
    net.leave("two");
    one.set("both", "first").unwrap();
    two.set("both", "second").unwrap();
    two.set("only there", "2").unwrap();
    net.join("one", one.repl());
    net.join("two", two.repl());
    one.catch_up(&two);
    two.catch_up(&one);
    for server in [&one, &two] {
        assert_eq!(server.get("both").as_deref(), Some("second"), "{}", server.name);
        assert_eq!(server.get("only here").as_deref(), Some("1"));
        assert_eq!(server.get("only there").as_deref(), Some("2"));
        assert_eq!(server.repl().status().conflicts, 1, "{}", server.name);
    }
    // What knows of the other is no conflict.
    one.set("both", "third").unwrap();
    two.catch_up(&one);
    two.set("both", "fourth").unwrap();
    one.catch_up(&two);
    assert_eq!(one.get("both").as_deref(), Some("fourth"));
    assert_eq!(one.repl().status().conflicts, 1);
    one.stop();
    one.start();
    assert_eq!(one.get("both").as_deref(), Some("fourth"));
}

/// A master of 3000 records whose log has not their beginning any more.
fn pruned(net: &Net) -> Server {
    let mut master = Server::new(net, "one", 1, |config| config.keep = Some(Duration::ZERO));
    for n in 0..3000 {
        let key = bytes::Bytes::from(format!("key {n}"));
        let value = bytes::Bytes::from(vec![b'v'; 100]);
        block_on(master.dbm().set(key, value, true, Durability::Sequenced)).unwrap();
    }
    master.stop();
    master.start();
    let freed = block_on(master.repl().prune(hozo_traits::Timestamp::from_micros(u64::MAX)));
    assert!(freed.unwrap() > 0);
    master
}

#[test]
fn a_follower_that_is_too_far_behind_loads_all_records() {
    let net = Net::default();
    let master = pruned(&net);
    let follower = follower(&net, "two", 2, "one");
    follower.catch_up(&master);
    assert_eq!(block_on(follower.dbm().count()).unwrap(), 3000);
    master.set("after", "1").unwrap();
    follower.catch_up(&master);
    assert_eq!(follower.get("after").as_deref(), Some("1"));
}

#[test]
fn who_does_not_acknowledge_is_whole_all_the_same_after_loading() {
    let net = Net::default();
    let master = pruned(&net);
    let copy = Server::new(&net, "two", 2, |config| {
        config.follow = Some("one".to_owned());
        config.role = Role::Follower;
        config.acknowledge = false;
    });
    copy.catch_up(&master);
    // Without an update after those that were loaded.
    copy.until("it can be promoted", |copy| block_on(copy.repl().promote()).is_ok());
    copy.set("mine", "1").unwrap();
    assert_eq!(block_on(copy.dbm().count()).unwrap(), 3001);
}

#[test]
fn who_waits_for_followers_hears_that_the_server_stops() {
    let net = Net::default();
    let master = Server::new(&net, "one", 1, |config| {
        config.ack = 1;
        config.ack_timeout = Duration::from_secs(3600);
    });
    let (dbm, (say, heard)) = (Arc::clone(master.dbm()), mpsc::channel());
    let setting = thread::spawn(move || {
        let set = dbm.set("a".into(), "1".into(), true, Durability::Durable);
        drop(say.send(block_on(set).unwrap_err()));
    });
    master.until("it is made", |master| master.repl().status().head.iter().next().is_some());
    block_on(master.repl().stop()).unwrap();
    let error = heard.recv_timeout(Duration::from_secs(20)).expect("it waits no longer");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    setting.join().unwrap();
}
