//! Increment.

use hozo_proto::StatusCode::Success;
use hozo_proto::tkrzw_rpc::*;

use super::Clause;
use crate::kit::{Kit, b, code};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("increment_starts_and_counts", counts),
    Clause::new("increment_wraps", wraps),
    Clause::new("the_least_increment_only_reads", only_reads),
    Clause::new("other_values_are_read_as_numbers", other_values),
];

fn increment(kit: &Kit, increment: i64, initial: i64) -> i64 {
    let key = b("number");
    let request = IncrementRequest { dbm_index: kit.index, key, increment, initial };
    let answer = kit.increment(request).expect("answered");
    assert_eq!(code(&answer.status), Success);
    answer.current
}

fn counts(kit: &Kit) {
    assert_eq!(increment(kit, 5, 100), 105);
    assert_eq!(kit.value("number"), Some(b(105_i64.to_be_bytes())));
    assert_eq!(increment(kit, -200, 7), -95);
    assert_eq!(increment(kit, 0, 7), -95);
    assert_eq!(kit.value("number"), Some(b((-95_i64).to_be_bytes())));
}

fn wraps(kit: &Kit) {
    kit.put("number", i64::MAX.to_be_bytes());
    assert_eq!(increment(kit, 1, 0), i64::MIN);
    assert_eq!(increment(kit, -1, 0), i64::MAX);
    kit.put("number", (-2_i64).to_be_bytes());
    assert_eq!(increment(kit, i64::MIN + 1, 0), i64::MAX);
}

fn only_reads(kit: &Kit) {
    assert_eq!(increment(kit, i64::MIN, 42), 42);
    assert_eq!((kit.value("number"), kit.counted()), (None, 0));
    kit.put("number", 7_i64.to_be_bytes());
    assert_eq!(increment(kit, i64::MIN, 42), 7);
}

fn other_values(kit: &Kit) {
    for (value, number) in
        [("4", 0x34), ("", 0), ("ab", 0x6162), ("0123456789", 0x3031_3233_3435_3637)]
    {
        kit.put("number", value);
        assert_eq!(increment(kit, i64::MIN, 1), number, "{value:?}");
        assert_eq!(kit.value("number"), Some(b(value)));
        assert_eq!(increment(kit, 1, 1), number + 1, "{value:?}");
        assert_eq!(kit.value("number"), Some(b((number + 1).to_be_bytes())));
    }
}
