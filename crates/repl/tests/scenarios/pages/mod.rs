//! Namespaces on several servers.

mod ack;
mod home;
mod kit;
mod net;
mod promote;
mod source;
mod stores;

use std::sync::atomic::Ordering;

use hozo_traits::exec::block_on;
use hozo_traits::{Condition, Durability, ErrorKind, FollowState, PageStore, Replicator, Role};

use self::kit::{A, Site, history, long_ago};
use self::net::Net;

fn follower(net: &Net, name: &'static str, id: u32, source: &str) -> Site {
    Site::new(net, name, id, |config| {
        config.follow = Some(source.to_owned());
        config.role = Role::Follower;
    })
}

#[test]
fn a_follower_has_the_same_at_the_same_versions() {
    let net = Net::default();
    let master = Site::new(&net, "one", 1, |_| {});
    history(&master);
    let second = follower(&net, "two", 2, "one");
    let third = follower(&net, "three", 3, "two");
    second.catch_up(&master);
    third.catch_up(&master);
    for n in 0..30 {
        master.put(1 + n % 7, n as u8);
    }
    history(&master);
    second.catch_up(&master);
    third.catch_up(&master);
    let status = second.status();
    assert!(!status.home);
    let source = status.source.unwrap();
    assert_eq!((source.state, source.error, source.behind), (FollowState::Following, None, 0));
    let status = master.status();
    assert!(status.home && status.source.is_none());
    master.until("it has acknowledged", |master| {
        master.status().followers.iter().all(|one| one.behind == 0 && one.has.is_some())
    });
    assert_eq!(master.status().followers.len(), 1);
}

#[test]
fn a_history_of_years_ago_is_followed() {
    let net = Net::default();
    let mut master = Site::resting(&net, "one", 1, long_ago(), |_| {});
    master.start();
    history(&master);
    let second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
}

#[test]
fn interrupted_at_every_piece_it_goes_on() {
    let net = Net::default();
    let master = Site::new(&net, "one", 1, |_| {});
    history(&master);
    let mut second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
    let mut pieces = 0;
    loop {
        second.stop();
        second.wipe();
        let broke = net.break_after(pieces);
        second.start();
        second.catch_up(&master);
        if net.broke() == broke {
            break;
        }
        pieces += 1;
    }
    assert!(pieces > 40, "the history has a few pieces only: {pieces}");
}

#[test]
fn killed_at_every_step_it_goes_on() {
    let net = Net::default();
    let master = Site::new(&net, "one", 1, |_| {});
    history(&master);
    let mut second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
    let mut steps = 0;
    loop {
        second.stop();
        second.wipe();
        let failing = second.failing.clone();
        failing.died.store(false, Ordering::SeqCst);
        *failing.left.lock() = Some(steps);
        second.start();
        second.until("it died, or has everything", |second| {
            second.failing.died.load(Ordering::SeqCst) || second.status().durable == master.head()
        });
        if !failing.died.load(Ordering::SeqCst) {
            break;
        }
        second.restart();
        second.catch_up(&master);
        steps += 1;
    }
    assert!(steps > 40, "the history has a few steps only: {steps}");
}

#[test]
fn pieces_that_come_twice_are_applied_once() {
    let net = Net::default();
    net.repeat();
    let master = Site::new(&net, "one", 1, |_| {});
    history(&master);
    let second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
    history(&master);
    second.catch_up(&master);
}

#[test]
fn started_again_it_goes_on_where_it_was() {
    let net = Net::default();
    let mut master = Site::new(&net, "one", 1, |_| {});
    history(&master);
    let mut second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
    second.restart();
    master.put(1, 1);
    master.restart();
    master.put(2, 2);
    second.catch_up(&master);
}

#[test]
fn clients_of_a_follower_are_told_where_to_commit() {
    let net = Net::default();
    let master = Site::new(&net, "one", 1, |_| {});
    let second = follower(&net, "two", 2, "one");
    master.put(1, 1);
    second.catch_up(&master);
    let (draft, write) = (second.draft(), kit::write(1, 2, kit::SIZE));
    let id = draft.0.id;
    let refused = [
        second.try_commit(draft.write(A, &[(1, 2)], 1)).unwrap_err(),
        second.try_commit(second.draft().set("k", Some("v")).sequenced()).unwrap_err(),
        block_on(second.pages().stage(id, A, vec![write])).unwrap_err(),
        block_on(second.pages().purge(A, &[])).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        let text = error.to_string();
        assert!(text.contains("source one") && text.contains("promote"), "{text}");
    }
    second.is_like(&master);
}

#[test]
fn a_store_that_cannot_choose_versions_does_not_follow() {
    let net = Net::default();
    let numbering = || {
        hozo_conformance::layer::Layered::new(
            hozo_conformance::Model::new(long_ago()),
            stores::Numbering,
        )
    };
    let site = Site::resting(&net, "two", 2, long_ago(), |config| {
        config.follow = Some("one".to_owned());
        config.role = Role::Follower;
    });
    let error = site.open(numbering()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("chosen_versions"), "{error}");
    // As a master it serves, and cannot become a follower.
    let site = Site::resting(&net, "one", 1, long_ago(), |_| {});
    let (open, _pages) = site.open(numbering()).unwrap();
    let error = block_on(open.repl.follow("two", 0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    block_on(open.repl.stop()).unwrap();
}

#[test]
fn a_follower_writes_what_is_different_in_a_page() {
    let net = Net::default();
    let master = Site::new(&net, "one", 1, |_| {});
    let first = master.put(1, 1);
    let second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
    // Three bytes of it.
    let mut draft = master.draft().write(A, &[(1, 1), (2, 2)], 9);
    let mut image = draft.0.namespaces[0].writes[0].image.to_vec();
    image[100..103].fill(9);
    draft.0.namespaces[0].writes[0].image = image.into();
    master.commit(draft);
    second.catch_up(&master);
    let commit = second.failing.last.lock().clone().unwrap();
    let writes = &commit.namespaces[0].writes;
    let patch = writes[0].patch.as_ref().expect("a patch");
    assert_eq!((patch.base, patch.payload_len()), (first, 3));
    assert_eq!(writes[1].patch, None);
    // A store keeps patches only of what is known as unchanged.
    let unchanged = Condition::NamespaceUnchanged { namespace: A, since: first };
    assert_eq!(commit.conditions, [unchanged]);
    assert_eq!(commit.durability, Durability::Sequenced);
}
