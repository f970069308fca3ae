//! Answers that no server gives in earnest.

use bytes::Bytes;
use hozo_client::{Client, Error, ErrorKind};
use hozo_proto::hozo_v1 as proto;
use hozo_proto::hozo_v1::follow_response::Response;
use hozo_proto::hozo_v1::hello::Start as Sent;
use hozo_traits::{Position, Start};
use prost::Message;

use super::fake::{Call, client_of};
use super::{part, reach, reader, said, update, welcome, wire};
use crate::run_paused;
use crate::scripted::frame;

/// What is said to a greeting that is answered like this.
async fn greeted(answer: proto::FollowResponse) -> Error {
    let answer = frame(&answer.encode_to_vec());
    let client = client_of(Client::builder(""), 1 << 20, move |mut call: Call| {
        let answer = answer.clone();
        async move {
            call.hello().await;
            call.give_bytes(answer);
            call.left().await;
        }
    });
    client.feed(&reader()).await.err().expect("it is no welcome")
}

/// What is said of a feed that goes on like this after the welcome.
async fn fed(bytes: Bytes) -> Error {
    let builder = Client::builder("").max_message_bytes(4 << 20);
    let client = client_of(builder, 1 << 20, move |mut call: Call| {
        let bytes = bytes.clone();
        async move {
            let greeting = matches!(call.hello().await.start, Some(Sent::Greeting(_)));
            call.give(&welcome());
            if !greeting {
                call.give_bytes(bytes);
            }
            call.left().await;
        }
    });
    let feed = client.feed(&reader()).await.expect("it is welcome");
    let mut updates =
        feed.open(Start::After(Position::default()), reader()).await.expect("it is welcome");
    for _ in 0..3 {
        if let Err(error) = updates.next(1 << 20).await {
            let again = updates.next(1 << 20).await.expect_err("it is over");
            assert_eq!(again.to_string(), error.to_string());
            return error;
        }
    }
    panic!("nothing is found to be wrong");
}

#[test]
fn a_welcome_that_cannot_be_is_an_error() {
    run_paused(async {
        let welcomed = |server, head| {
            said(Response::Welcome(proto::Welcome { server, head, ..proto::Welcome::default() }))
        };
        let wrong = [
            (welcomed(0, None), "server id"),
            (welcomed(1 << 31, None), "server id"),
            (welcomed(7, wire(&[(0, 1)])), "server id"),
            (welcomed(7, wire(&[(u32::MAX, 1)])), "server id"),
            (welcomed(7, wire(&[(1, 1), (2, 1), (1, 2)])), "one server twice"),
            (part(Vec::new(), 1), "welcome"),
            (proto::FollowResponse::default(), "welcome"),
        ];
        for (answer, words) in wrong {
            let error = greeted(answer).await;
            assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
            assert!(error.message().contains(words), "{error}");
        }
    });
}

#[test]
fn updates_that_cannot_be_are_an_error() {
    let of = |change: fn(&mut proto::Update)| {
        let mut update = update(11, 5);
        change(&mut update);
        part(vec![update], 11)
    };
    let clear = || proto::Effect { kind: 2, ..proto::Effect::default() };
    let wrong = [
        (of(|update| update.reach = None), "without a number"),
        (of(|update| update.reach = Some(reach(0, 1))), "server id"),
        (of(|update| update.reach = Some(reach(1 << 31, 1))), "server id"),
        (of(|update| update.reach = Some(reach(7, 0))), "number 0"),
        (of(|update| update.server = u32::MAX), "server id"),
        (of(|update| update.what = 4), "not known"),
        (of(|update| update.what = -1), "not known"),
        (of(|update| update.effects[0].kind = 3), "not known"),
        (
            part(vec![proto::Update { effects: vec![clear(), clear()], ..update(11, 5) }], 11),
            "does more",
        ),
        (part(vec![update(11, 5), update(11, 5)], 11), "order"),
        (part(vec![update(12, 5), update(11, 5)], 12), "order"),
        (part(vec![update(11, 5)], 10), "before what it has sent"),
        (welcome(), "something else"),
        (said(Response::Snapshot(proto::SnapshotPart::default())), "something else"),
        (proto::FollowResponse::default(), "something else"),
    ];
    run_paused(async {
        for (answer, words) in wrong {
            let error = fed(frame(&answer.encode_to_vec())).await;
            assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
            assert!(error.message().contains(words), "{words}: {error}");
        }
    });
}

#[test]
fn updates_that_come_again_in_another_part_are_an_error() {
    run_paused(async {
        let first = frame(&part(vec![update(11, 5)], 11).encode_to_vec());
        let error = fed([first.clone(), first].concat().into()).await;
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("of 7, number 11"), "{error}");
    });
}

#[test]
fn bytes_that_are_no_messages_are_an_error() {
    run_paused(async {
        for bytes in [&[0xff; 40][..], &[0, 0, 0, 0, 3, 0xff, 0xff, 0xff], &[1, 0, 0, 0, 0]] {
            let error = fed(Bytes::copy_from_slice(bytes)).await;
            assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        }
        let error = fed(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff])).await;
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    });
}

#[test]
fn a_message_that_is_far_more_than_it_seems_is_not_even_read() {
    run_paused(async {
        // Each takes two bytes on the way, and about a hundred here.
        let many = 100_000;
        let empty = || vec![proto::Update::default(); many];
        let effects = vec![proto::Effect::default(); many];
        let reaches = Some(proto::Position { reaches: vec![proto::Reach::default(); many] });
        let wrong = [
            proto::Part { updates: empty(), ..proto::Part::default() },
            proto::Part {
                updates: vec![proto::Update { effects, ..update(11, 5) }],
                ..proto::Part::default()
            },
            proto::Part { position: reaches.clone(), ..proto::Part::default() },
            proto::Part { head: reaches, ..proto::Part::default() },
        ];
        for part in wrong {
            let error = fed(frame(&said(Response::Part(part)).encode_to_vec())).await;
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
            assert!(error.to_string().contains("max_message_bytes"), "{error}");
        }
    });
}
