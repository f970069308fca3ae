use hozo_traits::{Reach, ServerId};

use super::*;

fn server(id: u32) -> ServerId {
    ServerId::new(id).expect("an id")
}

fn update(seq: u64, effects: Vec<Effect>) -> Update {
    Update {
        time: Timestamp::from_micros(seq),
        origin: server(7),
        reach: Reach { seq, digest: 1 },
        server: server(7),
        what: What::Records { dbm: 0, effects, reduced: false },
    }
}

fn part(updates: Vec<Update>) -> FeedPart {
    let all =
        [(server(3), Reach { seq: 9, digest: 2 }), (server(7), Reach { seq: 99_999, digest: 1 })];
    let position: Position = all.into_iter().collect();
    FeedPart { updates, head: position.clone(), position, newest: Timestamp::from_micros(5) }
}

/// The messages of what was taken.
fn all(parts: &mut Parts) -> Vec<wire::Part> {
    std::iter::from_fn(|| parts.next()).map(|part| part.expect("it fits")).collect()
}

#[test]
fn very_short_updates_are_several_messages_and_nothing_is_left_out() {
    let clear = |seq| update(seq, vec![Effect::Clear]);
    let updates: Vec<Update> = (1..=50_000).map(clear).collect();
    let mut parts = Parts::new(Position::default(), 4 << 20);
    parts.take(part(updates.clone()));
    let messages = all(&mut parts);
    assert!(messages.len() > 2);
    let mut seq = 0;
    for (i, message) in messages.iter().enumerate() {
        let bytes = message.encoded_len();
        assert!(bytes <= 256 << 10, "{bytes}");
        // They are filled.
        let is_last = i + 1 == messages.len();
        assert!(is_last || bytes > 250 << 10, "{bytes}");
        for update in &message.updates {
            seq += 1;
            assert_eq!(update.reach.as_ref().expect("a number").seq, seq);
        }
        // Each says where the reader is after it; only the last has all.
        let reaches = &message.position.as_ref().expect("a place").reaches;
        let expected = if is_last { 99_999 } else { seq };
        assert_eq!(reaches.last().expect("a server").seq, expected);
        assert_eq!(reaches.len(), 1 + usize::from(is_last));
        assert_eq!((message.newest, message.head.as_ref().expect("a head").reaches.len()), (5, 2));
    }
    assert_eq!(seq, 50_000);
    assert!(parts.next().is_none());
}

#[test]
fn a_large_update_is_a_message_of_its_own_up_to_the_limit() {
    let value = |bytes: usize| {
        update(1, vec![Effect::Set { key: "k".into(), value: vec![7; bytes].into() }])
    };
    let mut parts = Parts::new(Position::default(), 1 << 20);
    parts.take(part(vec![value(9), value((1 << 20) - 1), value(9)]));
    let messages = all(&mut parts);
    assert_eq!(messages.iter().map(|part| part.updates.len()).collect::<Vec<_>>(), [1, 1, 1]);
    parts.take(part(vec![value(9), value(1 << 20), value(9)]));
    assert_eq!(parts.next().expect("a part").expect("it fits").updates.len(), 1);
    for _ in 0..2 {
        let error = parts.next().expect("an error").expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}

#[test]
fn nothing_is_a_message_too() {
    let mut parts = Parts::new(Position::default(), 1 << 20);
    assert!(parts.next().is_none());
    parts.take(part(vec![]));
    let messages = all(&mut parts);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].position.as_ref().expect("a place").reaches.len(), 2);
}

#[test]
fn messages_may_be_small() {
    let clear = |seq| update(seq, vec![Effect::Clear]);
    let mut parts = Parts::new(Position::default(), 1);
    parts.take(part((1..=3).map(clear).collect()));
    assert_eq!(all(&mut parts).len(), 3);
    assert_eq!(parts.ask_bytes(), 0);
}
