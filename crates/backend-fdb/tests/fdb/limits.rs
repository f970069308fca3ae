//! FoundationDB's limits: what is larger is divided, staged or refused, by us.

use bytes::Bytes;
use hozo_backend_fdb::Config;
use hozo_traits::exec::block_on;
use hozo_traits::{
    CommitOutcome, Condition, Conflict, Durability, Effect, ErrorKind, LogQuery, PageWrite,
    Selection, Span, Version,
};

use crate::control::Double;
use crate::kit;
use crate::script::{A, Client, Patience, image, page};

fn store(name: &str) -> Client {
    let config = Config { prefix: name.to_owned(), ..kit::config() };
    Client::open(&config, Patience::None)
}

#[test]
fn a_commit_larger_than_a_transaction_is_made_at_once() {
    let _double = Double::take();
    let client = store("large/");
    // 41 MB.
    let tags: Vec<(u32, u8)> = (1..=10_000).map(|n| (n, n as u8)).collect();
    let version = client.version(&client.commit_of(&tags, Vec::new()));
    for n in [1u32, 5_000, 10_000] {
        let read = block_on(client.pages.read_pages(A, &[page(n)], version)).expect("it is there");
        assert!(read[0].as_ref().is_some_and(|found| found.bytes == image(n as u8)), "{n}");
    }
}

#[test]
fn a_commit_has_any_number_of_pages() {
    let _double = Double::take();
    let client = store("bulk/");
    let size = hozo_traits::PageSize::new(512).expect("a page size");
    let small = |tag: u8| Bytes::from(vec![tag; 512]);
    let version = |commit: &hozo_traits::Commit| client.version(commit);
    let mut first = client.commit_of(&[], Vec::new());
    first.namespaces[0].page_size = size;
    let single = |tag, n| vec![PageWrite { page: page(n), image: small(tag), patch: None }];
    first.namespaces[0].writes = single(1, 300_001);
    let v1 = version(&first);
    // As many as a database of more than a gigabyte has pages of 4 KiB: pointers to
    // each of these would be 30 MB.
    const PAGES: u32 = 300_000;
    let mut large = client.commit_of(&[], Vec::new());
    large.namespaces[0].page_size = size;
    for n in (1..PAGES).step_by(5000) {
        let write = |n| PageWrite { page: page(n), image: small(2), patch: None };
        let writes = (n..n + 5000).map(write).collect();
        block_on(client.pages.stage(large.id, A, writes)).expect("it is staged");
    }
    let v2 = version(&large);
    let read = |n, at| {
        let found = block_on(client.pages.read_pages(A, &[page(n)], at)).expect("it is read");
        found[0].as_ref().map(|image| (image.version, image.bytes[0]))
    };
    assert_eq!((read(7, v1), read(7, v2)), (None, Some((v2, 2))));
    assert_eq!((read(PAGES, v2), read(300_001, v2)), (Some((v2, 2)), Some((v1, 1))));
    // What is in it was written by it, and what is not was not.
    let unchanged = |n, since| Condition::PageUnchanged { namespace: A, page: page(n), since };
    let mut refused = client.commit_of(&[], vec![unchanged(300_001, v1), unchanged(7, v1)]);
    refused.namespaces[0].page_size = size;
    let conflict = Conflict::Page { namespace: A, page: page(7), version: v2 };
    assert_eq!(client.commit(&refused), CommitOutcome::Conflict(conflict));
    let mut made = client.commit_of(&[], vec![unchanged(300_001, v1), unchanged(7, v2)]);
    made.namespaces[0].page_size = size;
    made.namespaces[0].writes = single(3, 7);
    let v3 = version(&made);
    assert_eq!(
        (read(7, v2), read(7, v3), read(8, v3)),
        (Some((v2, 2)), Some((v3, 3)), Some((v2, 2)))
    );
    let purged = block_on(client.pages.purge(A, &[(page(7), v2), (page(9), v1)])).expect("it is");
    assert_eq!((purged.removed, read(7, v3), read(8, v2)), (1, Some((v3, 3)), Some((v2, 2))));
    let gone = block_on(client.pages.read_pages(A, &[page(7)], v2));
    assert!(gone.is_err_and(|e| e.kind() == ErrorKind::VersionGone));
}

#[test]
fn what_the_layers_reckon_is_what_the_cluster_takes() {
    let _double = Double::take();
    let client = store("reckon/");
    // As many small records as fit, found by halves: what does not fit is refused by
    // us, and never by the cluster.
    let try_with = |records: usize| {
        let keys: Vec<Bytes> = (0..records).map(|n| Bytes::from(format!("{n:08}"))).collect();
        let set = |key: &Bytes| Effect::Set { key: key.clone(), value: Bytes::from_static(b"v") };
        let effects: Vec<Effect> = keys.iter().map(set).collect();
        let selection = Selection::Keys { keys: &keys, values: false };
        let mut change = |_: &[hozo_traits::Present]| Ok(effects.clone());
        let update = client.dbm.update(selection, Durability::Sequenced, &mut change);
        match block_on(update) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
                assert!(!error.to_string().contains("2101"), "the cluster refused: {error}");
                false
            }
        }
    };
    let (mut fits, mut large) = (1_000, 200_000);
    assert!(try_with(fits) && !try_with(large));
    while large - fits > 500 {
        let middle = (fits + large) / 2;
        if try_with(middle) { fits = middle } else { large = middle }
    }
    assert!(fits > 20_000, "only {fits} records fit");
}

#[test]
fn no_write_of_different_pages_meets_another() {
    let double = Double::take();
    let client = store("meet/");
    client.version(&client.commit_of(&[(1, 1)], Vec::new()));
    let run = |threads: u32| {
        let before = double.calls();
        std::thread::scope(|scope| {
            for t in 0..threads {
                let client = &client;
                scope.spawn(move || {
                    for round in 0..20u8 {
                        let mut commit = client.commit_of(&[(t + 10, round)], Vec::new());
                        commit.durability = Durability::Sequenced;
                        // The time of all is the same, and so is later than nobody's.
                        commit.time = hozo_traits::Timestamp::from_micros(1 << 50);
                        let made = block_on(client.pages.commit(commit)).expect("it is made");
                        assert!(matches!(made, CommitOutcome::Committed(_)));
                    }
                });
            }
        });
        double.calls() - before
    };
    let alone = run(1);
    assert_eq!(run(6), 6 * alone, "a conflict costs calls");
}

#[test]
fn times_do_not_fall_whatever_the_clocks_of_writers_say() {
    let _double = Double::take();
    let client = store("times/");
    std::thread::scope(|scope| {
        for thread in 0..6u32 {
            let client = &client;
            scope.spawn(move || {
                for round in 0..40u8 {
                    let mut commit = client.commit_of(&[(thread + 1, round)], Vec::new());
                    // Each has a clock of its own.
                    let time = (1 << 50) + u64::from(round) * 1000 + u64::from(thread) * 777;
                    commit.time = hozo_traits::Timestamp::from_micros(time);
                    let made = block_on(client.pages.commit(commit)).expect("it is made");
                    let CommitOutcome::Committed(made) = made else { panic!("{made:?}") };
                    assert!(made.time.as_micros() >= time);
                }
            });
        }
    });
    let span = Span::Versions(Version::ZERO, Version::MAX);
    let query = LogQuery { namespace: A, span, newest_first: false, limit: 1000 };
    let log = block_on(client.pages.log(query)).expect("there is a log");
    assert_eq!(log.len(), 6 * 40);
    assert!(log.is_sorted_by(|a, b| a.version < b.version && a.time <= b.time), "{log:?}");
}
