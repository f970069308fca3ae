//! The kinds of load. Each works on keys of its own, as many at the end as at the
//! beginning, and knows what it has to be answered.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hozo_conformance::Rng;
use hozo_proto::StatusCode::{NotFoundError, Success};
use hozo_proto::tkrzw_rpc::dbm_service_client::DbmServiceClient;
use hozo_proto::tkrzw_rpc::iterate_request::OpType;
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof as Ask;
use hozo_proto::tkrzw_rpc::*;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::kit::{Client, b, channel, code};

/// Who does it, and to what.
pub(super) struct Load {
    pub(super) client: Client,
    pub(super) address: String,
    pub(super) index: i32,
    pub(super) rng: Rng,
    pub(super) ended: Arc<AtomicBool>,
}

/// Gives how often it did it.
pub(super) type Running = Pin<Box<dyn Future<Output = u64> + Send>>;

/// A kind of load, and its name.
type Kind = (&'static str, fn(Load) -> Running);

pub(super) const KINDS: [Kind; 8] = [
    ("calls", |load| Box::pin(calls(load))),
    ("streams", |load| Box::pin(streams(load))),
    ("iterators", |load| Box::pin(iterators(load))),
    ("searches", |load| Box::pin(searches(load))),
    ("large values", |load| Box::pin(large_values(load))),
    ("counts", |load| Box::pin(counts(load))),
    ("connections", |load| Box::pin(connections(load))),
    ("broken calls", |load| Box::pin(broken_calls(load))),
];

impl Load {
    fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }
}

/// Records are set, read, exchanged and removed.
async fn calls(mut load: Load) -> u64 {
    let dbm_index = load.index;
    let mut done = 0;
    while load.goes_on() {
        let key = b(format!("call {}", load.rng.below(500)));
        let value = b(vec![b'v'; load.rng.below(2000)]);
        let set = SetRequest { dbm_index, key: key.clone(), value: value.clone(), overwrite: true };
        let answer = load.client.set(set).await.expect("set").into_inner();
        assert_eq!(code(&answer.status), Success);
        let get = GetRequest { dbm_index, key: key.clone(), omit_value: false };
        assert_eq!(load.client.get(get).await.expect("read").into_inner().value, value);
        let exchange = CompareExchangeRequest {
            dbm_index,
            key: key.clone(),
            expected_existence: true,
            expected_value: value,
            desired_existence: load.rng.one_in(2),
            desired_value: b("exchanged"),
            notify: true,
            ..Default::default()
        };
        let answer = load.client.compare_exchange(exchange).await.expect("exchanged").into_inner();
        assert_eq!(code(&answer.status), Success);
        done += 3;
    }
    done
}

/// Streams of some hundred requests, one after the other.
async fn streams(mut load: Load) -> u64 {
    let dbm_index = load.index;
    let mut done = 0;
    while load.goes_on() {
        let count = 100 + load.rng.below(400);
        let requests = (0..count).map(|n| {
            let key = b(format!("stream {}", n % 300));
            let request = match n % 3 {
                0 => Ask::SetRequest(SetRequest { dbm_index, key, value: b("v"), overwrite: true }),
                1 => Ask::GetRequest(GetRequest { dbm_index, key, omit_value: false }),
                _ => Ask::RemoveRequest(RemoveRequest { dbm_index, key }),
            };
            StreamRequest { omit_response: n % 5 == 0, request_oneof: Some(request) }
        });
        let requests: Vec<StreamRequest> = requests.collect();
        let expected = requests.iter().filter(|request| !request.omit_response).count();
        let answers = load.client.stream(tokio_stream::iter(requests)).await.expect("begun");
        let mut answers = answers.into_inner();
        let mut heard = 0;
        while answers.message().await.expect("answered").is_some() {
            heard += 1;
        }
        assert_eq!(heard, expected);
        done += count as u64;
    }
    done
}

/// Through some hundred records, and sometimes gone in the middle.
async fn iterators(mut load: Load) -> u64 {
    let dbm_index = load.index;
    let step =
        |op: OpType| IterateRequest { dbm_index, operation: op.into(), ..Default::default() };
    let mut done = 0;
    while load.goes_on() {
        let mut steps = vec![step(OpType::OpFirst)];
        steps.extend((0..300).map(|_| step(OpType::OpStep)));
        let answers = load.client.iterate(tokio_stream::iter(steps)).await.expect("begun");
        let mut answers = answers.into_inner();
        let most = if load.rng.one_in(4) { 50 } else { usize::MAX };
        let mut heard = 0;
        while heard < most && answers.message().await.expect("answered").is_some() {
            heard += 1;
        }
        done += heard as u64;
    }
    done
}

async fn searches(mut load: Load) -> u64 {
    let mut done = 0;
    while load.goes_on() {
        let (mode, pattern) =
            *load.rng.pick(&[("begin", "call"), ("regex", "7+$"), ("edit", "call 77")]);
        let request = SearchRequest {
            dbm_index: load.index,
            mode: mode.into(),
            pattern: b(pattern),
            capacity: 20,
        };
        let answer = load.client.search(request).await.expect("searched").into_inner();
        assert_eq!(code(&answer.status), Success);
        done += 1;
    }
    done
}

/// A mebibyte or two, there and back.
async fn large_values(mut load: Load) -> u64 {
    let dbm_index = load.index;
    let mut done = 0;
    while load.goes_on() {
        let value = b(vec![load.rng.next() as u8; 1 + load.rng.below(2 << 20)]);
        let key = b(format!("large {}", load.rng.below(3)));
        let set = SetRequest { dbm_index, key: key.clone(), value: value.clone(), overwrite: true };
        load.client.set(set).await.expect("set");
        let get = GetRequest { dbm_index, key, omit_value: false };
        let found = load.client.get(get).await.expect("read").into_inner().value;
        assert!(found == value, "other bytes than were set");
        done += 2;
        // So that disks are not all that is measured.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    done
}

/// A counter that nobody else counts, and what the server says of itself.
async fn counts(mut load: Load) -> u64 {
    let dbm_index = load.index;
    let mut done = 0;
    while load.goes_on() {
        done += 1;
        let request = IncrementRequest { dbm_index, key: b("count"), increment: 1, initial: 0 };
        let answer = load.client.increment(request).await.expect("counted").into_inner();
        assert_eq!(answer.current, done as i64);
        if done % 50 == 0 {
            load.client.inspect(InspectRequest { dbm_index: -1 }).await.expect("told");
            load.client.count(CountRequest { dbm_index }).await.expect("counted");
        }
    }
    done
}

/// Clients that come, ask once and go; and some that talk nonsense.
async fn connections(mut load: Load) -> u64 {
    let mut done = 0;
    while load.goes_on() {
        if load.rng.one_in(3) {
            let mut socket = TcpStream::connect(&load.address).await.expect("connected");
            let mut bytes = vec![0; load.rng.below(300)];
            load.rng.fill(&mut bytes);
            // The server may have hung up already.
            drop(socket.write_all(&bytes).await);
        } else {
            let mut client = DbmServiceClient::new(channel(&load.address));
            client.echo(EchoRequest::default()).await.expect("answered");
        }
        done += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    done
}

/// Calls that wait, and whose clients go away or run out of time.
async fn broken_calls(mut load: Load) -> u64 {
    let dbm_index = load.index;
    let mut done = 0;
    while load.goes_on() {
        let request = CompareExchangeRequest {
            dbm_index,
            key: b("nobody's"),
            expected_existence: true,
            retry_wait: 30.0,
            ..Default::default()
        };
        let waiting = load.client.compare_exchange(request);
        let short = Duration::from_millis(load.rng.below(5) as u64);
        assert!(tokio::time::timeout(short, waiting).await.is_err(), "nobody made it true");
        let request = RemoveRequest { dbm_index, key: b("nobody's") };
        let answer = load.client.remove(request).await.expect("answered").into_inner();
        assert_eq!(code(&answer.status), NotFoundError);
        done += 1;
    }
    done
}
