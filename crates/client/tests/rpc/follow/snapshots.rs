//! Snapshots of a Hozo server.

use bytes::Bytes;
use futures_util::FutureExt;
use hozo_client::{ErrorKind, Result};
use hozo_proto::hozo_v1 as proto;
use hozo_proto::hozo_v1::follow_response::Response;
use hozo_proto::hozo_v1::hello::Start as Sent;
use hozo_traits::{SnapshotPart, SnapshotPlace, SnapshotReader};
use tokio::sync::mpsc;

use super::fake::{Call, client};
use super::{WAITS_MAX, position, reader, said, welcome, wire};
use crate::run_paused;

/// Records of a DBM, after 7:10, and where it goes on.
fn records(dbm: u32, keys: &[&'static str], key: Option<&'static str>) -> proto::FollowResponse {
    let place = proto::SnapshotPlace { from: wire(&[(7, 10)]), dbm, key: key.map(Bytes::from) };
    let record = |key: &&'static str| proto::Record { key: (*key).into(), value: "value".into() };
    let records = keys.iter().map(record).collect();
    said(Response::Snapshot(proto::SnapshotPart { place: Some(place), records, of: 4, end: false }))
}

fn end() -> proto::FollowResponse {
    said(Response::Snapshot(proto::SnapshotPart { end: true, ..proto::SnapshotPart::default() }))
}

fn place(dbm: u32, key: Option<&'static str>) -> SnapshotPlace {
    SnapshotPlace { from: position(&[(7, 10)]), dbm, key: key.map(Bytes::from) }
}

async fn reading(
    after: Option<SnapshotPlace>,
    answers: Vec<proto::FollowResponse>,
) -> Box<dyn SnapshotReader> {
    let client = client(move |mut call: Call| {
        let answers = answers.clone();
        async move {
            call.hello().await;
            call.give(&welcome());
            for answer in answers {
                call.give(&answer);
            }
            call.end(0, "", None);
        }
    });
    let feed = client.feed(&reader()).await.expect("it is welcome");
    feed.snapshot(after, reader()).await.expect("it is welcome")
}

/// The keys of a part, and its place.
fn read(part: Result<Option<SnapshotPart>>) -> (Vec<Bytes>, SnapshotPlace) {
    let part = part.expect("read").expect("there is more");
    assert_eq!(part.of, 4);
    (part.records.into_iter().map(|(key, _)| key).collect(), part.place)
}

#[test]
fn a_snapshot_is_read_to_its_end() {
    run_paused(async {
        let answers = vec![
            records(0, &["a", "b", "c"], Some("c")),
            records(0, &["d"], None),
            records(1, &[], None),
            end(),
        ];
        let mut reader = reading(None, answers.clone()).await;
        let whole = usize::MAX;
        assert_eq!(
            read(reader.next(whole).await),
            (vec!["a".into(), "b".into(), "c".into()], place(0, Some("c")))
        );
        assert_eq!(read(reader.next(whole).await), (vec!["d".into()], place(0, None)));
        assert_eq!(read(reader.next(whole).await), (vec![], place(1, None)));
        assert_eq!(reader.next(whole).await.expect("read"), None);
        assert_eq!(reader.next(whole).await.expect("read"), None);

        // In pieces, each of which could be the last that arrives.
        let mut reader = reading(None, answers).await;
        assert_eq!(
            read(reader.next(12).await),
            (vec!["a".into(), "b".into()], place(0, Some("b")))
        );
        assert_eq!(read(reader.next(12).await), (vec!["c".into()], place(0, Some("c"))));
        assert_eq!(read(reader.next(0).await), (vec!["d".into()], place(0, None)));
    });
}

#[test]
fn an_interrupted_snapshot_goes_on() {
    run_paused(async {
        let (heard, mut hellos) = mpsc::unbounded_channel();
        let client = client(move |mut call| {
            let heard = heard.clone();
            async move {
                heard.send(call.hello().await.start).expect("the test waits");
                call.give(&welcome());
                call.give(&end());
                call.end(0, "", None);
            }
        });
        let feed = client.feed(&reader()).await.expect("it is welcome");
        assert_eq!(hellos.recv().await.flatten(), Some(Sent::Greeting(true)));
        let wanted = |place| Some(Sent::Snapshot(proto::SnapshotStart { place }));
        feed.snapshot(None, reader()).await.expect("it is welcome");
        assert_eq!(hellos.recv().await.flatten(), wanted(None));
        for key in [None, Some("")] {
            feed.snapshot(Some(place(1, key)), reader()).await.expect("it is welcome");
            let from = wire(&[(7, 10)]);
            let place = proto::SnapshotPlace { from, dbm: 1, key: key.map(Bytes::from) };
            assert_eq!(hellos.recv().await.flatten(), wanted(Some(place)));
        }
    });
}

#[test]
fn a_snapshot_that_ends_before_its_end_is_an_error() {
    run_paused(async {
        let mut reader = reading(None, vec![records(0, &["a"], None)]).await;
        read(reader.next(1).await);
        for _ in 0..2 {
            let error = reader.next(1).await.expect_err("it is not all");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
    });
}

#[test]
fn what_cannot_be_in_a_snapshot_is_an_error() {
    run_paused(async {
        let mut twice = records(1, &["a"], None);
        if let Some(Response::Snapshot(part)) = &mut twice.response {
            part.place.as_mut().expect("a place").from = wire(&[(7, 1), (7, 2)]);
        }
        let mut nowhere = records(1, &["a"], None);
        if let Some(Response::Snapshot(part)) = &mut nowhere.response {
            part.place = None;
        }
        let wrong = [
            (records(0, &["a"], None), "through with"),
            (twice, "one server twice"),
            (nowhere, "without their place"),
            (super::part(Vec::new(), 10), "something else"),
            (proto::FollowResponse::default(), "something else"),
        ];
        for (answer, words) in wrong {
            let mut reader = reading(Some(place(1, None)), vec![answer]).await;
            let error = reader.next(1).await.expect_err(words);
            assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
            assert!(error.message().contains(words), "{error}");
        }
    });
}

#[test]
fn nothing_of_a_snapshot_is_lost_when_waiting_is_dropped() {
    run_paused(async {
        let client = client(|mut call: Call| async move {
            call.hello().await;
            call.give(&welcome());
            let answers = [records(0, &["a"], None), records(1, &["b"], None), end()];
            let frames = answers
                .map(|answer| crate::scripted::frame(&prost::Message::encode_to_vec(&answer)));
            for byte in frames.concat() {
                call.give_bytes(vec![byte].into());
                tokio::task::yield_now().await;
            }
            call.left().await;
        });
        let feed = client.feed(&reader()).await.expect("it is welcome");
        let mut reader = feed.snapshot(None, reader()).await.expect("it is welcome");
        let mut keys = Vec::new();
        for waits in 0.. {
            assert!(waits < WAITS_MAX, "nothing comes any more");
            match reader.next(usize::MAX).now_or_never() {
                None => tokio::task::yield_now().await,
                Some(Ok(None)) => break,
                Some(part) => keys.extend(read(part).0),
            }
        }
        assert_eq!(keys, ["a", "b"]);
    });
}
