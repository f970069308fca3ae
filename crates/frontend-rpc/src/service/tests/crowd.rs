//! What is done when too many answers wait for their clients.

use std::sync::atomic::{AtomicBool, Ordering};

use hozo_proto::tkrzw_rpc::stream_request::RequestOneof;

use super::*;
use crate::service::Crowd;

/// A service, and what says that it is crowded.
fn crowded() -> (Fixture, Arc<AtomicBool>) {
    let full = Arc::new(AtomicBool::new(false));
    let is_full = Arc::clone(&full);
    let crowd = Crowd::new(move || is_full.load(Ordering::SeqCst));
    (Fixture::with(Options { crowd, ..Options::default() }), full)
}

fn remove_a(get_actual: bool) -> CompareExchangeRequest {
    CompareExchangeRequest {
        key: "a".into(),
        expected_existence: true,
        expect_any_value: true,
        get_actual,
        ..Default::default()
    }
}

fn is_refused(status: &Status) -> bool {
    status.code() == tonic::Code::ResourceExhausted && status.message().contains("nothing was done")
}

#[tokio::test]
async fn what_takes_a_record_is_refused_before_it_does() {
    let (mut f, full) = crowded();
    set(&mut f.client, ORDERED, "a", "1").await;
    full.store(true, Ordering::SeqCst);
    let pop = PopFirstRequest { retry_wait: 9.0, ..Default::default() };
    assert!(is_refused(&f.client.pop_first(pop).await.expect_err("no room")));
    assert!(is_refused(&f.client.compare_exchange(remove_a(true)).await.expect_err("no room")));
    assert_eq!(get(&mut f.client, ORDERED, "a").await.as_deref(), Some("1"));
    // What answers no record needs no room.
    let done = f.client.compare_exchange(remove_a(false)).await.expect("a call").into_inner();
    assert_eq!(code(done.status), StatusCode::Success);
    set(&mut f.client, ORDERED, "b", "2").await;
    full.store(false, Ordering::SeqCst);
    let popped = f.client.pop_first(PopFirstRequest::default()).await.expect("a call");
    assert_eq!(popped.into_inner().key, "b");
}

#[tokio::test]
async fn who_waits_for_a_record_is_refused_before_it_is_taken() {
    let (mut f, full) = crowded();
    let mut client = f.client.clone();
    let pop = PopFirstRequest { retry_wait: 1e6, ..Default::default() };
    let waiting = tokio::spawn(async move { client.pop_first(pop).await });
    while f.service.0.waiting.available_permits() == f.service.0.options.waiting_max {
        tokio::task::yield_now().await;
    }
    full.store(true, Ordering::SeqCst);
    set(&mut f.client, ORDERED, "a", "1").await;
    assert!(is_refused(&waiting.await.expect("no panic").expect_err("no room")));
    assert_eq!(get(&mut f.client, ORDERED, "a").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn streams_do_only_what_has_room_for_its_answer() {
    let (mut f, full) = crowded();
    full.store(true, Ordering::SeqCst);
    let set_a = SetRequest { key: "a".into(), value: "1".into(), ..Default::default() };
    let get_a = GetRequest { key: "a".into(), ..Default::default() };
    for large in [
        RequestOneof::CompareExchangeRequest(remove_a(true)),
        RequestOneof::GetRequest(get_a.clone()),
        RequestOneof::EchoRequest(EchoRequest::default()),
    ] {
        let requests = [
            RequestOneof::SetRequest(set_a.clone()),
            RequestOneof::GetRequest(GetRequest { omit_value: true, ..get_a.clone() }),
            large,
        ];
        let requests = requests
            .map(|request| StreamRequest { request_oneof: Some(request), omit_response: false });
        let answers = f.client.stream(tokio_stream::iter(requests)).await.expect("a call");
        let mut answers = answers.into_inner();
        for _ in 0..2 {
            assert!(answers.message().await.expect("small").is_some());
        }
        assert!(is_refused(&answers.message().await.expect_err("no room")));
        assert_eq!(get(&mut f.client, ORDERED, "a").await.as_deref(), Some("1"));
    }
    let steps = [iterate_request::OpType::OpFirst, iterate_request::OpType::OpStep]
        .map(|operation| IterateRequest { operation: operation.into(), ..Default::default() });
    let answers = f.client.iterate(tokio_stream::iter(steps)).await.expect("a call");
    let mut answers = answers.into_inner();
    assert!(answers.message().await.expect("small").is_some());
    assert!(is_refused(&answers.message().await.expect_err("no room")));
}
