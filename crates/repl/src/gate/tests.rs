use std::pin::pin;

use futures_util::FutureExt;

use super::*;

#[test]
fn many_are_inside_or_one_alone() {
    let gate = Gate::default();
    let first = gate.enter().now_or_never().expect("inside");
    let second = gate.enter().now_or_never().expect("inside, too");
    let mut alone = pin!(gate.alone());
    assert!(alone.as_mut().now_or_never().is_none());
    assert!(gate.enter().now_or_never().is_none(), "not before the one who waits to be alone");
    drop(first);
    assert!(alone.as_mut().now_or_never().is_none());
    drop(second);
    let alone = alone.now_or_never().expect("alone");
    assert!(gate.enter().now_or_never().is_none());
    assert!(gate.alone().now_or_never().is_none());
    drop(alone);
    assert!(gate.enter().now_or_never().is_some());
    assert!(gate.alone().now_or_never().is_some());
}

#[test]
fn who_gives_up_to_be_alone_lets_others_in() {
    let gate = Gate::default();
    let first = gate.enter().now_or_never().expect("inside");
    assert!(gate.alone().now_or_never().is_none());
    assert!(gate.enter().now_or_never().is_some());
    drop(first);
}
