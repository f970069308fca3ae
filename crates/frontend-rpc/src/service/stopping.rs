//! Telling what waits that the server stops.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tonic::Status;

use super::answers::stopped;

/// Said once, by the server, to all requests that wait for something: waiters
/// end with what they last saw, and streams end when they have answered what
/// they received. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Stopping(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    said: AtomicBool,
    notify: Arc<Notify>,
}

impl Stopping {
    /// Says it. Saying it twice is saying it once.
    pub fn stop(&self) {
        self.0.said.store(true, Ordering::SeqCst);
        self.0.notify.notify_waiters();
    }

    /// Whether it was said.
    pub fn is_said(&self) -> bool {
        self.0.said.load(Ordering::SeqCst)
    }

    /// Waits until it is said.
    pub async fn said(&self) {
        let notified = self.0.notify.notified();
        if !self.is_said() {
            notified.await;
        }
    }

    /// What the future gives, unless the server stops before.
    pub(super) async fn or<T>(&self, future: impl Future<Output = T>) -> Result<T, Status> {
        let mut said = pin!(self.said());
        let mut future = pin!(future);
        poll_fn(|context| {
            if said.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(stopped()));
            }
            future.as_mut().poll(context).map(Ok)
        })
        .await
    }

    /// For a task that looks again and again.
    pub(super) fn watch(&self) -> Watch {
        Watch {
            stopping: self.clone(),
            notified: Box::pin(Arc::clone(&self.0.notify).notified_owned()),
            waker: None,
        }
    }
}

/// Looks whether the server stops, at the cost of a load where nothing changed.
pub(super) struct Watch {
    stopping: Stopping,
    notified: Pin<Box<OwnedNotified>>,
    /// Who is woken.
    waker: Option<Waker>,
}

impl Watch {
    /// Whether the server stops; if not, the task is woken when it does.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.stopping.is_said() {
            return Poll::Ready(());
        }
        if self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            return Poll::Pending;
        }
        self.waker = Some(context.waker().clone());
        self.notified.as_mut().poll(context)
    }
}
