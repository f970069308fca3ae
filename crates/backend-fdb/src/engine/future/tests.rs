//! That a wake-up which comes just before the waker is noted is not missed.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;

/// Looks, becomes ready, and only then notes whom to wake; as the crate's futures
/// may in another thread.
struct Late(bool);

impl Future for Late {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[test]
fn what_became_ready_meanwhile_is_seen() {
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(pin!(Late(false)).poll(&mut context), Poll::Pending);
    assert_eq!(pin!(ready(Late(false))).poll(&mut context), Poll::Ready(()));
}
