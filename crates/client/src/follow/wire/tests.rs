use hozo_proto::hozo_v1::follow_response::Response;
use prost::Message;
use prost::bytes::Bytes;

use super::*;
use crate::follow::weigh;

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

/// Answers of all kinds.
fn answers() -> Vec<Vec<u8>> {
    let position = || {
        let reach = |server| proto::Reach { server, seq: 300, digest: 5 };
        Some(proto::Position { reaches: (1..4).map(reach).collect() })
    };
    let update = |what| proto::Update {
        time: 9,
        reach: Some(proto::Reach { server: 1, seq: 3, digest: 4 }),
        server: 2,
        what,
        dbm: 1,
        effects: vec![proto::Effect { kind: 0, key: "key".into(), value: "value".into() }],
        reduced: true,
        epoch: 4,
    };
    let updates = (0..4).map(update).collect();
    let part = proto::Part { updates, position: position(), head: position(), newest: 7 };
    let place = proto::SnapshotPlace { from: position(), dbm: 1, key: Some("k".into()) };
    let records = vec![proto::Record { key: "k".into(), value: "v".into() }];
    let snapshot = proto::SnapshotPart { place: Some(place), records, of: 5, end: false };
    let dbms = vec!["casket".to_owned()];
    let welcome = proto::Welcome { server: 1, epoch: 2, dbms, head: position(), newest: 3 };
    let answers = [Response::Part(part), Response::Snapshot(snapshot), Response::Welcome(welcome)];
    let encoded = |response| proto::FollowResponse { response: Some(response) }.encode_to_vec();
    answers.into_iter().map(encoded).collect()
}

/// Whether it was read without an error.
fn read(bytes: &[u8]) -> bool {
    let checked = weigh::check(bytes, bytes.len()).is_ok();
    let decoded = proto::FollowResponse::decode(Bytes::copy_from_slice(bytes));
    let Ok(proto::FollowResponse { response: Some(response) }) = decoded else { return false };
    checked
        && match response {
            Response::Part(sent) => part(sent).is_ok(),
            Response::Snapshot(sent) => snapshot(sent).is_ok(),
            Response::Welcome(sent) => {
                server(sent.server).is_ok() && super::position(sent.head).is_ok()
            }
        }
}

#[test]
fn damaged_answers_are_read_or_refused() {
    let mut numbers = Numbers(5);
    let (mut well, mut refused) = (0, 0);
    for answer in answers() {
        assert!(read(&answer));
        for _ in 0..5000 {
            let mut damaged = answer.clone();
            for _ in 0..=numbers.below(4) {
                let at = numbers.below(damaged.len());
                damaged[at] = u8::try_from(numbers.below(256)).expect("a byte");
            }
            damaged.truncate(1 + numbers.below(damaged.len() * 2));
            if read(&damaged) { well += 1 } else { refused += 1 }
        }
    }
    assert!(well > 100 && refused > 1000, "{well} {refused}");
}

#[test]
fn positions_go_there_and_back() {
    let reach = |server, seq| (ServerId::new(server).expect("an id"), Reach { seq, digest: 9 });
    let there: Position = [reach(1, 5), reach(2, 7)].into_iter().collect();
    assert_eq!(position(Some(position_sent(&there))).expect("it is one"), there);
    assert_eq!(position(None).expect("it is none"), Position::default());
    // A server of which there is nothing is one that is not there.
    let nothing = proto::Position { reaches: vec![proto::Reach { server: 3, seq: 0, digest: 0 }] };
    assert_eq!(position(Some(nothing)).expect("it is one"), Position::default());
}

#[test]
fn keys_and_values_count() {
    let update = |what| Update {
        time: Timestamp::default(),
        origin: ServerId::new(1).expect("an id"),
        reach: Reach { seq: 1, digest: 1 },
        server: ServerId::new(1).expect("an id"),
        what,
    };
    let effects = vec![
        Effect::Set { key: "key".into(), value: "value".into() },
        Effect::Remove { key: "other".into() },
    ];
    assert_eq!(bytes_of(&update(What::Records { dbm: 0, effects, reduced: false })), 13);
    let effects = vec![Effect::Clear];
    assert_eq!(bytes_of(&update(What::Records { dbm: 0, effects, reduced: false })), 0);
    assert_eq!(bytes_of(&update(What::Nothing)), 0);
}
