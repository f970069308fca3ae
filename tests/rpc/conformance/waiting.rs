//! Calls that wait for somebody else's update.

use std::time::Duration;

use hozo_proto::StatusCode::{InfeasibleError, NotFoundError, Success};
use hozo_proto::tkrzw_rpc::*;
use tonic::{Code, Request};

use super::Clause;
use crate::kit::{Kit, b, code};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("a_pop_that_waits_gets_what_is_pushed", pop_waits),
    Clause::new("a_pop_that_waits_gets_what_is_set", pop_sees_sets).ours(),
    Clause::new("an_exchange_that_waits_is_made_when_it_can_be", exchange_waits),
    Clause::new("exchanges_that_wait_for_each_other_are_all_made", exchanges_wait).ours(),
    Clause::new("waiting_ends_with_the_status_that_it_began_with", waiting_ends),
    Clause::new("a_deadline_ends_waiting", deadline),
    Clause::new("those_who_went_away_take_nothing", gone),
    Clause::new("in_a_stream_nothing_waits", not_in_streams),
];

/// Longer than anything is waited for here.
const LONG: f64 = 30.0;
const ROUNDS: u32 = 20;

fn pop(kit: &Kit, retry_wait: f64) -> PopFirstRequest {
    PopFirstRequest { dbm_index: kit.index, retry_wait, ..Default::default() }
}

fn pop_waits(kit: &Kit) {
    for n in 0..ROUNDS {
        let mut other = kit.another();
        let request = pop(kit, LONG);
        let waiting = kit.spawn(async move { other.pop_first(request).await });
        let value = b(n.to_string());
        let request = PushLastRequest {
            dbm_index: kit.index,
            value: value.clone(),
            wtime: -1.0,
            notify: true,
        };
        assert_eq!(code(&kit.push_last(request).expect("answered").status), Success);
        let answer = kit.run(waiting).expect("no panic").expect("answered").into_inner();
        assert_eq!((code(&answer.status), answer.value), (Success, value));
    }
    assert_eq!(kit.counted(), 0);
}

fn pop_sees_sets(kit: &Kit) {
    for n in 0..ROUNDS {
        let mut other = kit.another();
        let request = pop(kit, LONG);
        let waiting = kit.spawn(async move { other.pop_first(request).await });
        kit.put("key", n.to_string());
        let answer = kit.run(waiting).expect("no panic").expect("answered").into_inner();
        assert_eq!((code(&answer.status), answer.key), (Success, b("key")));
    }
}

fn exchange(kit: &Kit, from: u32, to: u32) -> CompareExchangeRequest {
    CompareExchangeRequest {
        dbm_index: kit.index,
        key: b("turn"),
        expected_existence: true,
        expected_value: b(from.to_string()),
        desired_existence: true,
        desired_value: b(to.to_string()),
        get_actual: true,
        notify: true,
        ..Default::default()
    }
}

fn exchange_waits(kit: &Kit) {
    kit.put("turn", "0");
    for n in 0..ROUNDS {
        let mut other = kit.another();
        let request =
            CompareExchangeRequest { retry_wait: LONG, ..exchange(kit, 2 * n + 1, 2 * n + 2) };
        let waiting = kit.spawn(async move { other.compare_exchange(request).await });
        let answer = kit.compare_exchange(exchange(kit, 2 * n, 2 * n + 1)).expect("answered");
        assert_eq!(code(&answer.status), Success);
        let answer = kit.run(waiting).expect("no panic").expect("answered").into_inner();
        assert_eq!((code(&answer.status), answer.found), (Success, true));
    }
}

fn exchanges_wait(kit: &Kit) {
    kit.put("turn", "0");
    // Each waits for the one before, and all are asked in the wrong order.
    let waiting: Vec<_> = (1..ROUNDS)
        .rev()
        .map(|n| {
            let mut other = kit.another();
            let request = CompareExchangeRequest { retry_wait: LONG, ..exchange(kit, n, n + 1) };
            kit.spawn(async move { other.compare_exchange(request).await })
        })
        .collect();
    let answer = kit.compare_exchange(exchange(kit, 0, 1)).expect("answered");
    assert_eq!(code(&answer.status), Success);
    for one in waiting {
        let answer = kit.run(one).expect("no panic").expect("answered").into_inner();
        assert_eq!((code(&answer.status), answer.found), (Success, true));
    }
    assert_eq!(kit.value("turn"), Some(b(ROUNDS.to_string())));
}

fn waiting_ends(kit: &Kit) {
    let answer = kit.pop_first(pop(kit, 0.05)).expect("answered");
    assert_eq!(code(&answer.status), NotFoundError);
    kit.put("turn", "other");
    let request = CompareExchangeRequest { retry_wait: 0.05, ..exchange(kit, 0, 1) };
    let answer = kit.compare_exchange(request).expect("answered");
    assert_eq!((code(&answer.status), answer.actual), (InfeasibleError, b("other")));
    for odd in [-1.0, f64::NAN, f64::NEG_INFINITY] {
        let answer = kit.pop_first(pop(kit, odd));
        // Taken for no wait, or refused; never waited for.
        if let Ok(answer) = answer
            && code(&answer.status) == Success
        {
            assert_eq!(answer.value, b("other"));
            kit.put("turn", "other");
        }
    }
}

fn deadline(kit: &Kit) {
    let mut client = kit.client();
    for retry_wait in [LONG, f64::INFINITY, f64::MAX] {
        let mut request = Request::new(pop(kit, retry_wait));
        request.set_timeout(Duration::from_millis(100));
        let error = kit.run(client.pop_first(request)).expect_err("nothing was pushed");
        // The client's own clock may be the one that rings first.
        assert!(matches!(error.code(), Code::DeadlineExceeded | Code::Cancelled), "{error:?}");
    }
}

fn gone(kit: &Kit) {
    for _ in 0..ROUNDS {
        let mut other = kit.another();
        let request = pop(kit, LONG);
        let waiting = kit.spawn(async move { other.pop_first(request).await });
        let echo = EchoRequest { message: "meanwhile".into() };
        kit.echo(echo).expect("answered");
        waiting.abort();
        assert!(kit.run(waiting).is_err_and(|e| e.is_cancelled()));
    }
    // Whoever is gone may have gone before the server knew: asked again, it does.
    kit.put("key", "value");
    let mut found = kit.value("key").is_some();
    for _ in 0..ROUNDS {
        if found {
            break;
        }
        kit.put("key", "value");
        found = kit.value("key").is_some();
    }
    assert!(found, "each of {ROUNDS} records was taken by somebody who is not there");
}

fn not_in_streams(kit: &Kit) {
    kit.put("turn", "other");
    let request = CompareExchangeRequest { retry_wait: 1e9, ..exchange(kit, 0, 1) };
    let request = stream_request::RequestOneof::CompareExchangeRequest(request);
    let request = StreamRequest { request_oneof: Some(request), omit_response: false };
    let answers = kit.stream(vec![request; 3]).expect("answered");
    assert_eq!(answers.len(), 3);
    for answer in answers {
        let Some(stream_response::ResponseOneof::CompareExchangeResponse(answer)) =
            answer.response_oneof
        else {
            panic!("not of the request's kind: {answer:?}");
        };
        assert_eq!(code(&answer.status), InfeasibleError);
    }
}
