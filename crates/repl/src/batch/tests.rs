use bytes::Bytes;
use hozo_log::disk::sim::SimDisk;
use hozo_traits::exec::block_on;
use hozo_traits::{KvStoreExt, Position, Role};

use crate::apply::Applied;
use crate::repl::Open;
use crate::repl::tests::open;
use crate::ulog::tests::{Other, set};

/// Applies one update of server 2; answers whether it is in the records before
/// the batch is finished, and after.
fn applied(role: Role, finish: bool) -> (bool, bool) {
    let Open { repl, dbms } = open(&SimDisk::new(), role, 1);
    let update = Other::new(2).made(1000, set("key", "value"));
    let there = || block_on(dbms[0].get(&Bytes::from_static(b"key"))).unwrap().is_some();
    let mut batch = repl.shared.batch();
    let applied = block_on(repl.shared.apply(&update, &mut Position::default(), &mut batch));
    assert_eq!(applied.unwrap(), Applied::Done);
    assert_eq!(repl.shared.ulog.reach_of(update.origin), update.reach);
    let before = there();
    match finish {
        true => block_on(batch.finish()).unwrap(),
        false => drop(batch),
    }
    if let Some(from) = repl.shared.unsettled.from() {
        assert!(!finish);
        repl.shared.settle(from).unwrap();
    }
    assert_eq!(
        repl.shared.ulog.durable().position.of(update.origin) == update.reach,
        role == Role::Follower
    );
    (before, there())
}

#[test]
fn a_followers_records_come_after_its_log_is_on_stable_storage() {
    assert_eq!(applied(Role::Follower, true), (false, true));
}

#[test]
fn what_a_batch_left_is_settled() {
    assert_eq!(applied(Role::Follower, false), (false, true));
}

#[test]
fn a_masters_records_come_with_its_log() {
    assert_eq!(applied(Role::DualMaster, true), (true, true));
}
