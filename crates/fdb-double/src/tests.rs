//! The double by itself: what FoundationDB's documentation says of each.

use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use crate::cluster::Cluster;
use crate::codes;
use crate::faults::{self, Done, Fault};
use crate::future::{Answer, Future};
use crate::mutation::{Mutation, single};
use crate::network;
use crate::transaction::{Options, Transaction};

mod reading;

use self::reading::{range, request};

/// The network is one for the process, and so are planned faults: those tests that
/// plan some must not meet others.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    static RUNS: Once = Once::new();
    RUNS.call_once(|| {
        assert_eq!(network::select_api_version(730, 730), 0);
        assert_eq!(network::set_up(), 0);
        std::thread::spawn(network::run);
    });
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn begin(cluster: &Arc<Cluster>) -> Arc<Transaction> {
    Arc::new(Transaction::new(Arc::clone(cluster), Options::default()))
}

fn set(tr: &Transaction, key: &str, value: &str) {
    tr.state().change(Ok(Mutation::Set(key.into(), value.into())));
}

fn code(future: &Future) -> i32 {
    future.wait();
    future.error()
}

fn get(tr: &Arc<Transaction>, key: &str) -> Result<Option<String>, i32> {
    let key = key.as_bytes().to_vec();
    let future = tr.ask(|tr, state| Ok(Answer::Value(state.get(&tr.cluster, key, false)?)));
    let mut found = None;
    match code(&future) {
        0 => {
            future.look(|answer| match answer {
                Answer::Value(value) => {
                    found = value.as_ref().map(|v| String::from_utf8_lossy(v).into_owned());
                    Some(())
                }
                _ => None,
            });
            Ok(found)
        }
        code => Err(code),
    }
}

fn commit(tr: &Arc<Transaction>) -> i32 {
    code(&tr.commit())
}

#[test]
fn who_read_what_another_wrote_does_not_commit() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let (a, b, blind) = (begin(&cluster), begin(&cluster), begin(&cluster));
    assert_eq!((get(&a, "k"), get(&b, "k")), (Ok(None), Ok(None)));
    set(&a, "k", "a");
    set(&b, "k", "b");
    set(&blind, "k", "blind");
    assert_eq!((commit(&a), commit(&b)), (0, codes::NOT_COMMITTED));
    assert_eq!(commit(&blind), 0, "who read nothing has no conflict");
    assert_eq!(get(&begin(&cluster), "k"), Ok(Some("blind".into())));
}

#[test]
fn stamps_ascend_and_are_what_the_transaction_says() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let stamped = |n: u8| {
        let tr = begin(&cluster);
        let key = [&b"s"[..], &[0; 10], &1u32.to_le_bytes()].concat();
        tr.state().change(Mutation::atomic(14, &key, &[n]));
        let value = [&[0; 12][..], &2u32.to_le_bytes()].concat();
        tr.state().change(Mutation::atomic(15, &[b'v', n], &value));
        let stamp = tr.versionstamp();
        (tr.commit(), stamp)
    };
    let asked: Vec<_> = (0..20).map(stamped).collect();
    let mut stamps = Vec::new();
    for (made, stamp) in asked {
        assert_eq!((code(&made), code(&stamp)), (0, 0));
        stamp.look(|answer| match answer {
            Answer::Key(key) => {
                stamps.push(key.clone());
                Some(())
            }
            _ => None,
        });
    }
    assert!(stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
    let state = cluster.state();
    let version = state.version();
    for (n, stamp) in (0u8..).zip(&stamps) {
        let key = [&b"s"[..], stamp].concat();
        assert_eq!(state.store.get(&key, version).map(|v| v.to_vec()), Some(vec![n]));
        let value = state.store.get(&[b'v', n], version).map(|v| v.to_vec());
        assert_eq!(value, Some([&[0, 0][..], stamp].concat()));
    }
    // A stamp that does not fit.
    assert_eq!(Mutation::atomic(14, b"k\0\0\0\0", b""), Err(codes::INVALID_OPERATION));
}

#[test]
fn nothing_joins_a_version_that_was_read() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let begun = || {
        let tr = begin(&cluster);
        assert_eq!(get(&tr, "k"), Ok(None));
        set(&tr, "k", "");
        tr
    };
    let (first, conflicting, late) = (begun(), begun(), begin(&cluster));
    assert_eq!(get(&late, "other"), Ok(None));
    set(&late, "late", "");
    assert_eq!(commit(&first), 0);
    let reader = begin(&cluster);
    assert_eq!(get(&reader, "late"), Ok(None));
    // Both are there at once, the first in vain.
    let asked = [conflicting.commit(), late.commit()];
    assert_eq!(asked.map(|future| code(&future)), [codes::NOT_COMMITTED, 0]);
    assert_eq!(get(&reader, "late"), Ok(None), "what was read changes");
}

#[test]
fn a_stamped_key_conflicts_where_it_comes_to_be() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let reader = begin(&cluster);
    assert_eq!(range(&reader, request("s", "t")), Ok((0, false)));
    let writer = begin(&cluster);
    let key = [&b"s"[..], &[0; 10], &1u32.to_le_bytes()].concat();
    writer.state().change(Mutation::atomic(14, &key, b""));
    set(&reader, "z", "");
    assert_eq!((commit(&writer), commit(&reader)), (0, codes::NOT_COMMITTED));
}

#[test]
fn what_is_too_large_is_refused() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let try_one = |key: usize, value: usize, times: usize| {
        let tr = begin(&cluster);
        for n in 0..times {
            let mut key = vec![b'k'; key];
            key[0] = n as u8;
            tr.state().change(Ok(Mutation::Set(key, vec![0; value])));
        }
        commit(&tr)
    };
    assert_eq!(try_one(10_000, 100_000, 1), 0);
    assert_eq!(try_one(10_001, 0, 1), codes::KEY_TOO_LARGE);
    assert_eq!(try_one(1, 100_001, 1), codes::VALUE_TOO_LARGE);
    assert_eq!(try_one(1, 99_900, 100), 0);
    assert_eq!(try_one(1, 100_000, 100), codes::TRANSACTION_TOO_LARGE);
    let tr = begin(&cluster);
    tr.state().change(Ok(Mutation::Set(vec![0xff], vec![])));
    assert_eq!(commit(&tr), codes::OUTSIDE_LEGAL_RANGE);
}

#[test]
fn five_seconds_later_a_transaction_is_too_old() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let tr = begin(&cluster);
    assert_eq!(get(&tr, "k"), Ok(None));
    cluster.state().advance(4_999_000);
    assert_eq!(get(&tr, "k"), Ok(None));
    cluster.state().advance(2_000);
    assert_eq!(get(&tr, "k"), Err(codes::TRANSACTION_TOO_OLD));
    set(&tr, "k", "");
    assert_eq!(commit(&tr), codes::TRANSACTION_TOO_OLD);
    assert_eq!(code(&tr.on_error(codes::TRANSACTION_TOO_OLD)), 0);
    assert_eq!(get(&tr, "k"), Ok(None));
    let early = begin(&cluster);
    early.state().read_version = Some(i64::MAX);
    assert_eq!(get(&early, "k"), Err(codes::FUTURE_VERSION));
    assert_eq!(code(&early.on_error(codes::KEY_TOO_LARGE)), codes::KEY_TOO_LARGE);
}

#[test]
fn a_call_fails_as_planned() {
    let _alone = alone();
    let cluster = Cluster::empty();
    for done in [false, true] {
        let tr = begin(&cluster);
        set(&tr, "k", if done { "done" } else { "not" });
        let fault = if done { Done::Yes } else { Done::Never };
        faults::plan(1, Fault { code: codes::COMMIT_UNKNOWN_RESULT, done: fault });
        assert_eq!(get(&tr, "other"), Ok(None));
        assert_eq!(commit(&tr), codes::COMMIT_UNKNOWN_RESULT);
        let found = get(&begin(&cluster), "k");
        assert_eq!(found, Ok(done.then(|| "done".into())));
    }
    faults::plan(100, Fault { code: codes::FUTURE_VERSION, done: Done::Never });
    assert_eq!(faults::clear(), 1);
}

#[test]
fn a_commit_may_be_on_its_way_when_it_is_answered() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let late = |key: &'static str| {
        let tr = begin(&cluster);
        assert_eq!(get(&tr, key), Ok(None));
        set(&tr, key, "late");
        faults::plan(0, Fault { code: codes::TRANSACTION_TIMED_OUT, done: Done::Late(1) });
        assert_eq!(commit(&tr), codes::TRANSACTION_TIMED_OUT);
    };
    late("a");
    assert_eq!(get(&begin(&cluster), "a"), Ok(None));
    assert_eq!(get(&begin(&cluster), "a"), Ok(Some("late".into())));
    // What it has read was changed before it comes.
    late("b");
    let tr = begin(&cluster);
    set(&tr, "b", "first");
    assert_eq!(commit(&tr), 0);
    assert_eq!(get(&begin(&cluster), "b"), Ok(Some("first".into())));
}

#[test]
fn a_cut_network_ends_what_has_a_timeout_and_holds_the_rest() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let hurried = begin(&cluster);
    hurried.state().options.timeout_ms = 1000;
    let patient = begin(&cluster);
    network::cut(true);
    assert_eq!(get(&hurried, "k"), Err(codes::TRANSACTION_TIMED_OUT));
    let waits = patient.commit();
    // It is behind the other, which was answered.
    assert!(!waits.is_ready());
    network::cut(false);
    assert_eq!(code(&waits), 0);
}

#[test]
fn a_watch_is_told_of_another_value() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let watch = Arc::new(Future::default());
    cluster.watch(b"k".to_vec(), None, Arc::clone(&watch));
    let other = begin(&cluster);
    set(&other, "other", "");
    assert_eq!((commit(&other), watch.is_ready()), (0, false));
    let tr = begin(&cluster);
    set(&tr, "k", "");
    assert_eq!((commit(&tr), code(&watch)), (0, 0));
    let late = Arc::new(Future::default());
    cluster.watch(b"k".to_vec(), None, Arc::clone(&late));
    assert_eq!(code(&late), 0, "it had another value already");
}

#[test]
fn only_connection_strings_name_clusters() {
    for wrong in ["", "x", "a@b", "a:b@", ":b@c", "# only a comment"] {
        assert!(Cluster::named(wrong).is_err(), "{wrong:?}");
    }
    let named = Cluster::named("# comment\na:b@127.0.0.1:4500\n").unwrap();
    assert!(Arc::ptr_eq(&named, &Cluster::named("a:b@127.0.0.1:4500").unwrap()));
}

#[test]
fn nobody_can_read_what_is_forgotten_and_nothing_else_is() {
    let _alone = alone();
    let cluster = Cluster::empty();
    let write = |value: &str| {
        let tr = begin(&cluster);
        set(&tr, "k", value);
        assert_eq!(commit(&tr), 0);
    };
    write("old");
    let reader = begin(&cluster);
    assert_eq!(get(&reader, "k"), Ok(Some("old".into())));
    write("new");
    cluster.state().advance(4_000_000);
    assert_eq!(get(&reader, "k"), Ok(Some("old".into())));
    cluster.state().advance(2_000_000);
    assert_eq!(get(&begin(&cluster), "k"), Ok(Some("new".into())));
}
