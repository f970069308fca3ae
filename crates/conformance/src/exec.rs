//! An executor that never blocks for anyone: the other kind of caller than
//! [`hozo_traits::exec::block_on`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// A future that owns all it needs.
pub type Job<T> = Pin<Box<dyn Future<Output = T> + Send>>;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls all `jobs` in turn on this thread until each has ended, so that all
/// that wait for something are in flight at once. While they are polled,
/// [`may_block`](hozo_traits::exec::may_block) is false: a job that blocks
/// keeps the others from ending.
pub fn poll_together<T>(jobs: Vec<Job<T>>) -> Vec<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut answers: Vec<Option<T>> = jobs.iter().map(|_| None).collect();
    let mut pending: Vec<(usize, Job<T>)> = jobs.into_iter().enumerate().collect();
    loop {
        pending.retain_mut(|(i, job)| match job.as_mut().poll(&mut context) {
            Poll::Ready(answer) => {
                answers[*i] = Some(answer);
                false
            }
            Poll::Pending => true,
        });
        if pending.is_empty() {
            return answers.into_iter().flatten().collect();
        }
        thread::park();
    }
}
