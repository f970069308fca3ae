use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hozo_traits::Reach;

use super::*;

fn server(id: u32) -> ServerId {
    ServerId::new(id).unwrap()
}

fn reader(id: u32, acknowledges: bool) -> Reader {
    let server = (id > 0).then(|| server(id));
    Reader { server, epoch: 0, name: format!("f{id}"), acknowledges }
}

fn has(seq: u64) -> Position {
    [(server(1), Reach { seq, digest: 0 })].into_iter().collect()
}

fn having(followers: &Followers, seq: u64) -> u32 {
    followers.roster.having(|held| held.reaches(server(1), seq))
}

#[test]
fn those_who_have_an_update_are_counted() {
    let followers = Followers::new(Clock::system());
    let two = followers.enter(&reader(2, true), 0).unwrap();
    let three = followers.enter(&reader(3, true), 0).unwrap();
    let nameless = followers.enter(&reader(0, true), 0).unwrap();
    assert_eq!(having(&followers, 1), 0);
    followers.acknowledged(two, &has(5), 50);
    followers.acknowledged(three, &has(3), 30);
    // Only servers count: anybody else forgets.
    followers.acknowledged(nameless, &has(9), 90);
    assert_eq!([1, 3, 4, 5, 6].map(|seq| having(&followers, seq)), [2, 2, 1, 1, 0]);
    followers.leave(two);
    assert_eq!(having(&followers, 5), 1, "it has it all the same");
    // Connected again, it is the same one.
    let again = followers.enter(&reader(2, true), 50).unwrap();
    assert_eq!(having(&followers, 5), 1);
    followers.leave(two);
    followers.acknowledged(again, &has(7), 70);
    assert_eq!(having(&followers, 7), 1);
}

#[test]
fn what_was_not_acknowledged_is_needed() {
    let followers = Followers::new(Clock::system());
    assert_eq!(followers.needed_from(), None);
    let quiet = followers.enter(&reader(0, false), 10).unwrap();
    followers.reads(quiet, 20);
    assert_eq!(followers.needed_from(), None, "who says nothing is not waited for");
    let two = followers.enter(&reader(2, true), 40).unwrap();
    followers.reads(two, 90);
    assert_eq!(followers.needed_from(), Some(40), "it was given, not acknowledged");
    followers.acknowledged(two, &has(1), 60);
    followers.reads(two, 95);
    assert_eq!(followers.needed_from(), Some(60));
    followers.acknowledged(two, &has(1), 50);
    assert_eq!(followers.needed_from(), Some(60), "it never moves back");
    followers.leave(two);
    assert_eq!(followers.needed_from(), Some(60), "it will come back");
    let again = followers.enter(&reader(2, true), 60).unwrap();
    followers.acknowledged(again, &has(2), 80);
    assert_eq!(followers.needed_from(), Some(80));
    // One without a name cannot be known when it comes back.
    let nameless = followers.enter(&reader(0, true), 5).unwrap();
    assert_eq!(followers.needed_from(), Some(5));
    followers.leave(nameless);
    assert_eq!(followers.needed_from(), Some(80));
}

#[test]
fn there_is_an_end_to_those_who_are_remembered() {
    let followers = Followers::new(Clock::system());
    for id in 2..2 + REMEMBERED_MAX as u32 + 10 {
        let number = followers.enter(&reader(id, true), u64::from(id)).unwrap();
        followers.leave(number);
    }
    assert_eq!(followers.status(&has(0)).len(), REMEMBERED_MAX);
    assert_eq!(followers.needed_from(), Some(12), "the oldest went");
}

#[test]
fn who_is_gone_longest_is_forgotten_first() {
    let micros = Arc::new(AtomicU64::new(0));
    let followers = Followers::new(Clock::Counted(Arc::clone(&micros)));
    let ids = 2..2 + REMEMBERED_MAX as u32 + 10;
    let enter = |id| followers.enter(&reader(id, true), u64::from(id)).unwrap();
    let numbers: Vec<u64> = ids.map(enter).collect();
    for number in numbers.into_iter().rev() {
        micros.fetch_add(1, Ordering::SeqCst);
        followers.leave(number);
    }
    assert_eq!(followers.status(&has(0)).len(), REMEMBERED_MAX);
    assert_eq!(followers.needed_from(), Some(2), "the last that came is gone longest");
}

/// The time is asked for before the list is held, and somebody may go in between.
#[test]
fn who_went_a_moment_later_is_remembered() {
    let micros = Arc::new(AtomicU64::new(5));
    let followers = Followers::new(Clock::Counted(Arc::clone(&micros)));
    let two = followers.enter(&reader(2, true), 40).unwrap();
    followers.leave(two);
    micros.store(3, Ordering::SeqCst);
    assert_eq!(followers.needed_from(), Some(40));
}

#[test]
fn only_so_many_can_follow() {
    let followers = Followers::new(Clock::system());
    let first = followers.enter(&reader(0, false), 0).unwrap();
    for _ in 1..CONNECTED_MAX {
        followers.enter(&reader(0, false), 0).unwrap();
    }
    let refused = followers.enter(&reader(0, false), 0).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    followers.leave(first);
    followers.enter(&reader(0, false), 0).unwrap();
}

#[test]
fn status_says_who_is_there_and_how_far_behind() {
    let followers = Followers::new(Clock::system());
    let two = followers.enter(&reader(2, true), 0).unwrap();
    followers.enter(&reader(3, true), 0).unwrap();
    followers.acknowledged(two, &has(4), 0);
    followers.leave(two);
    let status = followers.status(&has(10));
    let said: Vec<_> =
        status.iter().map(|s| (s.name.as_str(), s.connected, s.behind, s.has.is_some())).collect();
    assert_eq!(said, [("f2", false, 6, true), ("f3", true, 0, false)]);
}
