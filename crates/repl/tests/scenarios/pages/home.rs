//! Of two masters, one is the home of namespaces.

use hozo_repl::{Config, Home};
use hozo_traits::exec::block_on;
use hozo_traits::{ErrorKind, FollowState, Replicator, Role, ServerId, SystemAmbient};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::kit::{Site, history};
use super::net::Net;

fn master(net: &Net, name: &'static str, id: u32, other: &str, home: bool) -> Site {
    Site::new(net, name, id, |config| {
        config.follow = Some(other.to_owned());
        config.role = Role::DualMaster;
        config.home = home;
    })
}

fn refusal(site: &Site) -> String {
    let error = site.try_commit(site.draft().set("k", Some("v"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    error.to_string()
}

#[test]
fn the_home_takes_commits_and_the_other_one_follows_it() {
    let net = Net::default();
    let home = master(&net, "one", 1, "two", true);
    let other = master(&net, "two", 2, "one", false);
    history(&home);
    other.catch_up(&home);
    let text = refusal(&other);
    assert!(text.contains("home of namespaces") && text.contains("source one"), "{text}");
    history(&home);
    other.catch_up(&home);
    // After a promotion the other one is the home, and the first hears of it.
    block_on(other.repl().promote()).unwrap();
    history(&other);
    home.until("it is fenced", |home| home.repl().status().fenced.is_some());
    assert!(refusal(&home).contains("promoted"));
}

#[test]
fn two_homes_take_no_commits() {
    let net = Net::default();
    let one = master(&net, "one", 1, "two", true);
    let two = master(&net, "two", 2, "one", true);
    // Whoever hears first of the other one is not the home any more, so that one
    // may not hear of two.
    one.until("one knows", |one| !one.status().home || !two.status().home);
    let refused = if one.status().home { &two } else { &one };
    let text = refusal(refused);
    assert!(text.contains("both masters have `home = true`"), "{text}");
}

#[test]
fn the_other_master_may_have_a_store_from_before_there_was_a_list() {
    let net = Net::default();
    let other = Site::resting(&net, "two", 2, Arc::new(SystemAmbient), |config| {
        config.follow = Some("one".to_owned());
        config.role = Role::DualMaster;
    });
    let failing = Arc::clone(&other.failing);
    failing.begins_late.store(true, Ordering::SeqCst);
    let mut other = other;
    other.start();
    let home = master(&net, "one", 1, "two", true);
    let asked = || failing.asked_too_early.load(Ordering::SeqCst);
    home.until("it has looked again", |_| asked() > 2);
    let source = home.status().source.expect("it is one of two");
    assert_ne!(source.state, FollowState::Stopped, "{source:?}");
    home.commit(home.draft().set("k", Some("v")));
}

#[test]
fn without_a_home_both_say_so() {
    let net = Net::default();
    let one = master(&net, "one", 1, "two", false);
    let two = master(&net, "two", 2, "one", false);
    for site in [&one, &two] {
        let text = refusal(site);
        assert!(text.contains("home = true"), "{text}");
        site.until("it knows of the other", |site| refusal(site).contains("neither"));
    }
}

#[test]
fn a_server_that_does_not_run_is_what_it_was_told() {
    let net = Net::default();
    let mut site = Site::new(&net, "one", 1, |_| {});
    let takes = |config: &Config| Home::at_rest(config).unwrap().refuse();
    takes(&site.config).unwrap();
    block_on(site.repl().follow("two", 0)).unwrap();
    let error = takes(&site.config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    assert!(error.to_string().contains("source two"), "{error}");
    block_on(site.repl().promote()).unwrap();
    takes(&site.config).unwrap();
    site.stop();
    // Without a server nobody acknowledges.
    site.config.ack = 1;
    let error = takes(&site.config).unwrap_err();
    assert!(error.to_string().contains("hozo serve"), "{error}");
    // A log that is not there yet: it is what the config says.
    let mut config = Config::new(ServerId::new(5).unwrap(), site.config.dir.join("none"));
    takes(&config).unwrap();
    (config.follow, config.role) = (Some("one".to_owned()), Role::Follower);
    assert_eq!(takes(&config).unwrap_err().kind(), ErrorKind::ReadOnly);
    // A file that says nothing is not taken for leave.
    std::fs::write(site.config.dir.join("role"), "nonsense").unwrap();
    assert_eq!(Home::at_rest(&site.config).err().unwrap().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_follower_cannot_be_the_home() {
    let mut config = Config::new(ServerId::new(5).unwrap(), "none");
    (config.follow, config.role, config.home) = (Some("one".to_owned()), Role::Follower, true);
    assert_eq!(config.check().unwrap_err().kind(), ErrorKind::Invalid);
    config.role = Role::DualMaster;
    config.check().unwrap();
}
