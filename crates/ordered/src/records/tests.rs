//! What the conformance suite cannot see from outside.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::latches::{Held, Latches, Stripes};
use super::layout;

fn stripes(of: &[u8]) -> Stripes {
    let mut stripes = Stripes::default();
    of.iter().for_each(|stripe| stripes.insert(*stripe));
    stripes
}

fn poll<'a>(hold: std::pin::Pin<&mut impl Future<Output = Held<'a>>>) -> Option<Held<'a>> {
    match hold.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(held) => Some(held),
        Poll::Pending => None,
    }
}

#[test]
fn stripes_apart_are_held_at_once() {
    let latches = Latches::default();
    let (mut one, mut two) =
        (pin!(latches.hold(stripes(&[1, 200]))), pin!(latches.hold(stripes(&[2]))));
    let held = (poll(one.as_mut()).expect("free"), poll(two.as_mut()).expect("free"));
    let mut all = pin!(latches.hold(Stripes::ALL));
    assert!(poll(all.as_mut()).is_none());
    drop(held.0);
    assert!(poll(all.as_mut()).is_none(), "one is still held");
    drop(held.1);
    assert!(poll(all.as_mut()).is_some());
}

#[test]
fn nobody_passes_who_wants_the_same() {
    let latches = Latches::default();
    let held = poll(pin!(latches.hold(stripes(&[1])))).expect("free");
    let mut first = pin!(latches.hold(stripes(&[1, 2])));
    assert!(poll(first.as_mut()).is_none());
    // 2 is free, but who wants it came later.
    let mut second = pin!(latches.hold(stripes(&[2])));
    assert!(poll(second.as_mut()).is_none());
    assert!(poll(pin!(latches.hold(stripes(&[3])))).is_some(), "3 is nobody's business");
    drop(held);
    assert!(poll(second.as_mut()).is_none());
    let held = poll(first.as_mut()).expect("its turn");
    assert!(poll(second.as_mut()).is_none());
    drop(held);
    assert!(poll(second.as_mut()).is_some());
}

#[test]
fn who_leaves_the_line_lets_others_go_on() {
    let latches = Latches::default();
    let held = poll(pin!(latches.hold(stripes(&[1])))).expect("free");
    let mut leaves = Box::pin(latches.hold(stripes(&[1, 2])));
    let mut stays = pin!(latches.hold(stripes(&[2])));
    assert!(poll(leaves.as_mut()).is_none());
    assert!(poll(stays.as_mut()).is_none());
    drop(leaves);
    assert!(poll(stays.as_mut()).is_some());
    // One that was given its stripes, and leaves before it knows.
    let mut leaves = Box::pin(latches.hold(stripes(&[1])));
    assert!(poll(leaves.as_mut()).is_none());
    drop(held);
    drop(leaves);
    assert!(poll(pin!(latches.hold(Stripes::ALL))).is_some());
}

#[test]
fn stripes_of_keys_never_change() {
    // They are stored.
    assert_eq!([&b""[..], b"a", b"key"].map(layout::stripe), [193, 192, 245]);
    let spread: std::collections::BTreeSet<u8> =
        (0..10_000u32).map(|n| layout::stripe(&n.to_be_bytes())).collect();
    assert_eq!(spread.len(), 256);
}

proptest! {
    #[test]
    fn the_key_before_another_is_the_last_below_it(
        key in prop::collection::vec(0u8..3, 0..5), other in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        const LONGEST: usize = 6;
        let before = layout::before(7, &key, LONGEST);
        let (key, other) = (layout::record(7, &key), layout::record(7, &other));
        match before {
            None => prop_assert!(other >= key),
            Some(before) => {
                prop_assert!(before < key);
                prop_assert_eq!(other < key, other <= before);
            }
        }
    }
}
