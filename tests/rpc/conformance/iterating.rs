//! Iterate.

use hozo_proto::StatusCode::{self, NotFoundError, NotImplementedError, Success};
use hozo_proto::tkrzw_rpc::iterate_request::OpType::{self, *};
use hozo_proto::tkrzw_rpc::*;
use tonic::Code;

use super::Clause;
use crate::kit::{Kit, b, code};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("an_iterator_meets_each_record_once", each_once),
    Clause::new("an_iterator_without_a_place_has_no_record", no_place),
    Clause::new("past_the_last_record_is_no_error_at_first", past_the_end),
    Clause::new("doing_nothing_answers_nothing", none),
    Clause::new("an_iterator_sets_and_removes", updates),
    Clause::new("step_is_get_and_next", step),
    Clause::new("get_and_step_may_leave_things_out", omitting),
    Clause::new("a_jump_finds_an_exact_key", jump_exact),
    Clause::new("jumps_and_backwards_in_order", in_order).ordered(),
    Clause::new("jumps_beyond_the_ends", beyond).ordered(),
    Clause::new("without_order_only_forward", unordered).unordered(),
    Clause::new("an_unknown_operation_is_an_error", unknown),
    Clause::new("a_wrong_index_ends_an_iterator", out_of_range).ours(),
    Clause::new("a_cleared_dbm_has_no_records", cleared),
    Clause::new("records_that_stay_are_met_while_others_change", under_change),
];

type Seen = (StatusCode, String, String);

fn run(kit: &Kit, steps: Vec<IterateRequest>) -> Vec<Seen> {
    let text = |bytes: &bytes::Bytes| String::from_utf8(bytes.to_vec()).expect("text");
    let seen =
        |answer: &IterateResponse| (code(&answer.status), text(&answer.key), text(&answer.value));
    kit.iterate(steps).expect("answered").iter().map(seen).collect()
}

fn did(status: StatusCode) -> Seen {
    (status, String::new(), String::new())
}

fn saw(key: &str, value: &str) -> Seen {
    (Success, key.into(), value.into())
}

fn fill(kit: &Kit, keys: &[&str]) {
    keys.iter().for_each(|key| kit.put(key, key.to_uppercase()));
}

fn each_once(kit: &Kit) {
    assert_eq!(kit.listed(), []);
    for n in 0..1000 {
        kit.put(format!("{n:04}"), n.to_string());
    }
    let listed = kit.listed();
    assert!(!kit.ordered || listed.is_sorted());
    let expected = (0..1000).map(|n| (b(format!("{n:04}")), b(n.to_string())));
    assert!(kit.contents().into_iter().eq(expected));
}

fn no_place(kit: &Kit) {
    fill(kit, &["a"]);
    for operation in [OpGet, OpSet, OpRemove, OpStep, OpNext] {
        assert_eq!(run(kit, vec![kit.step(operation)]), [did(NotFoundError)], "{operation:?}");
    }
    assert_eq!(kit.counted(), 1);
}

fn past_the_end(kit: &Kit) {
    fill(kit, &["a"]);
    let steps = [OpFirst, OpNext, OpGet, OpNext, OpFirst, OpGet].map(|op| kit.step(op)).to_vec();
    let (yes, no) = (did(Success), did(NotFoundError));
    assert_eq!(run(kit, steps), [yes.clone(), yes.clone(), no.clone(), no, yes, saw("a", "A")]);
}

fn none(kit: &Kit) {
    fill(kit, &["a"]);
    let steps = [OpNone, OpFirst, OpNone, OpGet].map(|op| kit.step(op)).to_vec();
    let answers = kit.iterate(steps).expect("answered");
    assert_eq!(answers[0], IterateResponse::default());
    assert_eq!(answers[2], IterateResponse::default());
    assert_eq!(answers[3].key, b("a"));
}

fn updates(kit: &Kit) {
    fill(kit, &["a", "b", "c"]);
    let set = IterateRequest { value: b("new"), ..kit.step(OpSet) };
    let mut steps = vec![kit.step(OpFirst), set.clone(), kit.step(OpGet), kit.step(OpNext)];
    steps.extend([OpRemove, OpGet].map(|op| kit.step(op)));
    let seen = run(kit, steps);
    let order: Vec<String> = {
        let mut keys: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        keys.retain(|key| *key == seen[2].1 || *key == seen[5].1);
        keys
    };
    assert_eq!(order.len(), 2, "set one, remove another, see the third: {seen:?}");
    assert_eq!(seen[2].2, "new");
    assert!(seen.iter().all(|(status, ..)| *status == Success), "{seen:?}");
    let contents = kit.contents();
    assert_eq!(contents.len(), 2);
    assert_eq!(contents[seen[2].1.as_bytes()], b("new"));
    assert_eq!(contents[seen[5].1.as_bytes()], b(seen[5].1.to_uppercase()));
    // All of them, one after the other.
    let steps = [OpFirst, OpRemove, OpRemove, OpRemove].map(|op| kit.step(op)).to_vec();
    let seen = run(kit, steps);
    assert_eq!(seen[1..], [did(Success), did(Success), did(NotFoundError)]);
    assert_eq!(kit.counted(), 0);
    assert_eq!(run(kit, vec![kit.step(OpFirst), set])[1], did(NotFoundError));
}

fn step(kit: &Kit) {
    fill(kit, &["a", "b"]);
    let steps = [OpFirst, OpStep, OpStep, OpStep, OpStep].map(|op| kit.step(op)).to_vec();
    let seen = run(kit, steps);
    let mut found = seen[1..3].to_vec();
    found.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(found, [saw("a", "A"), saw("b", "B")]);
    assert_eq!(seen[3..], [did(NotFoundError), did(NotFoundError)]);
}

fn omitting(kit: &Kit) {
    fill(kit, &["a"]);
    for operation in [OpGet, OpStep] {
        for (omit_key, omit_value) in [(true, false), (false, true), (true, true)] {
            let ask = IterateRequest { omit_key, omit_value, ..kit.step(operation) };
            let seen = run(kit, vec![kit.step(OpFirst), ask]).pop().expect("two");
            let expected = saw(if omit_key { "" } else { "a" }, if omit_value { "" } else { "A" });
            assert_eq!(seen, expected, "{operation:?}");
        }
    }
}

fn jump_exact(kit: &Kit) {
    fill(kit, &["a", "", "c"]);
    for key in ["c", "", "a"] {
        let steps = vec![kit.jump(OpJump, key, false), kit.step(OpGet)];
        assert_eq!(run(kit, steps), [did(Success), saw(key, &key.to_uppercase())]);
    }
}

/// Where a jump leads: the record there, and what the next one is.
fn jumped(kit: &Kit, jump: IterateRequest, then: OpType) -> (Option<String>, Option<String>) {
    let steps = vec![jump, kit.step(OpGet), kit.step(then), kit.step(OpGet)];
    let seen = run(kit, steps);
    let key = |seen: &Seen| (seen.0 == Success).then(|| seen.1.clone());
    (key(&seen[1]), key(&seen[3]))
}

fn in_order(kit: &Kit) {
    fill(kit, &["a", "c", "e"]);
    let some = |key: &str| Some(key.to_owned());
    let jump = |op, key, inclusive| jumped(kit, kit.jump(op, key, inclusive), OpNext);
    assert_eq!(jump(OpJump, "c", false), (some("c"), some("e")));
    assert_eq!(jump(OpJump, "b", false), (some("c"), some("e")));
    assert_eq!(jump(OpJumpLower, "c", false), (some("a"), some("c")));
    assert_eq!(jump(OpJumpLower, "c", true), (some("c"), some("e")));
    assert_eq!(jump(OpJumpLower, "d", false), (some("c"), some("e")));
    assert_eq!(jump(OpJumpUpper, "c", false), (some("e"), None));
    assert_eq!(jump(OpJumpUpper, "c", true), (some("c"), some("e")));
    assert_eq!(jump(OpJumpUpper, "b", false), (some("c"), some("e")));
    let back = jumped(kit, kit.step(OpLast), OpPrevious);
    assert_eq!(back, (some("e"), some("c")));
    let back = jumped(kit, kit.jump(OpJump, "c", false), OpPrevious);
    assert_eq!(back, (some("c"), some("a")));
    let back = jumped(kit, kit.step(OpFirst), OpPrevious);
    assert_eq!(back, (some("a"), None));
}

fn beyond(kit: &Kit) {
    fill(kit, &["b", "d"]);
    let jump = |op, key, inclusive| jumped(kit, kit.jump(op, key, inclusive), OpNone).0;
    assert_eq!(jump(OpJump, "e", false), None);
    assert_eq!(jump(OpJumpUpper, "d", false), None);
    assert_eq!(jump(OpJumpUpper, "e", true), None);
    assert_eq!(jump(OpJumpLower, "b", false), None);
    assert_eq!(jump(OpJumpLower, "a", true), None);
    assert_eq!(jump(OpJumpLower, "z", false), Some("d".into()));
    assert_eq!(jump(OpJumpUpper, "", true), Some("b".into()));
    kit.clear(ClearRequest { dbm_index: kit.index }).expect("cleared");
    for operation in [OpFirst, OpLast] {
        assert_eq!(jumped(kit, kit.step(operation), OpNext).0, None);
    }
}

fn unordered(kit: &Kit) {
    fill(kit, &["a", "c"]);
    for operation in [OpLast, OpPrevious, OpJumpLower, OpJumpUpper] {
        let steps = vec![kit.step(OpFirst), kit.jump(operation, "b", true)];
        assert_eq!(run(kit, steps)[1], did(NotImplementedError), "{operation:?}");
    }
    assert_eq!(run(kit, vec![kit.jump(OpJump, "b", true)]), [did(NotFoundError)]);
}

fn unknown(kit: &Kit) {
    for operation in [12, -1, i32::MAX] {
        let request = IterateRequest { operation, ..kit.step(OpNone) };
        let error = kit.iterate(vec![request]).expect_err("there is no such operation");
        assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "unknown operation"));
    }
}

fn out_of_range(kit: &Kit) {
    for dbm_index in [-1, 10_000, i32::MIN] {
        let request = IterateRequest { dbm_index, ..kit.step(OpFirst) };
        let error = kit.iterate(vec![request]).expect_err("there is no such DBM");
        assert_eq!(error.message(), "dbm_index is out of range");
        assert_eq!(error.code(), Code::InvalidArgument);
    }
}

fn cleared(kit: &Kit) {
    fill(kit, &["a", "b", "c"]);
    let mut other = kit.another();
    let index = kit.index;
    let first = kit.step(OpFirst);
    let get = kit.step(OpGet);
    let mut client = kit.client();
    let seen = kit.run(async move {
        let (send, requests) = tokio::sync::mpsc::channel(4);
        send.send(first).await.expect("open");
        let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
        let mut answers = client.iterate(requests).await.expect("begun").into_inner();
        answers.message().await.expect("answered");
        other.clear(ClearRequest { dbm_index: index }).await.expect("cleared");
        send.send(get).await.expect("open");
        answers.message().await.expect("answered").expect("an answer")
    });
    assert_eq!(code(&seen.status), NotFoundError);
}

fn under_change(kit: &Kit) {
    for n in 0..400 {
        kit.put(format!("{n:03}"), "stays");
    }
    let (index, mut other) = (kit.index, kit.another());
    let changing = kit.spawn(async move {
        for n in 0..400 {
            let key = b(format!("{:03}+", (n * 37) % 400));
            let set =
                SetRequest { dbm_index: index, key: key.clone(), value: b("new"), overwrite: true };
            other.set(set).await.expect("set");
            if n % 3 == 0 {
                other.remove(RemoveRequest { dbm_index: index, key }).await.expect("removed");
            }
        }
    });
    for _ in 0..3 {
        let mut steps = vec![kit.step(OpFirst)];
        steps.extend((0..801).map(|_| kit.step(OpStep)));
        let answers = kit.iterate(steps).expect("iterated");
        let keys = answers.iter().filter(|answer| answer.value == "stays").map(|a| a.key.clone());
        let mut keys: Vec<_> = keys.collect();
        assert!(!kit.ordered || keys.is_sorted());
        keys.sort();
        assert!(keys.into_iter().eq((0..400).map(|n| b(format!("{n:03}")))), "each once");
    }
    kit.run(changing).expect("no panic");
}
