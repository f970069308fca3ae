//! Waiting for FoundationDB's futures.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Waits for a future of the crate, and misses no wake-up.
///
/// The crate's futures look whether they are ready, and only then note whom to wake:
/// what happens in between wakes the one who was noted before. That is nobody where a
/// future is first polled in passing, as `exec::block_on` does, and then in earnest.
/// So who is not answered looks once more, after it was noted.
pub(super) async fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Pending => future.as_mut().poll(context),
        output => output,
    })
    .await
}

#[cfg(test)]
mod tests;
