use super::*;

const MIB: usize = 1 << 20;

#[test]
fn small_requests_take_nothing() {
    let room = Room::new(4 * MIB);
    let mut full = room.share();
    assert!(full.hold(ROOM_BYTES + FREE_BYTES));
    let mut small: Vec<Share> = (0..10_000).map(|_| room.share()).collect();
    assert!(small.iter_mut().all(|share| share.hold(FREE_BYTES)));
    assert!(!small[0].hold(FREE_BYTES + 1));
}

#[test]
fn what_is_dropped_or_given_back_can_be_taken_again() {
    let room = Room::new(4 * MIB);
    let (mut one, mut other) = (room.share(), room.share());
    assert!(one.hold(200 * MIB) && !other.hold(100 * MIB));
    assert!(one.hold(100 * MIB) && other.hold(100 * MIB));
    drop(one);
    assert!(other.hold(200 * MIB));
    drop(other);
    assert_eq!(room.0.taken.load(Ordering::Relaxed), 0);
}

#[test]
fn two_of_the_largest_messages_always_fit() {
    let room = Room::new(1 << 30);
    let (mut one, mut other) = (room.share(), room.share());
    assert!(one.hold(1 << 30) && other.hold(1 << 30));
}

#[test]
fn only_what_is_not_whole_is_counted() {
    let message = |length: usize| [&[0, 0, 0, 0, length as u8][..], &vec![7; length]].concat();
    let body = [message(10), message(0), message(200), message(1)].concat();
    for part in 1..body.len() {
        let mut framing = Framing::default();
        let last = body.chunks(part).map(|chunk| framing.follow(chunk)).last();
        assert_eq!(last, Some(0), "in parts of {part}");
    }
    let mut framing = Framing::default();
    assert_eq!(framing.follow(&body[..15]), 0);
    assert_eq!(framing.follow(&body[15..22]), 2);
    assert_eq!(framing.follow(&body[22..125]), 105);
    assert_eq!(framing.follow(&body[125..226]), 1);
}
