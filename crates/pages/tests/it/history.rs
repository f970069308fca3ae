//! Resolving moments, reading the log.

use hozo_conformance::TestAmbient;
use hozo_pages::{CommitCount, Namespace, Reads, format_time};
use hozo_traits::exec::block_on;
use hozo_traits::{ErrorKind, Span, Timestamp, Version};

use crate::support::{Kit, changes, fails, name, tag};

fn before(version: Version) -> Version {
    Version::from_seq(version.seq() - 1)
}

#[test]
fn the_head_is_no_snapshot() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    kit.put(&a, 1, 1);
    let resolved = kit.resolve("a").expect("it is there");
    assert_eq!((&resolved.info, resolved.at), (a.info(), None));
    assert_eq!(kit.resolve("a@head").expect("it is there").at, None);
    fails(kit.resolve("b"), ErrorKind::NotFound);
    fails(kit.resolve("b@-5m"), ErrorKind::NotFound);
}

#[test]
fn a_version_means_the_newest_commit_at_or_below() {
    let kit = Kit::new();
    let (a, b) = (kit.fresh("a"), kit.fresh("b"));
    let first = kit.put(&a, 1, 1);
    let foreign = kit.put(&b, 1, 1);
    let second = kit.put(&a, 1, 2);
    assert_eq!(kit.at(&format!("a@{first}")).version, first);
    assert_eq!(kit.at(&format!("a@{foreign}")).version, first);
    assert_eq!(kit.at(&format!("a@{second}")).version, second);
    // Also between two batches of one moment, as FoundationDB numbers them.
    let odd = first.successor().expect("it is not the last");
    assert_eq!(kit.at(&format!("a@{odd}")).version, first);
    // A newer commit of another namespace makes the version one that exists.
    let newest = kit.put(&b, 1, 2);
    assert_eq!(kit.at(&format!("a@{newest}")).version, second);
    let above = Version::from_seq(newest.seq() + 1);
    let error = fails(kit.resolve(&format!("a@{above}")), ErrorKind::VersionGone);
    assert!(error.to_string().contains(&format!("newest {newest}")), "{error}");
}

#[test]
fn a_namespace_is_empty_from_creation_to_its_first_commit() {
    let kit = Kit::new();
    kit.create("z");
    kit.tick(10);
    let a = kit.fresh("a");
    kit.tick(10);
    let first = kit.put(&a, 1, 1);
    let created = a.info().created_version;
    let empty = kit.at(&format!("a@{created}"));
    assert_eq!((empty.version, empty.page_count), (Version::ZERO, 0));
    assert_eq!(empty.time, a.info().created);
    assert_eq!(kit.at("a@-5s").page_count, 0);
    assert_eq!(kit.at("a@-10s").page_count, 0);
    assert_eq!(kit.at("a@-0s").version, first);
    for target in [format!("a@{}", before(created)), "a@-11s".to_owned(), "a@1970-01-01".to_owned()]
    {
        let error = fails(kit.resolve(&target), ErrorKind::NotFound).to_string();
        let when = format!("created {}", format_time(a.info().created));
        assert!(error.contains(&when) && error.contains(&created.to_string()), "{error}");
    }
}

#[test]
fn a_time_means_the_newest_commit_at_or_before_it() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let mut versions = Vec::new();
    for n in 0..4 {
        kit.tick(60);
        versions.push(kit.put(&a, 1, n));
        // Two in one moment: the later one is what that moment means.
        versions.push(kit.put(&a, 1, n + 100));
    }
    // The commits are at 09:31 to 09:34 UTC; it is 09:34.
    for (time, index) in [
        ("2026-11-21T09:31:00Z", 1),
        ("2026-11-21 09:31:59.999999", 1),
        ("2026-11-21 09:32", 3),
        ("2026-11-21T10:33:00+01:00", 5),
        ("-1m", 5),
        ("-1m0.5s", 3),
        ("-0s", 7),
    ] {
        assert_eq!(kit.at(&format!("a@{time}")).version, versions[index], "{time}");
    }
    assert_eq!(tag(&a, 1, kit.at("a@-1m").version), Some(102));
    let error = fails(kit.resolve("a@2026-11-21T09:34:00.000001Z"), ErrorKind::Invalid);
    assert!(error.to_string().contains("2026-11-21T09:34:00Z"), "{error}");
    fails(kit.resolve("a@-1w"), ErrorKind::NotFound);
    fails(kit.resolve("a@-18446744073709551615s"), ErrorKind::NotFound);
}

#[test]
fn a_clock_that_went_back_hides_nothing() {
    let kit = Kit::new();
    kit.tick(3600);
    let a = kit.fresh("a");
    // An hour back: commits before the creation's time.
    kit.ambient.set(TestAmbient::START);
    let first = kit.put(&a, 1, 1);
    assert_eq!(kit.at("a@2026-11-21T09:30:00Z").version, first);
    // And ahead of the clock: what was committed then is known.
    kit.tick(7200);
    let second = kit.put(&a, 1, 2);
    kit.ambient.set(TestAmbient::START);
    assert_eq!(kit.at("a@2026-11-21T11:30:00Z").version, second);
    assert_eq!(kit.at("a@2026-11-21T11:29:00Z").version, first);
    fails(kit.resolve("a@2026-11-21T11:30:01Z"), ErrorKind::Invalid);
}

#[test]
fn a_snapshot_is_durable() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let durable = || block_on(a.watermarks()).expect("watermarks are answered").durable;
    let first = kit.put(&a, 1, 1);
    assert!(durable() < first);
    kit.at(&format!("a@{first}"));
    assert!(durable() >= first);
    let second = kit.put(&a, 1, 2);
    kit.at("a@-0s");
    assert!(durable() >= second);
}

#[test]
fn tags_are_understood_but_not_there() {
    let kit = Kit::new();
    kit.create("a");
    let error = fails(kit.resolve("a@release-1"), ErrorKind::Unsupported);
    assert!(error.to_string().contains("tags") && error.to_string().contains("release-1"));
}

#[test]
fn a_log_is_read_by_version_and_by_time() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let mut versions = Vec::new();
    for n in 0..5 {
        kit.tick(60);
        versions.push(kit.put(&a, n + 1, 1));
    }
    let log = |span, newest_first, limit| -> Vec<Version> {
        let entries = block_on(kit.names.log(&name("a"), span, newest_first, limit));
        entries.expect("the log is answered").iter().map(|entry| entry.version).collect()
    };
    let all = Span::Versions(Version::ZERO, Version::MAX);
    assert_eq!(log(all, false, usize::MAX), versions);
    assert_eq!(log(all, true, 2), [versions[4], versions[3]]);
    assert_eq!(log(Span::Versions(versions[1], versions[2]), false, 9), versions[1..=2]);
    let time = |n: u64| Timestamp::from_micros(TestAmbient::START.as_micros() + n * 60_000_000);
    assert_eq!(log(Span::Times(time(2), time(3)), false, 9), versions[1..=2]);
    fails(block_on(kit.names.log(&name("x"), all, false, 9)), ErrorKind::NotFound);
}

#[test]
fn a_stat_says_what_is_there() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let stat = || block_on(kit.names.stat(&name("a"))).expect("it is answered");
    let empty = stat();
    assert_eq!((empty.oldest, empty.commits), (Version::ZERO, CommitCount::Exactly(0)));
    assert_eq!(empty.head.page_count, 0);
    let first = kit.put(&a, 1, 1);
    kit.put(&kit.fresh("b"), 1, 1);
    let second = kit.put(&a, 20, 1);
    let stat = stat();
    assert_eq!(&stat.info, a.info());
    assert_eq!((stat.oldest, stat.head.version, stat.head.page_count), (first, second, 20));
    assert_eq!(stat.commits, CommitCount::Exactly(2));
}

/// `n` commits that write nothing: a log entry each.
fn empty_commits(kit: &Kit, a: &std::sync::Arc<Namespace>, n: usize) {
    for _ in 0..n {
        kit.commit(vec![changes(a, Version::MAX, Reads::Whole, &[])]);
    }
}

#[test]
fn a_long_history_is_counted_in_parts() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    empty_commits(&kit, &a, hozo_pages::LOG_ENTRIES_MAX);
    let stat = || block_on(kit.names.stat(&name("a"))).expect("it is answered").commits;
    assert_eq!(stat(), CommitCount::Exactly(10_000));
    empty_commits(&kit, &a, 7);
    assert_eq!(stat(), CommitCount::Exactly(10_007));
    assert_eq!(CommitCount::MoreThan(100_000).to_string(), "more than 100000");
}
