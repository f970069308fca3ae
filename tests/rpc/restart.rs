//! What is there after a server has ended, in good order or not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hozo_conformance::Rng;
use hozo_proto::StatusCode::Success;
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof as Ask;
use hozo_proto::tkrzw_rpc::*;
use hozo_tests::Scratch;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;

use crate::kit::{Client, Kit, b, code};
use crate::server::{Dbm, Server, backends};

/// Rounds of kill -9 with each backend; `HOZO_CRASH_ROUNDS` asks for more.
const ROUNDS: usize = 3;
/// Clients that write while the blow falls.
const WRITERS: usize = 4;

fn rounds() -> usize {
    std::env::var("HOZO_CRASH_ROUNDS").map_or(ROUNDS, |n| {
        n.parse().unwrap_or_else(|e| panic!("HOZO_CRASH_ROUNDS is a number of rounds: {n:?}: {e}"))
    })
}

/// After SIGTERM all DBMs have what they had, each at its index.
pub(crate) fn in_good_order(seed: u64) {
    let scratch = Scratch::empty();
    let lasting = backends().into_iter().filter(|backend| *backend != "memory");
    let names: Vec<(String, &str)> = lasting
        .flat_map(|backend| ["one", "two"].map(|which| (format!("{which}-{backend}"), backend)))
        .collect();
    let dbms: Vec<Dbm<'_>> =
        names.iter().map(|(name, backend)| Dbm { name, backend, more: "" }).collect();
    let mut rng = Rng::new(seed);
    let mut expected: Vec<BTreeMap<Bytes, Bytes>> = vec![BTreeMap::new(); dbms.len()];
    for round in 0..3 {
        let server = Server::over(&scratch, &dbms, "");
        for (index, expected) in expected.iter_mut().enumerate() {
            let kit = Kit::as_is(server.address(), i32::try_from(index).expect("few"));
            assert_eq!(kit.contents(), *expected, "round {round} of HOZO_SEED={seed}");
            for _ in 0..40 {
                let key = b(format!("{} {}", dbms[index].name, rng.below(60)));
                let value = b(rng.next().to_string());
                kit.put(&key, &value);
                expected.insert(key, value);
            }
            let inspect = kit.inspect(InspectRequest { dbm_index: -1 }).expect("answered");
            let name = format!("dbm_{index}_name");
            let told = inspect.records.into_iter().find(|record| record.first == name);
            assert_eq!(told.map(|record| record.second).as_deref(), Some(dbms[index].name));
        }
        let ran = server.stop();
        assert_eq!(ran.code, Some(0), "round {round}: {ran}");
    }
}

/// What a writer was told. Its `n`-th update sets its own key `n` and is
/// acknowledged after those before it.
struct Writer {
    acknowledged: AtomicU64,
    /// A permit for each update of all writers.
    all: Arc<Semaphore>,
}

impl Writer {
    fn hears_of(&self, n: u64) {
        self.acknowledged.store(n + 1, Ordering::SeqCst);
        self.all.add_permits(1);
    }
}

fn key(me: usize, n: u64) -> Bytes {
    b(format!("{me} {n:08}"))
}

/// Calls, one after the other.
async fn write(client: Client, me: usize, from: u64, told: Arc<Writer>) {
    let mut client = client;
    for n in from.. {
        let request = SetRequest { dbm_index: 0, key: key(me, n), value: b("v"), overwrite: false };
        let Ok(answer) = client.set(request).await else { return };
        assert_eq!(code(&answer.into_inner().status), Success);
        told.hears_of(n);
    }
}

/// A stream, with many requests ahead of their answers.
async fn write_ahead(client: Client, me: usize, from: u64, told: Arc<Writer>) {
    let mut client = client;
    let (send, requests) = tokio::sync::mpsc::channel(32);
    let asking = async move {
        for n in from.. {
            let (key, value) = (key(me, n), b("v"));
            let request =
                Ask::SetRequest(SetRequest { dbm_index: 0, key, value, overwrite: false });
            let request = StreamRequest { omit_response: false, request_oneof: Some(request) };
            if send.send(request).await.is_err() {
                return;
            }
        }
    };
    let hearing = async move {
        let Ok(answers) = client.stream(ReceiverStream::new(requests)).await else { return };
        let mut answers = answers.into_inner();
        for n in from.. {
            let Ok(Some(_)) = answers.message().await else { return };
            told.hears_of(n);
        }
    };
    let asking = tokio::spawn(asking);
    hearing.await;
    asking.abort();
}

pub(crate) fn killed_durable(backend: &str, seed: u64) {
    killed(backend, "durability = \"durable\"", true, seed);
}

/// kill -9 takes from a process nothing that it has written, and a sequenced
/// update may not be: but then none after it is either.
pub(crate) fn killed_sequenced(backend: &str, seed: u64) {
    killed(backend, "durability = \"sequenced\"", false, seed);
}

fn killed(backend: &str, more: &str, durable: bool, seed: u64) {
    let scratch = Scratch::empty();
    let dbms = [Dbm { name: "casket", backend, more }];
    let mut rng = Rng::new(seed).fork(backend);
    let mut next = [0; WRITERS];
    for round in 0..=rounds() {
        let server = Server::over(&scratch, &dbms, "");
        let kit = Kit::as_is(server.address(), 0);
        let there = kit.contents();
        for (me, next) in next.iter_mut().enumerate() {
            let prefix = format!("{me} ");
            let mine = there.keys().filter(|key| key.starts_with(prefix.as_bytes()));
            let count = mine.clone().count() as u64;
            let whole = mine.cloned().eq((0..count).map(|n| key(me, n)));
            assert!(whole, "round {round} of HOZO_SEED={seed}: writer {me} has a hole");
            assert!(
                !durable || count >= *next,
                "round {round} of HOZO_SEED={seed}: of writer {me} {next} are acknowledged and \
                 {count} are there"
            );
            *next = count;
        }
        if round == rounds() {
            server.stop().ok();
            break;
        }
        let all = Arc::new(Semaphore::new(0));
        let told: Vec<_> = next
            .iter()
            .enumerate()
            .map(|(me, from)| {
                let (acknowledged, all) = (AtomicU64::new(*from), Arc::clone(&all));
                let told = Arc::new(Writer { acknowledged, all });
                let client = kit.another();
                match me % 2 {
                    0 => kit.spawn(write(client, me, *from, Arc::clone(&told))),
                    _ => kit.spawn(write_ahead(client, me, *from, Arc::clone(&told))),
                };
                told
            })
            .collect();
        // The blow falls when so many are acknowledged.
        let wanted = 20 + rng.below(300) as u32;
        drop(kit.run(all.acquire_many(wanted)));
        let ran = server.kill();
        assert_eq!(ran.code, None, "it was killed, and not ended before: {ran}");
        for (next, told) in next.iter_mut().zip(&told) {
            *next = told.acknowledged.load(Ordering::SeqCst);
        }
    }
}
