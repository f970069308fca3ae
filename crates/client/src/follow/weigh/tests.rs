use hozo_proto::hozo_v1 as proto;
use hozo_proto::hozo_v1::follow_response::Response;
use prost::Message;

use super::*;

fn count(response: Response) -> usize {
    let message = proto::FollowResponse { response: Some(response) };
    elements(&message.encode_to_vec(), &RESPONSE)
}

fn position(servers: usize) -> Option<proto::Position> {
    Some(proto::Position { reaches: vec![proto::Reach::default(); servers] })
}

#[test]
fn every_message_within_a_message_counts() {
    let update = proto::Update {
        time: 7,
        reach: Some(proto::Reach { server: 1, seq: 2, digest: 3 }),
        effects: vec![proto::Effect { kind: 0, key: "k".into(), value: "v".into() }; 10],
        reduced: true,
        ..proto::Update::default()
    };
    let (position, head) = (position(20), position(40));
    // The part, the updates each with reach and effects, and the positions.
    let part = proto::Part { updates: vec![update; 5], position, head, newest: 9 };
    assert_eq!(count(Response::Part(part)), 1 + 5 * (1 + 1 + 10) + (1 + 20) + (1 + 40));

    let head = self::position(3);
    let dbms = vec![String::new(); 4];
    let welcome = proto::Welcome { server: 1, epoch: 2, dbms, head, newest: 3 };
    assert_eq!(count(Response::Welcome(welcome)), 1 + 4 + (1 + 3));

    let from = self::position(5);
    let place = Some(proto::SnapshotPlace { from, dbm: 1, key: Some("k".into()) });
    let records = vec![proto::Record { key: "k".into(), value: "v".into() }; 7];
    let part = proto::SnapshotPart { place, records, of: 9, end: false };
    assert_eq!(count(Response::Snapshot(part)), 1 + 1 + (1 + 5) + 7);
}

#[test]
fn what_cannot_be_read_ends_the_count() {
    let part = proto::Part {
        updates: vec![proto::Update { time: 7, ..proto::Update::default() }; 5],
        ..proto::Part::default()
    };
    let message = proto::FollowResponse { response: Some(Response::Part(part)) };
    let whole = message.encode_to_vec();
    for length in 0..whole.len() {
        assert!(elements(&whole[..length], &RESPONSE) <= 6);
    }
    // A number that has no end, a kind that there is not, a length beyond the end.
    for wrong in [&[0xff; 20][..], &[0x0f], &[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
        assert_eq!(elements(wrong, &RESPONSE), 0);
    }
    // Groups and numbers of all sizes are passed over.
    let passed = [0x0b, 0x0c, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0d, 1, 2, 3, 4, 0x12, 0x00];
    assert_eq!(elements(&passed, &RESPONSE), 1);
}

#[test]
fn the_limit_is_that_of_messages() {
    let message = |updates| {
        let updates = vec![proto::Update::default(); updates];
        let part = proto::Part { updates, ..proto::Part::default() };
        proto::FollowResponse { response: Some(Response::Part(part)) }.encode_to_vec()
    };
    check(&message(ELEMENTS_FREE - 1), 0).expect("that is always fine");
    check(&message(ELEMENTS_FREE), 0).expect_err("one too many");
    check(&message(ELEMENTS_FREE), 64 * (ELEMENTS_FREE + 1)).expect("so many bytes are fine");
}
