//! Commits that followers have before they are answered.

use std::time::Duration;

use hozo_traits::exec::block_on;
use hozo_traits::{ErrorKind, PageStore};

use super::follower;
use super::kit::{A, Site};
use super::net::Net;

#[test]
fn a_commit_is_answered_when_a_follower_has_it() {
    let net = Net::default();
    let master = Site::new(&net, "one", 1, |config| config.ack = 1);
    let second = follower(&net, "two", 2, "one");
    for n in 0..20 {
        let version = master.put(1, n);
        assert!(second.status().durable >= version);
        // As SQLite does: it is ordered, and then waited for.
        let version = master.commit(master.draft().write(A, &[(1, n)], 1).sequenced());
        block_on(master.pages().wait_durable(version)).unwrap();
        assert!(second.status().durable >= version);
    }
}

#[test]
fn without_followers_it_is_an_error_that_says_what_is_known() {
    let net = Net::default();
    let mut master = Site::new(&net, "one", 1, |_| {});
    let earlier = master.put(1, 1);
    master.stop();
    (master.config.ack, master.config.ack_timeout) = (1, Duration::from_millis(30));
    master.start();
    // What was there before is not waited for.
    block_on(master.pages().wait_durable(earlier)).unwrap();
    let before = master.head();
    let check = |error: hozo_traits::Error| {
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        let text = error.to_string();
        assert!(text.contains("made and durable here") && text.contains("wanted 1"), "{text}");
    };
    check(master.try_commit(master.draft().write(A, &[(1, 1)], 1)).unwrap_err());
    assert!(master.head() > before, "it was made");
    let version = master.commit(master.draft().write(A, &[(1, 1)], 1).sequenced());
    check(block_on(master.pages().wait_durable(version)).unwrap_err());
    block_on(master.pages().wait_durable(earlier)).unwrap();
    let second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
    master.until("it has acknowledged", |master| {
        block_on(master.pages().wait_durable(version)).is_ok()
    });
}

#[test]
fn one_follower_is_not_two() {
    let net = Net::default();
    let master = Site::new(&net, "one", 1, |config| {
        (config.ack, config.ack_timeout) = (2, Duration::from_millis(50));
    });
    let second = follower(&net, "two", 2, "one");
    let error = master.try_commit(master.draft().write(A, &[(1, 1)], 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    second.catch_up(&master);
    let third = follower(&net, "three", 3, "one");
    third.catch_up(&master);
    // Both are there now; how long that takes is not asserted.
    let mut made = master.try_commit(master.draft().write(A, &[(1, 1)], 1));
    while made.is_err() {
        made = master.try_commit(master.draft().write(A, &[(1, 1)], 1));
    }
}
