//! What clients send: messages by themselves, and the bodies of calls.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hozo::rpc::service::{Access, Options, Service};
use hozo::traits::{Dbm, Durability, Parts, SystemAmbient};
use hozo::{Plan, Registry, Stack};
use hozo_proto::tkrzw_rpc::dbm_service_server::DbmServiceServer;
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof as Ask;
use hozo_proto::tkrzw_rpc::*;
use http_body::{Body, Frame};
use prost::Message;
use tokio::runtime::{Builder, Runtime};
use tonic::codegen::Service as _;

/// The first byte says which rpc.
const RPCS: [&str; 28] = [
    "Echo",
    "Inspect",
    "Get",
    "GetMulti",
    "Set",
    "SetMulti",
    "Remove",
    "RemoveMulti",
    "Append",
    "AppendMulti",
    "CompareExchange",
    "Increment",
    "CompareExchangeMulti",
    "Rekey",
    "PopFirst",
    "PushLast",
    "Count",
    "GetFileSize",
    "Clear",
    "Rebuild",
    "ShouldBeRebuilt",
    "Synchronize",
    "Search",
    "ChangeMaster",
    "Stream",
    "Iterate",
    "Replicate",
    "Nothing",
];

/// What a call may take: what asks to wait is not waited for.
const PATIENCE: Duration = Duration::from_millis(20);
/// Answers of one call that are looked at.
const ANSWERS_MAX: usize = 1000;

/// Every decoder with the same bytes; what one takes means the same when it is
/// written and read again.
pub(super) fn messages(bytes: &[u8]) {
    fn one<M: Message + Default>(bytes: &[u8]) {
        let Ok(message) = M::decode(bytes) else { return };
        // By bytes: a number that is none is not equal to itself.
        let encoded = message.encode_to_vec();
        let again = M::decode(&encoded[..]).expect("what it writes it reads");
        assert_eq!(again.encode_to_vec(), encoded);
    }
    macro_rules! each {
        ($($message:ident)*) => { $(one::<$message>(bytes);)* };
    }
    each! {
        EchoRequest InspectRequest GetRequest GetMultiRequest SetRequest SetMultiRequest
        RemoveRequest RemoveMultiRequest AppendRequest AppendMultiRequest CompareExchangeRequest
        IncrementRequest CompareExchangeMultiRequest RekeyRequest PopFirstRequest PushLastRequest
        CountRequest GetFileSizeRequest ClearRequest RebuildRequest ShouldBeRebuiltRequest
        SynchronizeRequest SearchRequest StreamRequest IterateRequest ReplicateRequest
        ChangeMasterRequest
    }
    // What a client reads.
    each! {
        EchoResponse InspectResponse GetResponse GetMultiResponse CompareExchangeResponse
        IncrementResponse PopFirstResponse SearchResponse StreamResponse IterateResponse
        ReplicateResponse
    }
}

/// Requests that make sense, each with the rpc that takes it.
fn sensible() -> Vec<(&'static str, Vec<u8>)> {
    let key = || Bytes::from_static(b"key");
    let record = || BytesPair { first: key(), second: key() };
    let state = |existence| RecordState { existence, key: key(), value: key(), any_value: false };
    let set = SetRequest { dbm_index: 0, key: key(), value: key(), overwrite: true };
    let exchange = CompareExchangeRequest {
        key: key(),
        expected_existence: true,
        expect_any_value: true,
        desired_existence: true,
        desired_value: key(),
        get_actual: true,
        notify: true,
        retry_wait: 0.001,
        ..Default::default()
    };
    let ask =
        |ask| StreamRequest { omit_response: false, request_oneof: Some(ask) }.encode_to_vec();
    let step = |operation| IterateRequest { operation, key: key(), ..Default::default() };
    let increment = IncrementRequest { key: key(), increment: -5, initial: 7, dbm_index: 1 };
    let mut all = vec![
        ("Echo", EchoRequest { message: "hello".into() }.encode_to_vec()),
        ("Inspect", InspectRequest { dbm_index: -1 }.encode_to_vec()),
        ("GetMulti", GetMultiRequest { keys: vec![key(); 3], dbm_index: 1 }.encode_to_vec()),
        ("Set", set.encode_to_vec()),
        (
            "SetMulti",
            SetMultiRequest { records: vec![record(); 2], ..Default::default() }.encode_to_vec(),
        ),
        ("CompareExchange", exchange.encode_to_vec()),
        ("Increment", increment.encode_to_vec()),
        (
            "CompareExchangeMulti",
            CompareExchangeMultiRequest {
                dbm_index: 0,
                expected: vec![state(true), state(false)],
                desired: vec![state(true)],
            }
            .encode_to_vec(),
        ),
        ("PopFirst", PopFirstRequest { retry_wait: 0.001, ..Default::default() }.encode_to_vec()),
        (
            "PushLast",
            PushLastRequest { wtime: -1.0, value: key(), ..Default::default() }.encode_to_vec(),
        ),
        (
            "Rekey",
            RekeyRequest { old_key: key(), new_key: key(), ..Default::default() }.encode_to_vec(),
        ),
        ("Stream", ask(Ask::SetRequest(set))),
        ("Stream", ask(Ask::CompareExchangeRequest(exchange))),
        ("Stream", ask(Ask::IncrementRequest(increment))),
        (
            "Replicate",
            ReplicateRequest { min_timestamp: 1, server_id: 2, wait_time: 0.5 }.encode_to_vec(),
        ),
    ];
    all.extend((0..13).map(|operation| ("Iterate", step(operation).encode_to_vec())));
    for mode in ["begin", "regex", "edit", "contain*", "upper"] {
        let request =
            SearchRequest { mode: mode.into(), pattern: key(), capacity: 3, dbm_index: 0 };
        all.push(("Search", request.encode_to_vec()));
    }
    let params = vec![StringPair { first: "num_buckets".into(), second: "7".into() }];
    all.push(("Rebuild", RebuildRequest { dbm_index: 0, params: params.clone() }.encode_to_vec()));
    all.push((
        "Synchronize",
        SynchronizeRequest { dbm_index: 0, hard: true, params }.encode_to_vec(),
    ));
    all
}

pub(super) fn message_seeds() -> Vec<Vec<u8>> {
    sensible().into_iter().map(|(_, bytes)| bytes).collect()
}

pub(super) fn request_seeds() -> Vec<Vec<u8>> {
    let seed = |(rpc, bytes): (&str, Vec<u8>)| {
        let place = RPCS.iter().position(|known| *known == rpc).expect("it is one of them");
        let length = u8::try_from(bytes.len()).expect("short");
        // Twice the same, as messages; then as a body of whatever bytes.
        let framed = [&[place as u8 * 2, length][..], &bytes, &[length], &bytes].concat();
        let raw = [&[place as u8 * 2 + 1, 0, 0, 0, 0, length][..], &bytes].concat();
        [framed, raw]
    };
    sensible().into_iter().flat_map(seed).collect()
}

/// A call of the service over two DBMs in memory. The first byte says which, and
/// whether the rest is the body or messages that are put into one, each after a
/// byte with its length.
pub(super) fn requests(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let rpc = RPCS[usize::from(first / 2) % RPCS.len()];
    let body = if first % 2 == 0 { framed(rest) } else { rest.to_vec() };
    RUNTIME.with(|runtime| runtime.block_on(call(rpc, body.into())));
}

fn framed(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (message, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        body.push(0);
        body.extend(u32::try_from(message.len()).expect("short").to_be_bytes());
        body.extend(message);
        bytes = rest;
    }
    body
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
}

fn service() -> DbmServiceServer<Service> {
    let text = "[store.main]\nbackend = \"memory\"\n[[dbm]]\nname = \"a\"\n[[dbm]]\nname = \"b\"\n";
    let plan = Plan::from_text("fuzz.toml", text, "/nonexistent", &Registry::builtin());
    let stack = Stack::open(plan.expect("it is right"));
    let dbm = |name: &str| Dbm {
        name: name.to_owned(),
        store: "main".to_owned(),
        records: stack.records("main", name).expect("memory opens"),
        durability: Durability::Sequenced,
        path: None,
    };
    let parts = Parts {
        dbms: vec![dbm("a"), dbm("b")],
        replication: None,
        ambient: Arc::new(SystemAmbient),
    };
    DbmServiceServer::new(Service::new(parts, Options::default()))
}

async fn call(rpc: &str, body: Bytes) {
    let mut service = service();
    let request = http::Request::post(format!("/tkrzw_rpc.DBMService/{rpc}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .extension(Access::Full);
    let request = request.body(Once(Some(body))).expect("a request");
    let answering = async {
        let Ok(answer) = service.call(request).await;
        let mut body = answer.into_body();
        for _ in 0..ANSWERS_MAX {
            let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            if frame.await.is_none() {
                return;
            }
        }
    };
    // What asks to wait for long is left waiting.
    let _late = tokio::time::timeout(PATIENCE, answering).await;
}

/// A body that has all its bytes.
struct Once(Option<Bytes>);

impl Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}
