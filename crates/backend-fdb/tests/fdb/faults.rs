//! Every error at every call in turn: nothing is lost, made twice, or taken for
//! something else.

use hozo_backend_fdb::Config;
use hozo_traits::exec::block_on;
use hozo_traits::{CommitOutcome, ErrorKind};

use crate::control::Double;
use crate::kit;
use crate::script::{Client, Patience, check_kind};

/// An error, whether a commit is made nevertheless, and whether it passes.
type Fault = (i32, bool, Patience);

/// Those that FoundationDB's predicates say may be tried again: none of these is to
/// reach who uses the store.
const PASSING: [Fault; 12] = [
    (1007, false, Patience::None),
    (1009, false, Patience::None),
    (1020, false, Patience::None),
    (1021, false, Patience::None),
    (1021, true, Patience::None),
    (1037, false, Patience::None),
    (1038, false, Patience::None),
    (1039, false, Patience::None),
    (1039, true, Patience::None),
    (1042, false, Patience::None),
    (1078, false, Patience::None),
    (1213, false, Patience::None),
];

/// Those that it does not.
const LASTING: [Fault; 7] = [
    (1031, false, Patience::Some),
    (1031, true, Patience::Some),
    (1025, false, Patience::Some),
    (1101, true, Patience::Some),
    (1500, true, Patience::Some),
    (4100, false, Patience::Some),
    (4100, true, Patience::Some),
];

fn store(name: &str) -> Config {
    Config { prefix: name.to_owned(), ..kit::config() }
}

/// Uses stores until one was used with no call left to fail.
fn at_every_call(double: &Double, test: u32, (code, done, patience): Fault) {
    for n in 0u64.. {
        let config = store(&format!("{test}/{code}{}/{n}", u8::from(done)));
        double.inject(n, code, done);
        Client::open(&config, patience).run();
        if double.clear() > 0 {
            assert!(n > 100, "the script has only {n} calls");
            return;
        }
    }
}

#[test]
fn errors_that_pass_are_not_seen() {
    let double = Double::take();
    for fault in PASSING {
        at_every_call(&double, 1, fault);
    }
}

#[test]
fn errors_that_last_are_told_and_leave_nothing_in_doubt() {
    let double = Double::take();
    for fault in LASTING {
        at_every_call(&double, 2, fault);
    }
}

#[test]
fn a_commit_that_comes_late_is_not_made_beside_another() {
    let double = Double::take();
    for (code, patience) in [(1031, Patience::Some), (1021, Patience::None)] {
        for others in [1, 2, 3, 4, 6, 9] {
            for n in 0u64.. {
                double.inject_late(n, code, others);
                Client::open(&store(&format!("l{code}/{others}/{n}")), patience).run();
                if double.clear() > 0 {
                    break;
                }
            }
        }
    }
}

#[test]
fn two_errors_in_a_row_are_as_one() {
    let double = Double::take();
    for gap in [1, 2, 3] {
        for n in 0u64.. {
            double.inject(n, 1021, true);
            double.inject(n + gap, 1021, n % 2 == 0);
            Client::open(&store(&format!("3/{gap}/{n}")), Patience::None).run();
            if double.clear() == 2 {
                break;
            }
        }
    }
}

#[test]
fn a_cluster_that_does_not_answer_is_an_error_in_time() {
    let double = Double::take();
    let config = store("cut/");
    let client = Client::open(&config, Patience::None);
    let made = client.commit_of(&[(1, 1)], Vec::new());
    double.cut(true);
    let error = block_on(client.pages.commit(made.clone())).expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let error = block_on(client.pages.watermarks()).expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let opened = hozo_backend_fdb::open(&config, std::sync::Arc::new(hozo_traits::SystemAmbient));
    check_kind(&opened.err().expect("nobody answers"));
    double.cut(false);
    assert!(matches!(client.commit(&made), CommitOutcome::Committed(_)));
}

#[test]
fn what_is_in_doubt_in_the_end_says_so() {
    let double = Double::take();
    let client = Client::open(&store("doubt/"), Patience::None);
    client.set(b"k", "1".into());
    // All are of one size, so that the same is asked each time. What fails is the
    // commit of an update, and then whether it was made cannot be asked.
    let before = double.calls();
    client.set(b"k", "2".into());
    let calls = double.calls() - before;
    double.inject(calls - 1, 1021, true);
    double.inject(calls, 4100, false);
    let keys = [bytes::Bytes::from_static(b"k")];
    let selection = hozo_traits::Selection::Keys { keys: &keys, values: false };
    let effects = vec![hozo_traits::Effect::Set { key: keys[0].clone(), value: "3".into() }];
    let mut change = |_: &[hozo_traits::Present]| Ok(effects.clone());
    let update = client.dbm.update(selection, hozo_traits::Durability::Sequenced, &mut change);
    let error = block_on(update).expect_err("it cannot be known");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("may have been"), "{error}");
    assert_eq!(client.value(b"k"), Some("3".into()));
    drop(client.store);
}

#[test]
fn versions_go_by_while_a_store_is_used() {
    let double = Double::take();
    let client = Client::open(&store("time/"), Patience::None);
    let first = client.version(&client.commit_of(&[(1, 1)], Vec::new()));
    // What this process read at is too old each time.
    for _ in 0..3 {
        double.advance_s(6);
        let images =
            block_on(client.pages.read_pages(crate::script::A, &[crate::script::page(1)], first));
        assert_eq!(images.expect("it is read anew")[0].as_ref().map(|i| i.version), Some(first));
    }
    client.set(b"k", "v".into());
    double.advance_s(3600);
    assert_eq!(client.value(b"k"), Some("v".into()));
}
