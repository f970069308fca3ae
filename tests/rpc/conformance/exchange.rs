//! Compare-exchange, of one record and of several.

use hozo_proto::StatusCode::{InfeasibleError, Success};
use hozo_proto::tkrzw_rpc::*;

use super::Clause;
use crate::kit::{Kit, b, code};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("compare_exchange_does_what_its_table_says", table),
    Clause::new("absent_wins_over_any_value", absent_wins),
    Clause::new("the_actual_value_only_when_asked_for", actual),
    Clause::new("compare_exchange_multi_is_all_or_nothing", all_or_nothing),
    Clause::new("compare_exchange_multi_expects_any_value", any_value),
    Clause::new("compare_exchange_multi_leaves_the_empty_key_alone", empty_key).ours(),
    Clause::new("what_is_desired_need_not_be_expected", unexpected),
];

fn request(kit: &Kit) -> CompareExchangeRequest {
    CompareExchangeRequest { dbm_index: kit.index, key: b("key"), ..Default::default() }
}

/// Every kind of expectation and of wish, over every kind of record.
fn table(kit: &Kit) {
    for before in [None, Some("one"), Some("two"), Some("")] {
        for expected in [None, Some("one"), Some(""), Some("*")] {
            for desired in [None, Some("new"), Some(""), Some("noop")] {
                let holds = match expected {
                    None => before.is_none(),
                    Some("*") => before.is_some(),
                    Some(value) => before == Some(value),
                };
                let after = match desired {
                    _ if !holds => before,
                    Some("noop") => before,
                    desired => desired,
                };
                one(kit, before, expected, desired, holds, after);
            }
        }
    }
}

fn one(
    kit: &Kit,
    before: Option<&str>,
    expected: Option<&str>,
    desired: Option<&str>,
    holds: bool,
    after: Option<&str>,
) {
    kit.clear(ClearRequest { dbm_index: kit.index }).expect("cleared");
    if let Some(value) = before {
        kit.put("key", value);
    }
    let request = CompareExchangeRequest {
        expected_existence: expected.is_some(),
        expected_value: b(expected.filter(|value| *value != "*").unwrap_or("")),
        expect_any_value: expected == Some("*"),
        desired_existence: desired.is_some(),
        desired_value: b(desired.unwrap_or("")),
        desire_no_update: desired == Some("noop"),
        get_actual: true,
        ..request(kit)
    };
    let answer = kit.compare_exchange(request.clone()).expect("answered");
    let expected = if holds { Success } else { InfeasibleError };
    assert_eq!(code(&answer.status), expected, "{before:?}: {request:?}");
    assert_eq!(answer.found, before.is_some(), "{before:?}: {request:?}");
    assert_eq!(answer.actual, b(before.unwrap_or("")), "{before:?}: {request:?}");
    assert_eq!(kit.value("key"), after.map(b), "{before:?}: {request:?}");
}

fn absent_wins(kit: &Kit) {
    let request = CompareExchangeRequest {
        expect_any_value: true,
        expected_value: b("value"),
        desired_existence: true,
        desired_value: b("new"),
        ..request(kit)
    };
    assert_eq!(code(&kit.compare_exchange(request.clone()).expect("answered").status), Success);
    let answer = kit.compare_exchange(request).expect("answered");
    assert_eq!((code(&answer.status), answer.found), (InfeasibleError, true));
    assert_eq!(kit.value("key"), Some(b("new")));
}

fn actual(kit: &Kit) {
    kit.put("key", "value");
    let request = CompareExchangeRequest {
        expected_existence: true,
        expect_any_value: true,
        desire_no_update: true,
        ..request(kit)
    };
    let answer = kit.compare_exchange(request).expect("answered");
    assert_eq!((code(&answer.status), answer.found, answer.actual), (Success, true, b("")));
}

fn state(key: &str, value: Option<&str>) -> RecordState {
    RecordState {
        existence: value.is_some(),
        key: b(key),
        value: b(value.unwrap_or("")),
        any_value: false,
    }
}

fn many(
    kit: &Kit,
    expected: Vec<RecordState>,
    desired: Vec<RecordState>,
) -> hozo_proto::StatusCode {
    let request = CompareExchangeMultiRequest { dbm_index: kit.index, expected, desired };
    code(&kit.compare_exchange_multi(request).expect("answered").status)
}

fn all_or_nothing(kit: &Kit) {
    let nobody = vec![state("a", None), state("b", None)];
    let both = vec![state("a", Some("1")), state("b", Some("2"))];
    assert_eq!(many(kit, nobody.clone(), both.clone()), Success);
    assert_eq!(many(kit, nobody.clone(), vec![state("a", Some("x"))]), InfeasibleError);
    let wrong = vec![state("a", Some("1")), state("b", Some("wrong"))];
    let other = vec![state("a", Some("x")), state("b", None), state("c", Some("x"))];
    assert_eq!(many(kit, wrong, other.clone()), InfeasibleError);
    assert_eq!(
        kit.contents().into_iter().collect::<Vec<_>>(),
        [(b("a"), b("1")), (b("b"), b("2"))]
    );
    assert_eq!(many(kit, both, other), Success);
    assert_eq!(
        kit.contents().into_iter().collect::<Vec<_>>(),
        [(b("a"), b("x")), (b("c"), b("x"))]
    );
}

fn any_value(kit: &Kit) {
    let any = RecordState { any_value: true, ..state("a", Some("")) };
    assert_eq!(many(kit, vec![any.clone()], vec![state("b", Some("new"))]), InfeasibleError);
    kit.put("a", "whatever");
    assert_eq!(many(kit, vec![any.clone()], vec![state("b", Some("new"))]), Success);
    let odd = RecordState { any_value: true, ..state("c", Some("taken as it is")) };
    assert_eq!(many(kit, vec![any], vec![odd]), Success);
    assert_eq!(kit.value("c"), Some(b("taken as it is")));
}

fn empty_key(kit: &Kit) {
    kit.put("", "stays");
    assert_eq!(many(kit, vec![state("a", None)], vec![state("a", Some("1"))]), Success);
    assert_eq!((kit.value(""), kit.value("a")), (Some(b("stays")), Some(b("1"))));
    assert_eq!(many(kit, vec![state("", Some("stays"))], vec![state("", None)]), Success);
    assert_eq!((kit.value(""), kit.counted()), (None, 1));
}

fn unexpected(kit: &Kit) {
    kit.put("old", "value");
    assert_eq!(many(kit, vec![], vec![state("old", None), state("new", Some("1"))]), Success);
    assert_eq!((kit.value("old"), kit.value("new")), (None, Some(b("1"))));
    assert_eq!(many(kit, vec![state("new", Some("1"))], vec![]), Success);
}
