//! FoundationDB's limits: what is larger is divided, staged or refused, by us.

use bytes::Bytes;
use hozo_backend_fdb::Config;
use hozo_traits::exec::block_on;
use hozo_traits::{CommitOutcome, Durability, Effect, ErrorKind, PageWrite, Selection};

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
fn as_many_staged_pages_as_a_transaction_can_point_to() {
    let _double = Double::take();
    let client = store("pointers/");
    let small = Bytes::from(vec![7; 512]);
    let stage = |commit: &hozo_traits::Commit, pages: std::ops::RangeInclusive<u32>| {
        for n in pages.step_by(1000) {
            let write = |n| PageWrite { page: page(n), image: small.clone(), patch: None };
            let writes = (n..n + 1000).map(write).collect();
            block_on(client.pages.stage(commit.id, A, writes)).expect("it is staged");
        }
    };
    let mut commit = client.commit_of(&[], Vec::new());
    commit.namespaces[0].page_size = hozo_traits::PageSize::new(512).expect("a page size");
    stage(&commit, 1..=80_000);
    assert!(matches!(client.commit(&commit), CommitOutcome::Committed(_)));
    let mut too_many = client.commit_of(&[], Vec::new());
    too_many.namespaces[0].page_size = commit.namespaces[0].page_size;
    stage(&too_many, 1..=90_000);
    // By us, before the cluster says so: nothing was asked in vain.
    let error = block_on(client.pages.commit(too_many.clone())).expect_err("it does not fit");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(error.to_string().contains("batch_bytes_max"), "{error}");
    block_on(client.pages.discard_stage(too_many.id)).expect("it is dropped");
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
