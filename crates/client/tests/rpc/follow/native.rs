//! The feed of a Hozo server.

use futures_util::FutureExt;
use hozo_client::ErrorKind;
use hozo_proto::hozo_v1 as proto;
use hozo_proto::hozo_v1::hello::Start as Sent;
use hozo_traits::{Effect, FeedReader, Position, Reader, Result, Start, Timestamp, Update, What};
use tokio::sync::mpsc;

use super::fake::{Call, client};
use super::{WAITS_MAX, part, position, reach, reader, server, update, welcome};
use crate::run_paused;

/// A reader of what is said after a welcome.
async fn reading<F>(start: Start, serve: fn(Call) -> F) -> Box<dyn FeedReader>
where
    F: Future<Output = ()> + Send + 'static,
{
    let client = client(move |mut call| async move {
        let hello = call.hello().await;
        call.give(&welcome());
        match hello.start {
            Some(Sent::Greeting(true)) => call.end(0, "", None),
            _ => serve(call).await,
        }
    });
    let feed = client.feed(&reader()).await.expect("it is welcome");
    feed.open(start, reader()).await.expect("it is welcome")
}

fn start() -> Start {
    Start::After(Position::default())
}

#[test]
fn a_greeting_says_who_is_there() {
    run_paused(async {
        let (heard, mut hellos) = mpsc::unbounded_channel();
        let client = client(move |mut call| {
            let heard = heard.clone();
            async move {
                assert_eq!(call.path, "/hozo.v1.Replication/Follow");
                assert!(call.headers.get("grpc-timeout").is_none());
                heard.send(call.hello().await).expect("the test waits");
                call.give(&welcome());
                call.left().await;
            }
        });
        let me = Reader { server: Some(server(9)), ..reader() };
        let feed = client.feed(&me).await.expect("it is welcome");
        assert_eq!((feed.server(), feed.epoch()), (server(7), 3));
        assert_eq!(feed.dbms(), ["casket", "log"]);
        assert_eq!(feed.head(), position(&[(7, 10)]));
        assert_eq!(feed.newest(), Timestamp::from_micros(1000));
        let mut said = proto::Hello {
            server: 9,
            epoch: 2,
            name: "a copy".to_owned(),
            acknowledges: true,
            start: Some(Sent::Greeting(true)),
        };
        assert_eq!(hellos.recv().await.as_ref(), Some(&said));

        let at = position(&[(7, 5), (8, 2)]);
        feed.open(Start::After(at), me.clone()).await.expect("it is welcome");
        said.start = Some(Sent::After(proto::Position { reaches: vec![reach(7, 5), reach(8, 2)] }));
        assert_eq!(hellos.recv().await.as_ref(), Some(&said));

        let me = Reader { acknowledges: false, server: None, ..me };
        let since = Start::Since(Timestamp::from_micros(77));
        feed.open(since, me).await.expect("it is welcome");
        let start = Some(Sent::Since(77));
        let said = proto::Hello { server: 0, acknowledges: false, start, ..said };
        assert_eq!(hellos.recv().await, Some(said));
    });
}

#[test]
fn updates_come_as_they_were_made() {
    async fn serve(mut call: Call) {
        let of = |seq, what| proto::Update {
            reach: Some(reach(8, seq)),
            what,
            ..proto::Update::default()
        };
        let effects = vec![
            proto::Effect { kind: 0, key: "k".into(), value: "v".into() },
            proto::Effect { kind: 1, key: "l".into(), value: "ignored".into() },
        ];
        let records = proto::Update { time: 5, server: 6, dbm: 4, effects, ..of(1, 0) };
        let clear = vec![proto::Effect { kind: 2, ..proto::Effect::default() }];
        let clear = proto::Update { effects: clear, reduced: true, ..of(2, 0) };
        let epoch = proto::Update { epoch: 4, ..of(9, 2) };
        let updates = vec![records, clear, of(8, 1), epoch, of(10, 3), update(11, 1)];
        let position = super::wire(&[(7, 11), (8, 10)]);
        let head = super::wire(&[(7, 20), (8, 10)]);
        let part = proto::Part { updates, position, head, newest: 2000 };
        call.give(&super::said(proto::follow_response::Response::Part(part)));
        // Nothing yet, but there will be.
        let part = proto::Part {
            position: super::wire(&[(7, 11), (8, 10)]),
            head: super::wire(&[(7, 21), (8, 10)]),
            newest: 2001,
            ..proto::Part::default()
        };
        call.give(&super::said(proto::follow_response::Response::Part(part)));
        call.left().await;
    }
    run_paused(async {
        let client = client(|mut call| async move {
            call.hello().await;
            call.give(&welcome());
            serve(call).await;
        });
        let feed = client.feed(&reader()).await.expect("it is welcome");
        let mut updates = feed.open(start(), reader()).await.expect("it is welcome");
        let part = updates.next(usize::MAX).await.expect("updates");
        let made = |time, seq, by, what| Update {
            time: Timestamp::from_micros(time),
            origin: server(8),
            reach: position(&[(8, seq)]).of(server(8)),
            server: server(by),
            what,
        };
        let effects = vec![
            Effect::Set { key: "k".into(), value: "v".into() },
            Effect::Remove { key: "l".into() },
        ];
        let records = What::Records { dbm: 4, effects, reduced: false };
        let clear = What::Records { dbm: 0, effects: vec![Effect::Clear], reduced: true };
        assert_eq!(
            part.updates[..5],
            [
                made(5, 1, 6, records),
                made(0, 2, 8, clear),
                made(0, 8, 8, What::Nothing),
                made(0, 9, 8, What::Epoch(4)),
                made(0, 10, 8, What::Reset),
            ]
        );
        assert_eq!(part.updates[5].origin, server(7));
        assert_eq!(part.position, position(&[(7, 11), (8, 10)]));
        assert_eq!((part.head, part.newest), (feed.head(), feed.newest()));
        assert_eq!(feed.head(), position(&[(7, 20), (8, 10)]));
        assert_eq!(feed.epoch(), 4);

        let part = updates.next(usize::MAX).await.expect("that there are none");
        assert_eq!(part.updates, []);
        assert_eq!(part.position, position(&[(7, 11), (8, 10)]));
        assert_eq!((feed.head(), feed.newest()), (part.head, Timestamp::from_micros(2001)));
    });
}

/// How many updates each part has, and where the feed is after it.
async fn parts(
    updates: &mut dyn FeedReader,
    bytes_max: usize,
    count: usize,
) -> Vec<(usize, Position)> {
    let mut parts = Vec::new();
    for _ in 0..count {
        let part = updates.next(bytes_max).await.expect("updates");
        assert_eq!(part.head, position(&[(7, 14)]));
        parts.push((part.updates.len(), part.position));
    }
    parts
}

#[test]
fn a_part_is_as_large_as_the_reader_wants() {
    async fn serve(mut call: Call) {
        let updates = [(11, 10), (12, 10), (13, 30), (14, 1)];
        call.give(&part(updates.map(|(seq, bytes)| update(seq, bytes)).into(), 14));
        call.give(&part(Vec::new(), 14));
        call.left().await;
    }
    run_paused(async {
        let at = |seq| position(&[(3, 4), (7, seq)]);
        let mut updates = reading(Start::After(at(10)), serve).await;
        let got = parts(&mut *updates, 20, 4).await;
        // The last position is the server's own word.
        let last = position(&[(7, 14)]);
        assert_eq!(got, [(2, at(12)), (1, at(13)), (1, last.clone()), (0, last.clone())]);

        let mut updates = reading(Start::After(at(10)), serve).await;
        assert_eq!(parts(&mut *updates, 0, 3).await, [(1, at(11)), (1, at(12)), (1, at(13))]);
        let mut updates = reading(Start::After(at(10)), serve).await;
        assert_eq!(parts(&mut *updates, 51, 1).await, [(4, last.clone())]);

        // Of those before the moment nothing is known until the server says it.
        let mut updates = reading(Start::Since(Timestamp::default()), serve).await;
        let got = parts(&mut *updates, 20, 2).await;
        assert_eq!(got, [(2, position(&[(7, 12)])), (1, position(&[(7, 13)]))]);
    });
}

#[test]
fn nothing_is_lost_when_waiting_is_dropped() {
    async fn serve(mut call: Call) {
        let message = |seq| {
            let message = part(vec![update(seq, 300)], seq);
            crate::scripted::frame(&prost::Message::encode_to_vec(&message))
        };
        let all = [message(11), message(12), message(13)].concat();
        for byte in all {
            call.give_bytes(vec![byte].into());
            tokio::task::yield_now().await;
        }
        call.end(14, "stopping", None);
    }
    run_paused(async {
        let mut updates = reading(start(), serve).await;
        let (mut seqs, mut dropped) = (Vec::new(), 0);
        let end = loop {
            match updates.next(usize::MAX).now_or_never() {
                None => {
                    dropped += 1;
                    assert!(dropped < WAITS_MAX, "nothing comes any more");
                    tokio::task::yield_now().await;
                }
                Some(Ok(part)) => {
                    assert_eq!(part.updates.len(), 1);
                    seqs.push(part.updates[0].reach.seq);
                }
                Some(Err(error)) => break error,
            }
        };
        assert_eq!(seqs, [11, 12, 13]);
        assert!(dropped > 100, "only {dropped} waits were dropped");
        assert_eq!((end.kind(), end.message()), (ErrorKind::Unavailable, "stopping"));
    });
}

/// What a reader is told when the server ends like this: before the welcome, and
/// after it.
async fn ends(code: u32, kind: Option<&'static str>) -> [hozo_client::Error; 2] {
    let refusing = client(move |mut call| async move {
        match call.hello().await.start {
            Some(Sent::Greeting(_)) => {
                call.give(&welcome());
                call.left().await;
            }
            _ => call.end(code, "why", kind),
        }
    });
    let feed = refusing.feed(&reader()).await.expect("it is welcome");
    let before = feed.open(start(), reader()).await.err().expect("it is refused");
    let ending = client(move |mut call| async move {
        call.hello().await;
        call.give(&welcome());
        call.end(code, "why", kind);
    });
    let feed = ending.feed(&reader()).await.expect("it is welcome");
    let mut updates = feed.open(start(), reader()).await.expect("it is welcome");
    let after = updates.next(1).await.expect_err("it ended");
    // It stays so.
    let again = updates.next(1).await.expect_err("it ended");
    assert_eq!((again.kind(), again.to_string()), (after.kind(), after.to_string()));
    let refused = updates.acknowledge(&Position::default(), 0).expect_err("it ended");
    assert_eq!(refused.to_string(), after.to_string());
    [before, after]
}

#[test]
fn errors_keep_their_kinds() {
    run_paused(async {
        let kinds = [
            (11, ErrorKind::VersionGone),
            (10, ErrorKind::Conflict),
            (9, ErrorKind::ReadOnly),
            (3, ErrorKind::Invalid),
            (7, ErrorKind::Denied),
            (8, ErrorKind::Busy),
            (12, ErrorKind::Unsupported),
            (13, ErrorKind::Internal),
            (14, ErrorKind::Unavailable),
            (15, ErrorKind::Corrupt),
            (16, ErrorKind::Unauthenticated),
        ];
        for (code, kind) in kinds {
            for error in ends(code, None).await {
                assert_eq!((error.kind(), error.message()), (kind, "why"), "{error}");
            }
        }
        for kind in ErrorKind::ALL {
            for error in ends(2, Some(kind.as_str())).await {
                assert_eq!((error.kind(), error.message()), (kind, "why"), "{error}");
            }
        }
        for error in ends(14, Some("a kind to come")).await {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
        for error in ends(0, None).await {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.message().contains("ended the stream"), "{error}");
        }
    });
}

#[test]
fn dropping_a_reader_ends_its_stream() {
    let (gone, mut left) = mpsc::unbounded_channel();
    run_paused(async {
        let client = client(move |mut call| {
            let gone = gone.clone();
            async move {
                let greeting = matches!(call.hello().await.start, Some(Sent::Greeting(_)));
                call.give(&welcome());
                call.left().await;
                gone.send(greeting).expect("the test waits");
            }
        });
        let feed = client.feed(&reader()).await.expect("it is welcome");
        assert_eq!(left.recv().await, Some(true), "the greeting is over");
        let updates = feed.open(start(), reader()).await.expect("it is welcome");
        assert!(left.recv().now_or_never().is_none());
        drop(updates);
        assert_eq!(left.recv().await, Some(false));
    });
}

#[test]
fn another_server_at_the_address_is_not_the_one_that_was_followed() {
    run_paused(async {
        let client = client(|mut call| async move {
            let greeting = matches!(call.hello().await.start, Some(Sent::Greeting(_)));
            let server = if greeting { 7 } else { 8 };
            let welcome = proto::Welcome { server, ..proto::Welcome::default() };
            call.give(&super::said(proto::follow_response::Response::Welcome(welcome)));
            call.left().await;
        });
        let feed = client.feed(&reader()).await.expect("it is welcome");
        let opened: Result<_> = feed.open(start(), reader()).await;
        let error = opened.err().expect("it is another one");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("expected 7, found 8"), "{error}");
        let snapshot = feed.snapshot(None, reader()).await;
        assert_eq!(snapshot.err().expect("another one").kind(), ErrorKind::Unavailable);
    });
}
