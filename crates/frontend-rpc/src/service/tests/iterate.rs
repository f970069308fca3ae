//! The rpc `Iterate`.

use hozo_proto::tkrzw_rpc::iterate_request::OpType;
use hozo_proto::tkrzw_rpc::iterate_request::OpType::*;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::*;

/// A conversation, one request at a time.
struct Iterator {
    dbm_index: i32,
    requests: mpsc::Sender<IterateRequest>,
    answers: Streaming<IterateResponse>,
}

impl Iterator {
    async fn new(client: &mut Client, dbm_index: i32) -> Self {
        let (requests, receiver) = mpsc::channel(1);
        let answers = client.iterate(ReceiverStream::new(receiver)).await.expect("a call");
        Iterator { dbm_index, requests, answers: answers.into_inner() }
    }

    async fn ask(&mut self, request: IterateRequest) -> IterateResponse {
        self.requests.send(request).await.expect("it listens");
        self.answers.message().await.expect("an answer").expect("an answer")
    }

    fn request(&self, operation: OpType) -> IterateRequest {
        IterateRequest {
            dbm_index: self.dbm_index,
            operation: operation.into(),
            ..Default::default()
        }
    }

    async fn code(&mut self, operation: OpType) -> StatusCode {
        code(self.ask(self.request(operation)).await.status)
    }

    async fn jump(&mut self, operation: OpType, key: &'static str, inclusive: bool) -> StatusCode {
        let request = IterateRequest {
            key: key.into(),
            jump_inclusive: inclusive,
            ..self.request(operation)
        };
        code(self.ask(request).await.status)
    }

    async fn set(&mut self, value: &'static str) -> StatusCode {
        let request = IterateRequest { value: value.into(), ..self.request(OpSet) };
        code(self.ask(request).await.status)
    }

    /// The key that it is at, if it is at one.
    async fn key(&mut self) -> Option<String> {
        let response = self.ask(self.request(OpGet)).await;
        key_of(response)
    }

    /// The keys from here to the end.
    async fn rest(&mut self) -> Vec<String> {
        let mut keys = Vec::new();
        while let Some(key) = key_of(self.ask(self.request(OpStep)).await) {
            keys.push(key);
        }
        keys
    }
}

fn key_of(response: IterateResponse) -> Option<String> {
    match code(response.status) {
        StatusCode::Success => Some(String::from_utf8_lossy(&response.key).into_owned()),
        StatusCode::NotFoundError => None,
        other => panic!("{other}"),
    }
}

async fn remove(client: &mut Client, dbm_index: i32, key: &'static str) {
    let request = RemoveRequest { dbm_index, key: key.into() };
    let response = client.remove(request).await.expect("a call").into_inner();
    assert_eq!(code(response.status), StatusCode::Success);
}

/// An iterator over `a`, `b`, `c` of an ordered DBM.
async fn over_abc(f: &mut Fixture) -> Iterator {
    for key in ["a", "b", "c"] {
        set(&mut f.client, ORDERED, key, key).await;
    }
    Iterator::new(&mut f.client, ORDERED).await
}

#[tokio::test]
async fn without_a_position_there_is_no_record() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    for operation in [OpGet, OpStep, OpRemove, OpNext, OpPrevious] {
        assert_eq!(it.code(operation).await, StatusCode::NotFoundError, "{operation:?}");
    }
    assert_eq!(it.set("v").await, StatusCode::NotFoundError);
}

#[tokio::test]
async fn nothing_is_answered_by_an_empty_message() {
    let mut f = Fixture::new();
    let mut it = Iterator::new(&mut f.client, ORDERED).await;
    assert_eq!(it.ask(it.request(OpNone)).await, IterateResponse::default());
}

#[tokio::test]
async fn next_past_the_last_is_success_once() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    assert_eq!(it.code(OpLast).await, StatusCode::Success);
    assert_eq!(it.key().await.as_deref(), Some("c"));
    assert_eq!(it.code(OpNext).await, StatusCode::Success);
    assert_eq!(it.code(OpGet).await, StatusCode::NotFoundError);
    assert_eq!(it.code(OpNext).await, StatusCode::NotFoundError);
}

#[tokio::test]
async fn previous_before_the_first_is_success_once() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    it.code(OpLast).await;
    for key in ["c", "b", "a"] {
        assert_eq!(it.key().await.as_deref(), Some(key));
        assert_eq!(it.code(OpPrevious).await, StatusCode::Success);
    }
    assert_eq!(it.code(OpGet).await, StatusCode::NotFoundError);
    assert_eq!(it.code(OpPrevious).await, StatusCode::NotFoundError);
}

#[tokio::test]
async fn there_and_back() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    it.code(OpFirst).await;
    for (operation, key) in [(OpNext, "b"), (OpNext, "c"), (OpPrevious, "b"), (OpNext, "c")] {
        assert_eq!(it.code(operation).await, StatusCode::Success);
        assert_eq!(it.key().await.as_deref(), Some(key));
    }
}

#[tokio::test]
async fn the_first_of_an_empty_dbm_is_success_and_nothing() {
    let mut f = Fixture::new();
    for (dbm, operations) in [(ORDERED, &[OpFirst, OpLast][..]), (UNORDERED, &[OpFirst])] {
        let mut it = Iterator::new(&mut f.client, dbm).await;
        for operation in operations {
            assert_eq!(it.code(*operation).await, StatusCode::Success);
            assert_eq!(it.key().await, None);
        }
    }
}

#[tokio::test]
async fn jumps_of_an_ordered_dbm() {
    let mut f = Fixture::new();
    for key in ["b", "d", "f"] {
        set(&mut f.client, ORDERED, key, key).await;
    }
    let mut it = Iterator::new(&mut f.client, ORDERED).await;
    for (operation, key, inclusive, expected) in [
        (OpJump, "b", false, Some("b")),
        (OpJump, "c", false, Some("d")),
        (OpJump, "", false, Some("b")),
        (OpJump, "g", false, None),
        (OpJumpLower, "d", false, Some("b")),
        (OpJumpLower, "d", true, Some("d")),
        (OpJumpLower, "e", false, Some("d")),
        (OpJumpLower, "b", false, None),
        (OpJumpLower, "z", false, Some("f")),
        (OpJumpUpper, "d", false, Some("f")),
        (OpJumpUpper, "d", true, Some("d")),
        (OpJumpUpper, "c", true, Some("d")),
        (OpJumpUpper, "f", false, None),
    ] {
        assert_eq!(it.jump(operation, key, inclusive).await, StatusCode::Success);
        assert_eq!(it.key().await.as_deref(), expected, "{operation:?} {key} {inclusive}");
    }
}

#[tokio::test]
async fn an_unordered_dbm_only_goes_forward_and_jumps_to_keys_that_are_there() {
    let mut f = Fixture::new();
    for n in 0..700 {
        set(&mut f.client, UNORDERED, &format!("{n}"), "").await;
    }
    let mut it = Iterator::new(&mut f.client, UNORDERED).await;
    it.code(OpFirst).await;
    let all = it.rest().await;
    assert_eq!(all.len(), 700);
    assert_eq!(it.jump(OpJump, "123", false).await, StatusCode::Success);
    let at = all.iter().position(|key| key == "123").expect("it is there");
    assert_eq!(it.rest().await, all[at..]);
    assert_eq!(it.jump(OpJump, "none", false).await, StatusCode::NotFoundError);
    assert_eq!(it.key().await, None);
    it.code(OpFirst).await;
    for operation in [OpLast, OpPrevious, OpJumpLower, OpJumpUpper] {
        assert_eq!(it.code(operation).await, StatusCode::NotImplementedError, "{operation:?}");
    }
    assert_eq!(it.key().await.as_deref(), Some(&all[0][..]), "where it was");
}

#[tokio::test]
async fn steps_get_and_go_on_to_the_end() {
    let mut f = Fixture::new();
    for n in 0..1500 {
        set(&mut f.client, ORDERED, &format!("{n:04}"), "").await;
    }
    let mut it = Iterator::new(&mut f.client, ORDERED).await;
    it.code(OpFirst).await;
    assert_eq!(it.rest().await, (0..1500).map(|n| format!("{n:04}")).collect::<Vec<_>>());
    assert_eq!(it.code(OpStep).await, StatusCode::NotFoundError);
}

#[tokio::test]
async fn key_and_value_are_left_out_on_demand() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    it.code(OpFirst).await;
    let get = it.ask(IterateRequest { omit_key: true, ..it.request(OpGet) }).await;
    assert_eq!((&get.key[..], &get.value[..]), (&b""[..], &b"a"[..]));
    let step = it.ask(IterateRequest { omit_value: true, ..it.request(OpStep) }).await;
    assert_eq!((&step.key[..], &step.value[..]), (&b"a"[..], &b""[..]));
}

#[tokio::test]
async fn set_and_remove_change_the_record_and_removing_goes_on() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    it.code(OpFirst).await;
    assert_eq!(it.set("new").await, StatusCode::Success);
    assert_eq!(get(&mut f.client, ORDERED, "a").await.as_deref(), Some("new"));
    for key in ["b", "c"] {
        assert_eq!(it.code(OpRemove).await, StatusCode::Success);
        assert_eq!(it.key().await.as_deref(), Some(key));
    }
    assert_eq!(it.code(OpRemove).await, StatusCode::Success);
    assert_eq!(it.code(OpRemove).await, StatusCode::NotFoundError);
    assert_eq!(count(&mut f.client, ORDERED).await, 0);
}

#[tokio::test]
async fn a_record_that_has_gone_is_passed_over() {
    let mut f = Fixture::new();
    for operation in [OpGet, OpStep, OpSet, OpRemove] {
        let mut it = over_abc(&mut f).await;
        it.code(OpFirst).await;
        remove(&mut f.client, ORDERED, "a").await;
        assert_eq!(it.code(operation).await, StatusCode::Success);
        let expected = if operation == OpSet { Some("") } else { Some("b") };
        let expected = expected.filter(|_| operation != OpRemove);
        assert_eq!(get(&mut f.client, ORDERED, "b").await.as_deref(), expected, "{operation:?}");
    }
}

#[tokio::test]
async fn backwards_a_record_that_has_gone_is_passed_over_backwards() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    it.jump(OpJumpLower, "c", false).await;
    remove(&mut f.client, ORDERED, "b").await;
    assert_eq!(it.key().await.as_deref(), Some("a"));
}

#[tokio::test]
async fn no_other_record_is_changed_than_the_one_that_was_shown() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    it.code(OpFirst).await;
    assert_eq!(it.key().await.as_deref(), Some("a"));
    remove(&mut f.client, ORDERED, "a").await;
    assert_eq!(it.set("x").await, StatusCode::NotFoundError);
    assert_eq!(it.code(OpRemove).await, StatusCode::NotFoundError);
    assert_eq!(get(&mut f.client, ORDERED, "b").await.as_deref(), Some("b"));
    assert_eq!(it.code(OpNext).await, StatusCode::Success);
    assert_eq!(it.key().await.as_deref(), Some("b"), "next of the one that was shown");
}

#[tokio::test]
async fn records_that_come_meanwhile_are_seen_in_their_place() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    it.code(OpFirst).await;
    set(&mut f.client, ORDERED, "aa", "").await;
    it.code(OpNext).await;
    assert_eq!(it.key().await.as_deref(), Some("aa"));
    it.code(OpPrevious).await;
    assert_eq!(it.key().await.as_deref(), Some("a"));
    assert_eq!(it.rest().await, ["a", "aa", "b", "c"]);
}

#[tokio::test]
async fn clearing_and_rebuilding_break_no_position() {
    let mut f = Fixture::new();
    for dbm_index in BOTH {
        for key in ["a", "b", "c"] {
            set(&mut f.client, dbm_index, key, key).await;
        }
        let mut it = Iterator::new(&mut f.client, dbm_index).await;
        it.code(OpFirst).await;
        let first = it.key().await.expect("a record");
        let request = RebuildRequest { dbm_index, ..Default::default() };
        f.client.rebuild(request).await.expect("a call");
        assert_eq!(it.key().await, Some(first.clone()));
        f.client.clear(ClearRequest { dbm_index }).await.expect("a call");
        set(&mut f.client, dbm_index, &first, "again").await;
        assert_eq!(it.key().await, Some(first));
        f.client.clear(ClearRequest { dbm_index }).await.expect("a call");
        assert_eq!(it.key().await, None);
    }
}

#[tokio::test]
async fn another_dbm_is_another_iterator() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    it.code(OpFirst).await;
    it.dbm_index = UNORDERED;
    assert_eq!(it.code(OpGet).await, StatusCode::NotFoundError);
    it.dbm_index = ORDERED;
    assert_eq!(it.code(OpGet).await, StatusCode::NotFoundError);
}

#[tokio::test]
async fn unknown_operations_and_dbms_end_it() {
    let mut f = Fixture::new();
    for (dbm_index, operation, message) in [
        (0, 12, "unknown operation"),
        (0, -1, "unknown operation"),
        (2, 1, "dbm_index is out of range"),
    ] {
        let mut it = Iterator::new(&mut f.client, 0).await;
        let request = IterateRequest { dbm_index, operation, ..Default::default() };
        it.requests.send(request).await.expect("it listens");
        let status = it.answers.message().await.expect_err("an error");
        assert_eq!((status.code(), status.message()), (tonic::Code::InvalidArgument, message));
    }
}

#[tokio::test]
async fn an_iterator_that_waits_ends_when_the_server_stops() {
    let mut f = Fixture::new();
    let mut it = over_abc(&mut f).await;
    it.code(OpFirst).await;
    f.service.0.options.stopping.stop();
    let status = it.answers.message().await.expect_err("it stops");
    assert_eq!(status.code(), tonic::Code::Unavailable);
}
