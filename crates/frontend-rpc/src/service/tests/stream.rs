//! The rpc `Stream`.

use std::sync::atomic::Ordering;

use hozo_proto::tkrzw_rpc::stream_request::RequestOneof;
use hozo_proto::tkrzw_rpc::stream_response::ResponseOneof;
use hozo_traits::ErrorKind;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};

use super::double::{Double, served};
use super::*;

fn with_answer(request: RequestOneof) -> StreamRequest {
    StreamRequest { request_oneof: Some(request), omit_response: false }
}

fn without(request: RequestOneof) -> StreamRequest {
    StreamRequest { omit_response: true, ..with_answer(request) }
}

fn set_to(value: &'static str) -> RequestOneof {
    let (key, value) = (Bytes::from_static(b"k"), value.into());
    RequestOneof::SetRequest(SetRequest { key, value, overwrite: true, ..Default::default() })
}

fn get_k() -> RequestOneof {
    RequestOneof::GetRequest(GetRequest { key: "k".into(), ..Default::default() })
}

/// What a stream of these requests is answered, up to its end.
async fn converse(
    client: &mut Client,
    requests: impl Stream<Item = StreamRequest> + Send + 'static,
) -> (Vec<ResponseOneof>, Option<Status>) {
    let mut answers = client.stream(requests).await.expect("a call").into_inner();
    let mut got = Vec::new();
    loop {
        match answers.message().await {
            Ok(Some(answer)) => got.push(answer.response_oneof.expect("an answer")),
            Ok(None) => return (got, None),
            Err(status) => return (got, Some(status)),
        }
    }
}

fn got(response: &ResponseOneof) -> &[u8] {
    match response {
        ResponseOneof::GetResponse(response) => &response.value,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_request_is_answered_in_order_by_its_kind() {
    let mut f = Fixture::new();
    let requests = [
        RequestOneof::EchoRequest(EchoRequest { message: "hi".into() }),
        set_to("1"),
        get_k(),
        RequestOneof::AppendRequest(AppendRequest {
            key: "k".into(),
            value: "2".into(),
            ..Default::default()
        }),
        get_k(),
        RequestOneof::CompareExchangeRequest(CompareExchangeRequest {
            key: "k".into(),
            ..Default::default()
        }),
        RequestOneof::IncrementRequest(IncrementRequest {
            key: "n".into(),
            increment: 3,
            ..Default::default()
        }),
        RequestOneof::RemoveRequest(RemoveRequest { key: "k".into(), ..Default::default() }),
        get_k(),
    ];
    let (answers, end) =
        converse(&mut f.client, tokio_stream::iter(requests.map(with_answer))).await;
    assert!(end.is_none());
    assert!(matches!(&answers[0], ResponseOneof::EchoResponse(r) if r.echo == "hi"));
    assert!(
        matches!(&answers[1], ResponseOneof::SetResponse(r) if r.status == Some(StatusProto::default()))
    );
    assert_eq!((got(&answers[2]), got(&answers[4])), (&b"1"[..], &b"12"[..]));
    assert!(matches!(&answers[3], ResponseOneof::AppendResponse(_)));
    assert!(matches!(&answers[5], ResponseOneof::CompareExchangeResponse(r)
        if r.found && code(r.status.clone()) == StatusCode::InfeasibleError));
    assert!(matches!(&answers[6], ResponseOneof::IncrementResponse(r) if r.current == 3));
    assert!(matches!(&answers[7], ResponseOneof::RemoveResponse(_)));
    assert!(matches!(&answers[8], ResponseOneof::GetResponse(r)
        if code(r.status.clone()) == StatusCode::NotFoundError));
    assert_eq!(answers.len(), 9);
}

#[tokio::test]
async fn responses_are_omitted_even_those_of_reads() {
    let mut f = Fixture::new();
    // More than are done in a row.
    let mut requests: Vec<StreamRequest> = (0..1000).map(|_| without(set_to("1"))).collect();
    requests.extend([without(get_k()), without(set_to("2")), with_answer(get_k())]);
    let (answers, end) = converse(&mut f.client, tokio_stream::iter(requests)).await;
    assert!(end.is_none());
    assert_eq!(answers.iter().map(got).collect::<Vec<_>>(), [b"2"]);
}

#[tokio::test]
async fn a_request_of_nothing_ends_the_stream_after_what_came_before() {
    let mut f = Fixture::new();
    let requests = [with_answer(set_to("1")), StreamRequest::default(), with_answer(set_to("2"))];
    let (answers, end) = converse(&mut f.client, tokio_stream::iter(requests)).await;
    assert_eq!(answers.len(), 1);
    let end = end.expect("an error");
    assert_eq!((end.code(), end.message()), (tonic::Code::InvalidArgument, "unknow request"));
    assert_eq!(get(&mut f.client, ORDERED, "k").await.as_deref(), Some("1"));
    let request = RequestOneof::GetRequest(GetRequest { dbm_index: 7, ..Default::default() });
    let (_, end) = converse(&mut f.client, tokio_stream::iter([with_answer(request)])).await;
    assert_eq!(end.expect("an error").message(), "dbm_index is out of range");
}

#[tokio::test(start_paused = true)]
async fn waiting_is_ignored() {
    let mut f = Fixture::new();
    let begun = tokio::time::Instant::now();
    let request = RequestOneof::CompareExchangeRequest(CompareExchangeRequest {
        expected_existence: true,
        retry_wait: 100.0,
        ..Default::default()
    });
    let (answers, _) = converse(&mut f.client, tokio_stream::iter([with_answer(request)])).await;
    assert!(matches!(&answers[0], ResponseOneof::CompareExchangeResponse(r)
        if code(r.status.clone()) == StatusCode::InfeasibleError));
    assert_eq!(begun.elapsed(), std::time::Duration::ZERO);
}

#[tokio::test]
async fn answers_do_not_wait_for_further_requests() {
    let mut f = Fixture::new();
    let (sender, receiver) = mpsc::channel(1);
    let answers = f.client.stream(ReceiverStream::new(receiver)).await.expect("a call");
    let mut answers = answers.into_inner();
    assert_eq!(f.service.active_calls(), 1);
    for value in ["1", "2"] {
        sender.send(with_answer(set_to(value))).await.expect("it listens");
        answers.message().await.expect("an answer").expect("an answer");
    }
    drop(sender);
    assert!(answers.message().await.expect("the end").is_none());
    drop(answers);
    assert_eq!(f.service.active_calls(), 0);
}

#[tokio::test]
async fn what_was_received_is_answered_when_the_server_stops() {
    let mut f = Fixture::new();
    let (sender, receiver) = mpsc::channel(10);
    let answers = f.client.stream(ReceiverStream::new(receiver)).await.expect("a call");
    let mut answers = answers.into_inner();
    for value in ["1", "2", "3"] {
        sender.send(with_answer(set_to(value))).await.expect("it listens");
    }
    f.service.0.options.stopping.stop();
    for _ in 0..3 {
        answers.message().await.expect("an answer").expect("an answer");
    }
    let status = answers.message().await.expect_err("it stops");
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert_eq!(status.message(), "the server is stopping");
}

#[tokio::test]
async fn a_stream_that_waits_is_woken_when_the_server_stops() {
    let mut f = Fixture::new();
    let (sender, receiver) = mpsc::channel::<StreamRequest>(1);
    let answers = f.client.stream(ReceiverStream::new(receiver)).await.expect("a call");
    let mut answers = answers.into_inner();
    let waiting = tokio::spawn(async move { answers.message().await });
    // It waits for the next request now, more than once in the same task.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    f.service.0.options.stopping.stop();
    let status = waiting.await.expect("it ends").expect_err("it stops");
    assert_eq!(status.code(), tonic::Code::Unavailable);
    drop(sender);
}

#[tokio::test]
async fn durable_updates_that_arrive_together_are_synchronised_once_and_then_answered() {
    let double = Double::new();
    let (_, mut client) = served(&double, Durability::Durable);
    let requests = [set_to("1"), get_k(), set_to("2"), get_k()].map(with_answer);
    let (answers, end) = converse(&mut client, tokio_stream::iter(requests)).await;
    assert!(end.is_none());
    assert_eq!((got(&answers[1]), got(&answers[3])), (&b"1"[..], &b"2"[..]));
    assert_eq!(double.synchronised.load(Ordering::SeqCst), 1);
    assert_eq!(double.durable.load(Ordering::SeqCst), 0);
    // As much as is held back at most, and then the next.
    let requests = (0..1025).map(|_| without(set_to("3")));
    let (answers, _) = converse(&mut client, tokio_stream::iter(requests)).await;
    assert!(answers.is_empty());
    assert_eq!(double.synchronised.load(Ordering::SeqCst), 3);
    let (_, end) = converse(
        &mut client,
        tokio_stream::iter([with_answer(set_to("4")), StreamRequest::default()]),
    )
    .await;
    assert!(end.is_some());
    assert_eq!(double.synchronised.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn sequenced_updates_are_not_synchronised() {
    let double = Double::new();
    let (_, mut client) = served(&double, Durability::Sequenced);
    converse(&mut client, tokio_stream::iter([with_answer(set_to("1"))])).await;
    assert_eq!(double.synchronised.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_changes_nothing_is_not_synchronised() {
    let exchange = RequestOneof::CompareExchangeRequest;
    let of_x = || CompareExchangeRequest { key: "x".into(), ..Default::default() };
    for (request, changes) in [
        (RequestOneof::SetRequest(SetRequest { key: "k".into(), ..Default::default() }), false),
        (
            RequestOneof::RemoveRequest(RemoveRequest { key: "x".into(), ..Default::default() }),
            false,
        ),
        (exchange(of_x()), false),
        (exchange(CompareExchangeRequest { expected_existence: true, ..of_x() }), false),
        (
            exchange(CompareExchangeRequest {
                desire_no_update: true,
                desired_existence: true,
                ..of_x()
            }),
            false,
        ),
        (exchange(CompareExchangeRequest { desired_existence: true, ..of_x() }), true),
        (
            RequestOneof::IncrementRequest(IncrementRequest {
                increment: i64::MIN,
                ..Default::default()
            }),
            false,
        ),
        (RequestOneof::IncrementRequest(IncrementRequest::default()), true),
        (RequestOneof::AppendRequest(AppendRequest::default()), true),
        (
            RequestOneof::RemoveRequest(RemoveRequest { key: "k".into(), ..Default::default() }),
            true,
        ),
        (set_to("2"), true),
    ] {
        let double = Double::new();
        let (_, mut client) = served(&double, Durability::Durable);
        set(&mut client, 0, "k", "1").await;
        let what = format!("{request:?}");
        let (answers, _) = converse(&mut client, tokio_stream::iter([with_answer(request)])).await;
        assert_eq!(answers.len(), 1);
        assert_eq!(double.synchronised.load(Ordering::SeqCst), usize::from(changes), "{what}");
    }
}

#[tokio::test]
async fn an_update_that_does_not_reach_stable_storage_is_a_failure() {
    let double = Double::new();
    let (service, mut client) = served(&double, Durability::Durable);
    double.only_synchronise.store(true, Ordering::SeqCst);
    double.fail(Some(ErrorKind::Unavailable));
    let requests = [set_to("1"), get_k()].map(with_answer);
    let (answers, end) = converse(&mut client, tokio_stream::iter(requests)).await;
    assert!(end.is_none());
    assert!(matches!(&answers[0], ResponseOneof::SetResponse(r)
        if code(r.status.clone()) == StatusCode::SystemError));
    assert_eq!(got(&answers[1]), b"1", "reading did not fail");
    assert_eq!(*service.health().borrow(), [false]);
}

#[tokio::test]
async fn answers_of_requests_that_arrived_together_go_out_together() {
    let f = Fixture::new();
    let mut body = Vec::new();
    for value in ["1", "2", "3"] {
        let message = prost::Message::encode_to_vec(&with_answer(set_to(value)));
        body.push(0);
        body.extend_from_slice(&u32::try_from(message.len()).expect("short").to_be_bytes());
        body.extend_from_slice(&message);
    }
    let request = http::Request::post("/tkrzw_rpc.DBMService/Stream")
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::new(Whole(Some(body.into()))))
        .expect("a request");
    let server = DbmServiceServer::with_interceptor(f.service.clone(), Allow(Some(Access::Full)));
    let mut server = server;
    let response = tonic::codegen::Service::call(&mut server, request).await.expect("an answer");
    let mut frames = Vec::new();
    let mut body = response.into_body();
    while let Some(frame) = std::future::poll_fn(|context| {
        http_body::Body::poll_frame(std::pin::Pin::new(&mut body), context)
    })
    .await
    {
        frames.push(frame.expect("a frame").into_data().map_or(0, |data| data.len()));
    }
    // Three answers of 9 bytes, then the trailers.
    assert_eq!(frames, [27, 0]);
}

/// A body in one piece.
struct Whole(Option<Bytes>);

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.take().map(|data| Ok(http_body::Frame::data(data))))
    }
}

/// Never waits for its requests.
#[tokio::test]
async fn answers_end_with_the_requests_of_a_stream_that_is_given_at_once() {
    let mut f = Fixture::new();
    let requests = tokio_stream::iter(0..10_000).map(|_| with_answer(get_k()));
    let (answers, end) = converse(&mut f.client, requests).await;
    assert!(end.is_none());
    assert_eq!(answers.len(), 10_000);
}
