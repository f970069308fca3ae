//! The feed of a server of Tkrzw.

use std::time::Duration;

use futures_util::FutureExt;
use hozo_client::{Client, ErrorKind};
use hozo_proto::tkrzw_rpc::{ReplicateRequest, ReplicateResponse, StatusProto};
use hozo_traits::{
    ChangeFeed, Effect, FeedReader, Position, Reach, Reader, Start, Timestamp, Update, What,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::fake::{Call, client};
use super::{WAITS_MAX, reader, server};
use crate::run_paused;

/// What it begins with: that it is server 5.
fn noop() -> ReplicateResponse {
    ReplicateResponse { server_id: 5, ..ReplicateResponse::default() }
}

/// A record of so many bytes is set, in DBM 1, at this time.
fn set(timestamp: i64, bytes: usize) -> ReplicateResponse {
    ReplicateResponse {
        timestamp,
        server_id: 5,
        dbm_index: 1,
        op_type: 1,
        key: "k".into(),
        value: vec![0; bytes - 1].into(),
        ..success()
    }
}

fn success() -> ReplicateResponse {
    ReplicateResponse { status: Some(StatusProto::default()), ..ReplicateResponse::default() }
}

fn status(code: i32, timestamp: i64) -> ReplicateResponse {
    let status = Some(StatusProto { code, message: "why".to_owned() });
    ReplicateResponse { status, timestamp, ..ReplicateResponse::default() }
}

/// A client of a server that replicates like this.
fn tkrzw<F>(serve: impl Fn(ReplicateRequest, Call) -> F + Clone + Send + Sync + 'static) -> Client
where
    F: Future<Output = ()> + Send + 'static,
{
    client(move |mut call: Call| {
        let serve = serve.clone();
        async move {
            match call.path.as_str() {
                "/tkrzw_rpc.DBMService/Replicate" => {
                    let request = call.next().await.expect("a request");
                    serve(request, call).await;
                }
                _ => call.end(12, "", None),
            }
        }
    })
}

async fn feed_of<F>(
    serve: impl Fn(Call) -> F + Clone + Send + Sync + 'static,
) -> std::sync::Arc<dyn ChangeFeed>
where
    F: Future<Output = ()> + Send + 'static,
{
    let client = tkrzw(move |_, mut call| {
        let serve = serve.clone();
        async move {
            call.give(&noop());
            serve(call).await;
        }
    });
    client.feed(&reader()).await.expect("it is there")
}

fn since() -> Start {
    Start::Since(Timestamp::from_micros(0))
}

/// What is read of a server that gives this.
async fn reading(answers: Vec<ReplicateResponse>) -> Box<dyn FeedReader> {
    let feed = feed_of(move |mut call| {
        let answers = answers.clone();
        async move {
            for answer in answers {
                call.give(&answer);
            }
            call.left().await;
        }
    });
    let updates = feed.await.open(since(), reader()).await.expect("it answers");
    // All that is said has arrived.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    updates
}

#[test]
fn a_server_without_our_replication_is_taken_for_one_of_tkrzw() {
    run_paused(async {
        let (heard, mut requests) = mpsc::unbounded_channel();
        let client = tkrzw(move |request, mut call| {
            let heard = heard.clone();
            async move {
                heard.send(request).expect("the test waits");
                call.give(&noop());
                call.left().await;
            }
        });
        let me = Reader { server: Some(server(9)), ..reader() };
        let feed = client.feed(&me).await.expect("it is there");
        assert_eq!((feed.server(), feed.epoch()), (server(5), 0));
        assert_eq!((feed.head(), feed.newest()), (Position::default(), Timestamp::default()));
        assert!(feed.dbms().is_empty(), "they have no names");
        let greeting = requests.recv().await.expect("it was greeted");
        assert!(greeting.min_timestamp > 1_700_000_000_000, "not from the beginning on");
        assert_eq!(greeting.server_id, 9);

        let since = |micros| Start::Since(Timestamp::from_micros(micros));
        feed.open(since(1_234_999), me.clone()).await.expect("it answers");
        let asked = ReplicateRequest { min_timestamp: 1234, server_id: 9, wait_time: 1.0 };
        assert_eq!(requests.recv().await, Some(asked));
        feed.open(since(u64::MAX), reader()).await.expect("it answers");
        let asked = ReplicateRequest { min_timestamp: (1 << 48) - 1, server_id: 0, wait_time: 1.0 };
        assert_eq!(requests.recv().await, Some(asked));

        let after = feed.open(Start::After(Position::default()), me.clone()).await;
        assert_eq!(after.err().expect("no positions").kind(), ErrorKind::Unsupported);
        let error = feed.snapshot(None, me).await.err().expect("no snapshots");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("export"), "{error}");
    });
}

#[test]
fn what_has_arrived_makes_a_part() {
    run_paused(async {
        let remove = ReplicateResponse { op_type: 2, server_id: 0, ..set(1001, 1) };
        let clear = ReplicateResponse { op_type: 3, server_id: 6, dbm_index: 0, ..set(1002, 1) };
        let mut updates = reading(vec![set(1000, 2), remove, clear, status(9, 2000)]).await;
        let part = updates.next(usize::MAX).await.expect("updates");
        let made = |millis: u64, by, dbm, effect| Update {
            time: Timestamp::from_micros(millis * 1000),
            origin: server(5),
            reach: Reach::default(),
            server: server(by),
            what: What::Records { dbm, effects: vec![effect], reduced: false },
        };
        assert_eq!(
            part.updates,
            [
                made(1000, 5, 1, Effect::Set { key: "k".into(), value: "\0".into() }),
                made(1001, 5, 1, Effect::Remove { key: "k".into() }),
                made(1002, 6, 0, Effect::Clear),
            ]
        );
        assert_eq!((part.position, part.head), (Position::default(), Position::default()));
        assert_eq!(part.newest, Timestamp::from_micros(2_000_000));
        updates.acknowledge(&Position::default(), 0).expect("nobody asked");
    });
}

#[test]
fn a_part_is_as_large_as_the_reader_wants() {
    run_paused(async {
        let all = [(1, 10), (2, 10), (3, 30), (4, 1)].map(|(time, bytes)| set(time, bytes));
        let mut updates = reading(all.to_vec()).await;
        let mut lengths = Vec::new();
        for bytes_max in [20, 20, 0] {
            let part = updates.next(bytes_max).await.expect("updates");
            let last = part.updates.last().expect("at least one").time;
            // What is held back was not heard of yet.
            assert_eq!(part.newest, last);
            lengths.push(part.updates.len());
        }
        assert_eq!(lengths, [2, 1, 1]);
        assert!(updates.next(1).now_or_never().is_none(), "there is no more");
    });
}

#[test]
fn no_part_is_without_end() {
    run_paused(async {
        let mut updates = reading(vec![set(1, 1); 5000]).await;
        let first = updates.next(usize::MAX).await.expect("updates").updates.len();
        assert!(first <= 4096, "{first}");
        let mut all = first;
        while all < 5000 {
            all += updates.next(usize::MAX).await.expect("updates").updates.len();
        }
        assert_eq!(all, 5000);
    });
}

#[test]
fn the_readers_own_updates_are_nothing() {
    run_paused(async {
        let feed = feed_of(|mut call| async move {
            call.give(&ReplicateResponse { server_id: 9, ..set(1, 1) });
            call.left().await;
        })
        .await;
        let me = Reader { server: Some(server(9)), ..reader() };
        let mut updates = feed.open(since(), me).await.expect("it answers");
        let part = updates.next(1).await.expect("an update");
        assert_eq!((part.updates[0].server, &part.updates[0].what), (server(9), &What::Nothing));
    });
}

#[test]
fn nothing_new_is_a_sign_of_life() {
    run_paused(async {
        let feed = feed_of(|mut call| async move {
            for second in 1..100 {
                sleep(Duration::from_secs(1)).await;
                call.give(&status(9, second * 1000));
            }
            call.left().await;
        })
        .await;
        let mut updates = feed.open(since(), reader()).await.expect("it answers");
        for second in 1..100 {
            let part = updates.next(1).await.expect("that there is nothing");
            assert_eq!(part.updates, []);
            assert_eq!(part.newest, Timestamp::from_micros(second * 1_000_000));
            assert_eq!(feed.newest(), part.newest);
        }
        let (error, began) = (updates.next(1).await.expect_err("nothing"), Instant::now());
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        updates.next(1).await.expect_err("it is over");
        assert_eq!(began.elapsed().as_secs(), 0);
    });
}

#[test]
fn the_first_update_may_have_to_be_looked_for() {
    run_paused(async {
        let feed = feed_of(|mut call| async move {
            sleep(Duration::from_secs(100)).await;
            call.give(&set(1, 1));
            call.left().await;
        })
        .await;
        let mut updates = feed.open(since(), reader()).await.expect("it answers");
        updates.next(1).await.expect("it was found");
        let began = Instant::now();
        updates.next(1).await.expect_err("nothing more");
        assert_eq!(began.elapsed().as_secs(), 10);
    });
}

#[test]
fn nothing_is_lost_when_waiting_is_dropped() {
    run_paused(async {
        let feed = feed_of(|mut call| async move {
            for time in 1..50 {
                let message = prost::Message::encode_to_vec(&set(time, 20));
                for byte in crate::scripted::frame(&message) {
                    call.give_bytes(vec![byte].into());
                    tokio::task::yield_now().await;
                }
            }
            call.left().await;
        })
        .await;
        let mut updates = feed.open(since(), reader()).await.expect("it answers");
        let (mut times, mut waits) = (Vec::new(), 0);
        while times.len() < 49 {
            waits += 1;
            assert!(waits < WAITS_MAX, "nothing comes any more");
            match updates.next(30).now_or_never() {
                None => tokio::task::yield_now().await,
                Some(part) => {
                    let part = part.expect("updates");
                    times.extend(part.updates.iter().map(|update| update.time.as_millis()));
                }
            }
        }
        assert!(times.into_iter().eq(1..50));
    });
}

#[test]
fn what_cannot_be_is_an_error() {
    run_paused(async {
        let wrong = [
            (ReplicateResponse { timestamp: -1, ..set(1, 1) }, ErrorKind::Internal, "a time"),
            (set(1 << 48, 1), ErrorKind::Internal, "a time"),
            (set(i64::MAX, 1), ErrorKind::Internal, "a time"),
            (ReplicateResponse { server_id: -1, ..set(1, 1) }, ErrorKind::Internal, "server id"),
            (ReplicateResponse { dbm_index: -1, ..set(1, 1) }, ErrorKind::Internal, "index"),
            (ReplicateResponse { op_type: 4, ..set(1, 1) }, ErrorKind::Internal, "not known"),
            (status(11, 1), ErrorKind::Corrupt, "why"),
            (status(2, 1), ErrorKind::Unavailable, "why"),
            (status(99, 1), ErrorKind::Internal, "why"),
            (status(9, -1), ErrorKind::Internal, "a time"),
        ];
        for (answer, kind, words) in wrong {
            // What came before it is given first.
            let mut updates = reading(vec![set(1, 1), answer, set(1, 1)]).await;
            assert_eq!(updates.next(100).await.expect("one update").updates.len(), 1);
            for _ in 0..2 {
                let error = updates.next(100).await.expect_err(words);
                assert_eq!(error.kind(), kind, "{error}");
                assert!(error.message().contains(words), "{error}");
            }
        }
    });
}

#[test]
fn a_beginning_that_cannot_be_is_an_error() {
    run_paused(async {
        let wrong = [
            (set(1, 1), ErrorKind::Internal),
            (ReplicateResponse { server_id: 0, ..noop() }, ErrorKind::Internal),
            (ReplicateResponse { server_id: -5, ..noop() }, ErrorKind::Internal),
            (status(3, 0), ErrorKind::Unsupported),
        ];
        for (answer, kind) in wrong {
            let client = tkrzw(move |_, mut call| {
                let answer = answer.clone();
                async move {
                    call.give(&answer);
                    call.left().await;
                }
            });
            let error = client.feed(&reader()).await.err().expect("it cannot be");
            assert_eq!(error.kind(), kind, "{error}");
        }
    });
}

#[test]
fn a_server_that_has_no_log_says_so() {
    run_paused(async {
        let client = tkrzw(|_, mut call| async move {
            call.end(9, "disabled update logging", None);
        });
        let error = client.feed(&reader()).await.err().expect("it has none");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.message(), "disabled update logging");
    });
}

#[test]
fn another_server_at_the_address_is_not_the_one_that_was_followed() {
    run_paused(async {
        let client = tkrzw(|request, mut call| async move {
            let server_id = if request.min_timestamp == 0 { 6 } else { 5 };
            call.give(&ReplicateResponse { server_id, ..noop() });
            call.left().await;
        });
        let feed = client.feed(&reader()).await.expect("it is there");
        let error = feed.open(since(), reader()).await.err().expect("another one");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("expected 5, found 6"), "{error}");
    });
}
