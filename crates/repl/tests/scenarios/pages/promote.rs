//! Another server becomes the home.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use hozo_conformance::Model;
use hozo_conformance::layer::Layered;
use hozo_traits::exec::block_on;
use hozo_traits::{ErrorKind, FollowState, PageStore, Replicator, SystemAmbient, Version};

use super::follower;
use super::kit::{A, SIZE, Site, history, write};
use super::net::Net;
use super::stores::Held;

#[test]
fn a_promoted_server_goes_on_above() {
    let net = Net::default();
    let mut master = Site::new(&net, "one", 1, |_| {});
    history(&master);
    let second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
    let before = master.head();
    master.stop();
    block_on(second.repl().promote()).unwrap();
    assert!(second.put(1, 9) > before);
    assert!(second.status().home);
    // The old one had nothing that the other lacks, so it follows.
    master.config.follow = Some("two".to_owned());
    master.config.role = hozo_traits::Role::Follower;
    master.start();
    master.catch_up(&second);
    history(&second);
    master.catch_up(&second);
    assert_eq!(master.try_commit(master.draft()).unwrap_err().kind(), ErrorKind::ReadOnly);
}

#[test]
fn half_a_commit_is_none_after_a_promotion() {
    let net = Net::default();
    let master = Site::new(&net, "one", 1, |_| {});
    master.put(1, 1);
    let second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
    let many: Vec<(u32, u8)> = (1..40).map(|page| (page, 5)).collect();
    let draft = master.draft().write(A, &many, 40);
    let id = draft.0.id;
    // It breaks within the commit, and then nobody is there any more.
    let broke = net.break_after(3);
    block_on(second.repl().follow("one", 0)).unwrap();
    master.commit(draft);
    second.until("it broke", |_| {
        if net.broke() > broke {
            master.cut_off();
        }
        net.broke() > broke
    });
    // It may have been quick to connect again.
    let whole = second.head() == master.head();
    block_on(second.repl().promote()).unwrap();
    let pages: Vec<_> =
        many.iter().filter_map(|(page, _)| hozo_traits::PageNo::new(*page)).collect();
    let staged = block_on(second.pages().read_staged(id, A, &pages)).unwrap();
    assert!(staged.iter().all(Option::is_none), "something stayed");
    let made = second.put(2, 2);
    let log = block_on(second.pages().changes(Version::ZERO, 9)).unwrap();
    assert_eq!(log.len(), 2 + usize::from(whole));
    assert_eq!(log.last().unwrap().version, made);
}

#[test]
fn who_has_commits_that_the_new_home_lacks_is_told_so() {
    let net = Net::default();
    let mut master = Site::new(&net, "one", 1, |_| {});
    master.put(1, 1);
    let mut second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
    second.stop();
    // Nobody got this one.
    master.put(1, 2);
    master.stop();
    second.start();
    block_on(second.repl().promote()).unwrap();
    master.config.follow = Some("two".to_owned());
    master.config.role = hozo_traits::Role::Follower;
    master.start();
    let stops = |master: &Site| {
        master.status().source.is_some_and(|source| source.state == FollowState::Stopped)
    };
    master.until("it stops", stops);
    let error = master.status().source.unwrap().error.unwrap();
    assert!(
        error.contains("histories are not the same") && error.contains("empty store"),
        "{error}"
    );
    // The same with another commit of that version there.
    second.put(1, 3);
    block_on(master.repl().follow("two", 0)).unwrap();
    master.until("it stops", |master| {
        let error = master.status().source.and_then(|source| source.error).unwrap_or_default();
        stops(master) && error.contains("commit_here") && error.contains("commit_there")
    });
    // What is to be done is what it says.
    master.stop();
    master.wipe();
    master.start();
    master.catch_up(&second);
}

#[test]
fn an_old_master_that_hears_of_it_takes_no_commits() {
    let net = Net::default();
    let master = Site::new(&net, "one", 1, |_| {});
    master.put(1, 1);
    let second = follower(&net, "two", 2, "one");
    second.catch_up(&master);
    block_on(second.repl().promote()).unwrap();
    // It was not reached yet, so it does.
    let third = follower(&net, "three", 3, "two");
    third.catch_up(&second);
    third.until("it knows of the promotion", |third| third.repl().status().epoch == 1);
    block_on(third.repl().follow("one", 0)).unwrap();
    master.until("it is fenced", |master| master.repl().status().fenced.is_some());
    let error = master.try_commit(master.draft().set("k", Some("v"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    assert!(error.to_string().contains("promoted"), "{error}");
    let staging = block_on(master.pages().stage(master.draft().0.id, A, vec![write(1, 1, SIZE)]));
    assert_eq!(staging.unwrap_err().kind(), ErrorKind::ReadOnly);
    assert!(!master.status().home);
}

#[test]
fn a_commit_that_was_let_in_is_made_before_those_of_a_source() {
    let net = Net::default();
    let other = Site::new(&net, "two", 2, |_| {});
    other.put(1, 1);
    let site = Site::resting(&net, "one", 1, Arc::new(SystemAmbient), |_| {});
    let held = Arc::new(AtomicBool::new(true));
    let model = Model::new(Arc::new(SystemAmbient));
    let store = Layered::new(model.clone(), Held(Arc::clone(&held)));
    let (opened, pages) = site.open(store).unwrap();
    let mut follow = Box::pin(opened.repl.follow_all(Arc::new(net)));
    let mut commit = pages.commit(site.draft().write(A, &[(1, 2)], 1).0);
    assert!((&mut commit).now_or_never().is_none(), "it is not held");
    // It becomes a follower, and connects, and could begin.
    block_on(opened.repl.follow("two", 0)).unwrap();
    for _ in 0..100 {
        assert!((&mut follow).now_or_never().is_none());
    }
    assert_eq!(block_on(model.watermarks()).unwrap().sequenced, Version::ZERO);
    held.store(false, Ordering::SeqCst);
    assert!((&mut commit).now_or_never().expect("it is let go").is_ok());
    let stopped = || {
        let source = opened.repl.status().pages.remove(0).source;
        source.is_some_and(|source| source.state == FollowState::Stopped)
    };
    for _ in 0..1000 {
        assert!((&mut follow).now_or_never().is_none());
        if stopped() {
            break;
        }
    }
    assert!(stopped(), "the histories are not the same: {:#?}", opened.repl.status());
    block_on(opened.repl.stop()).unwrap();
    block_on(follow);
}
