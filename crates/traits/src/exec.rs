//! Polling futures from threads that may block.
//!
//! Contract futures run on any executor. A thread that serves C code or the
//! kernel has no executor and may simply wait; [`block_on`] polls there, and
//! [`may_block`] is how an implementation learns that, while it is being
//! polled, it may do blocking work (an fsync, say) in place. Under any other
//! executor [`may_block`] is false, and such work goes to a thread of the
//! implementation's own.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

thread_local! {
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Whether whoever polls on this thread just now allows it to block.
pub fn may_block() -> bool {
    MAY_BLOCK.get()
}

/// Runs `future` to its end on this thread, sleeping while it waits.
///
/// A future that is ready on its first poll costs no system call.
pub fn block_on<F: Future>(future: F) -> F::Output {
    run(future, thread::park, || true).expect("only a refusal to go on ends without an output")
}

/// Like [`block_on`], but asks `go_on` every `slice` at the latest whether to
/// wait further; `None` when it said no. The future is dropped then, so what it
/// asked for may or may not happen.
pub fn block_on_while<F: Future>(
    future: F,
    slice: Duration,
    go_on: impl FnMut() -> bool,
) -> Option<F::Output> {
    run(future, || thread::park_timeout(slice), go_on)
}

fn run<F: Future>(
    future: F,
    sleep: impl Fn(),
    mut go_on: impl FnMut() -> bool,
) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    // Restores the flag when the future panics, too.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            MAY_BLOCK.set(self.0);
        }
    }

    let mut future = pin!(future);
    let _restore = Restore(MAY_BLOCK.replace(true));
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return Some(output);
    }
    // Not ready: poll again with a waker that works. The first poll's waker
    // did nothing, so the future must be polled once more before sleeping.
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        if !go_on() {
            return None;
        }
        sleep();
    }
}
