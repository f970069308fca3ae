//! Push and pop.

use hozo_proto::StatusCode::{NotFoundError, Success};
use hozo_proto::tkrzw_rpc::*;

use super::Clause;
use crate::kit::{Kit, b, code};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("pop_takes_a_record_and_then_none", pop),
    Clause::new("pop_takes_the_first_record", first).ordered(),
    Clause::new("pop_may_leave_key_and_value_out", omitting),
    Clause::new("push_makes_a_key_of_the_time", keys),
    Clause::new("push_takes_the_time_of_the_server", server_time),
];

pub(super) fn popped(kit: &Kit) -> Option<(Vec<u8>, Vec<u8>)> {
    let request = PopFirstRequest { dbm_index: kit.index, ..Default::default() };
    let answer = kit.pop_first(request).expect("answered");
    match code(&answer.status) {
        Success => Some((answer.key.to_vec(), answer.value.to_vec())),
        status => {
            assert_eq!((status, answer.key, answer.value), (NotFoundError, b(""), b("")));
            None
        }
    }
}

fn push(kit: &Kit, value: &str, wtime: f64) {
    let request = PushLastRequest { dbm_index: kit.index, value: b(value), wtime, notify: false };
    assert_eq!(code(&kit.push_last(request).expect("answered").status), Success);
}

fn pop(kit: &Kit) {
    assert_eq!(popped(kit), None);
    kit.put("key", "value");
    assert_eq!(popped(kit), Some((b"key".to_vec(), b"value".to_vec())));
    assert_eq!((popped(kit), kit.counted()), (None, 0));
}

fn first(kit: &Kit) {
    for key in ["b", "", "c", "a"] {
        kit.put(key, key);
    }
    for key in ["", "a", "b", "c"] {
        assert_eq!(popped(kit), Some((key.as_bytes().to_vec(), key.as_bytes().to_vec())));
    }
    assert_eq!(popped(kit), None);
}

fn omitting(kit: &Kit) {
    for (omit_key, omit_value) in [(true, false), (false, true), (true, true)] {
        kit.put("key", "value");
        let request =
            PopFirstRequest { dbm_index: kit.index, omit_key, omit_value, retry_wait: 0.0 };
        let answer = kit.pop_first(request).expect("answered");
        assert_eq!(code(&answer.status), Success);
        assert_eq!(answer.key, b(if omit_key { "" } else { "key" }));
        assert_eq!(answer.value, b(if omit_value { "" } else { "value" }));
        assert_eq!(kit.counted(), 0);
    }
}

fn keys(kit: &Kit) {
    push(kit, "one", 0.0);
    push(kit, "two", 0.0);
    push(kit, "later", 12.5);
    push(kit, "three", 0.0);
    let expected = [(0, "one"), (1, "two"), (2, "three"), (1_250_000_000, "later")];
    let expected = expected.map(|(key, value): (u64, _)| (b(key.to_be_bytes()), b(value)));
    assert_eq!(kit.contents().into_iter().collect::<Vec<_>>(), expected);
}

fn server_time(kit: &Kit) {
    for n in 0..50 {
        push(kit, &n.to_string(), -1.0);
    }
    let keys: Vec<u64> = kit
        .contents()
        .into_keys()
        .map(|key| u64::from_be_bytes(key[..].try_into().expect("8 bytes")))
        .collect();
    assert_eq!(keys.len(), 50);
    // After 2020 and before 2100, in steps of 10 ns.
    assert!(keys.iter().all(|key| (157..411).contains(&(key / 1_000_000_000_000_000))), "{keys:?}");
}
