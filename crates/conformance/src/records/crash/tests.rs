//! What a crash must not leave is seen.

use std::sync::Arc;

use hozo_traits::KvStore;

use super::*;
use crate::TestAmbient;
use crate::records::StoreModelFixture;
use crate::records::kit::NOW;

/// A store after some updates, and what was acknowledged of them.
fn updated() -> (Arc<dyn KvStore>, Acknowledged) {
    let dir = TempDir::new().expect("a scratch directory");
    let store = StoreModelFixture::volatile().open(dir.path(), Arc::new(TestAmbient::new(1)));
    let dbm = store.expect("the model opens").records(DBM).expect("the DBM opens");
    let mut known = Acknowledged::default();
    for turn in 1..=60u64 {
        let writer = (turn % WRITERS as u64) as usize;
        one(&*dbm, writer, &mut Rng::new(turn)).expect("updated");
        let n = turn.div_ceil(WRITERS as u64);
        known.sent.insert(writer, n);
        known.made.insert(turn, (writer, n, durability(writer, n) == Durability::Durable));
    }
    (dbm, known)
}

fn judged(dbm: &Arc<dyn KvStore>, known: &Acknowledged) -> Result<(), String> {
    verify(&**dbm, &[0; WRITERS], known, &mut Tally::default()).map(drop)
}

fn put(dbm: &Arc<dyn KvStore>, key: &Bytes, value: Option<Bytes>) {
    let done = match value {
        Some(value) => block_on(dbm.set(key.clone(), value, true, NOW)),
        None => block_on(dbm.remove(key.clone(), NOW)),
    };
    done.expect("done");
}

#[test]
fn what_was_made_is_right() {
    let (dbm, known) = updated();
    assert_eq!(judged(&dbm, &known), Ok(()));
}

#[test]
fn a_lost_record_is_seen() {
    let (dbm, known) = updated();
    for n in 0..RECORDS {
        let key = record_key(1, n);
        let Some(value) = block_on(dbm.get(&key)).expect("read") else { continue };
        put(&dbm, &key, None);
        assert!(judged(&dbm, &known).is_err(), "without {key:?}");
        put(&dbm, &key, Some(value));
    }
    assert_eq!(judged(&dbm, &known), Ok(()));
}

#[test]
fn a_record_that_nobody_left_is_seen() {
    let (dbm, known) = updated();
    put(&dbm, &b("other"), Some(b("")));
    assert!(judged(&dbm, &known).is_err());
}

#[test]
fn a_lost_durable_update_is_seen() {
    let (dbm, known) = updated();
    // Takes updates back, the last first, each whole.
    let mut lost_durable = false;
    for (turn, (writer, n, durable)) in known.made.iter().rev() {
        for m in n.saturating_sub(RECORDS)..*n {
            let value = if m == 0 { None } else { left(*writer, m) };
            put(&dbm, &record_key(*writer, m), value);
        }
        let number = (*n > 1).then(|| b((n - 1).to_be_bytes()));
        put(&dbm, &number_key(*writer), number);
        put(&dbm, &b(TURN), Some(b((turn - 1).to_be_bytes())));
        lost_durable |= durable;
        if *turn < 50 {
            break;
        }
        assert_eq!(judged(&dbm, &known).is_err(), lost_durable, "back to {turn}");
    }
    assert!(lost_durable);
}

#[test]
fn an_update_that_is_there_without_one_before_it_is_seen() {
    let (dbm, known) = updated();
    // The last of one writer is taken back, and others came after it.
    let (_, (writer, n, _)) = known.made.iter().rev().nth(1).expect("there are more");
    for m in n.saturating_sub(RECORDS)..*n {
        put(&dbm, &record_key(*writer, m), if m == 0 { None } else { left(*writer, m) });
    }
    put(&dbm, &number_key(*writer), Some(b((n - 1).to_be_bytes())));
    put(&dbm, &b(TURN), Some(b(59u64.to_be_bytes())));
    assert!(judged(&dbm, &known).is_err());
}
