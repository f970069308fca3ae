//! Updates that overlap, judged as one history.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hozo_conformance::Rng;
use hozo_conformance::records::histories::{Event, What, violation};
use hozo_proto::StatusCode::{InfeasibleError, NotFoundError, Success};
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof as Ask;
use hozo_proto::tkrzw_rpc::stream_response::ResponseOneof as Answer;
use hozo_proto::tkrzw_rpc::*;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::kit::{Client, Kit, b, code};

/// Connections, and what each asks for.
const CLIENTS: usize = 8;
const STEPS: usize = 250;
/// Keys that are exchanged, and keys that are counted.
const EXCHANGED: usize = 3;
const COUNTED: usize = 2;
/// Of the exchanges and reads of a run, so many at least must have met others.
const CONTENDED_MIN: usize = 200;

/// What one client does, and what it knows of the keys.
struct Worker {
    me: usize,
    index: i32,
    rng: Rng,
    clock: Arc<AtomicU64>,
    last: [u64; EXCHANGED],
}

/// Several clients at once, half of them with calls, half with a stream each.
pub(crate) fn run(kit: &Kit, seed: u64) {
    let clock = Arc::new(AtomicU64::new(1));
    let rng = Rng::new(seed);
    let start = Arc::new(tokio::sync::Barrier::new(CLIENTS));
    let workers = (0..CLIENTS).map(|me| {
        let (client, start) = (kit.another(), Arc::clone(&start));
        let rng = rng.fork(&me.to_string());
        let worker =
            Worker { me, index: kit.index, rng, clock: Arc::clone(&clock), last: [0; EXCHANGED] };
        kit.spawn(async move {
            start.wait().await;
            match me % 2 {
                0 => worker.call(client).await,
                _ => worker.stream(client).await,
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    let history: Vec<Event> =
        workers.into_iter().flat_map(|worker| kit.run(worker).expect("no panic")).collect();
    if let Some(wrong) = violation(&history) {
        panic!("HOZO_SEED={seed}: {wrong}");
    }
    for key in EXCHANGED..EXCHANGED + COUNTED {
        let written = |event: &&Event| event.key == key && matches!(event.what, What::Write { .. });
        let count = history.iter().filter(written).count() as u64;
        let value = kit.value(name(key)).map_or(0, |value| number(&value));
        assert_eq!(value, count, "HOZO_SEED={seed}: a count was lost");
    }
    let contended = contended(&history);
    assert!(contended >= CONTENDED_MIN, "only {contended} met others: the run says nothing");
}

/// How many were under way while another of the same key was.
fn contended(history: &[Event]) -> usize {
    let meets = |a: &Event, b: &Event| a.key == b.key && a.begun < b.ended && b.begun < a.ended;
    let met = |a: &&Event| history.iter().filter(|b| meets(a, b)).count() > 1;
    history.iter().filter(met).count()
}

fn name(key: usize) -> Bytes {
    b(format!("key {key}"))
}

fn number(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().expect("8 bytes"))
}

impl Worker {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// What to ask next, of which key.
    fn ask(&mut self, n: usize) -> (usize, Ask) {
        let dbm_index = self.index;
        let key = self.rng.below(EXCHANGED + COUNTED);
        if key >= EXCHANGED {
            let increment = if self.rng.one_in(4) { i64::MIN } else { 1 };
            let request = IncrementRequest { dbm_index, key: name(key), increment, initial: 0 };
            return (key, Ask::IncrementRequest(request));
        }
        if self.rng.one_in(3) {
            let request = GetRequest { dbm_index, key: name(key), omit_value: false };
            return (key, Ask::GetRequest(request));
        }
        let (last, mine) = (self.last[key], ((self.me + 1) * 1_000_000 + n) as u64);
        let request = CompareExchangeRequest {
            dbm_index,
            key: name(key),
            expected_existence: last != 0,
            expected_value: if last == 0 { Bytes::new() } else { b(last.to_be_bytes()) },
            desired_existence: true,
            desired_value: b(mine.to_be_bytes()),
            get_actual: true,
            notify: self.rng.one_in(2),
            ..Default::default()
        };
        (key, Ask::CompareExchangeRequest(request))
    }

    /// What an answer means, and what is known after it.
    fn learn(&mut self, key: usize, ask: &Ask, answer: &Answer) -> What {
        match (ask, answer) {
            (Ask::IncrementRequest(ask), Answer::IncrementResponse(answer)) => {
                assert_eq!(code(&answer.status), Success);
                let value = u64::try_from(answer.current).expect("it only grows");
                match ask.increment {
                    1 => What::Write { before: value - 1, value },
                    _ => What::Read(value),
                }
            }
            (Ask::GetRequest(_), Answer::GetResponse(answer)) => {
                self.last[key] = match code(&answer.status) {
                    Success => number(&answer.value),
                    status => {
                        assert_eq!(status, NotFoundError);
                        0
                    }
                };
                What::Read(self.last[key])
            }
            (Ask::CompareExchangeRequest(ask), Answer::CompareExchangeResponse(answer)) => {
                let actual = if answer.found { number(&answer.actual) } else { 0 };
                match code(&answer.status) {
                    Success => {
                        let value = number(&ask.desired_value);
                        self.last[key] = value;
                        What::Write { before: actual, value }
                    }
                    status => {
                        assert_eq!(status, InfeasibleError);
                        self.last[key] = actual;
                        What::Read(actual)
                    }
                }
            }
            _ => panic!("{ask:?} was answered by {answer:?}"),
        }
    }

    async fn call(mut self, mut client: Client) -> Vec<Event> {
        let mut events = Vec::new();
        for n in 0..STEPS {
            let (key, ask) = self.ask(n);
            let begun = self.tick();
            let answer = match ask.clone() {
                Ask::IncrementRequest(ask) => {
                    client.increment(ask).await.map(|a| Answer::IncrementResponse(a.into_inner()))
                }
                Ask::GetRequest(ask) => {
                    client.get(ask).await.map(|a| Answer::GetResponse(a.into_inner()))
                }
                Ask::CompareExchangeRequest(ask) => client
                    .compare_exchange(ask)
                    .await
                    .map(|a| Answer::CompareExchangeResponse(a.into_inner())),
                ask => panic!("nobody asks {ask:?}"),
            };
            let ended = self.tick();
            let what = self.learn(key, &ask, &answer.expect("answered"));
            events.push(Event { key, begun, ended, what });
        }
        events
    }

    /// Two requests are ahead of their answers at any time.
    async fn stream(mut self, mut client: Client) -> Vec<Event> {
        let (send, requests) = mpsc::channel(4);
        let mut answers = None;
        let mut ahead = std::collections::VecDeque::new();
        let mut events = Vec::new();
        let mut requests = Some(requests);
        for n in 0..=STEPS {
            if n < STEPS {
                let (key, ask) = self.ask(n);
                ahead.push_back((key, ask.clone(), self.tick()));
                let request = StreamRequest { omit_response: false, request_oneof: Some(ask) };
                send.send(request).await.expect("the stream is open");
            }
            if let Some(requests) = requests.take() {
                let stream = client.stream(ReceiverStream::new(requests)).await;
                answers = Some(stream.expect("begun").into_inner());
            }
            if n == 0 {
                continue;
            }
            let answers = answers.as_mut().expect("begun");
            let answer = answers.message().await.expect("answered").expect("an answer");
            let ended = self.tick();
            let (key, ask, begun) = ahead.pop_front().expect("asked");
            let answer = answer.response_oneof.expect("an answer");
            let what = self.learn(key, &ask, &answer);
            events.push(Event { key, begun, ended, what });
        }
        events
    }
}
