//! Feeding one follower: what it is told is read when it wants it, while it is
//! heard.

use std::sync::Arc;
use std::time::Duration;

use hozo_traits::Result;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::Status;

use super::ear::{Ear, Heard, Said};
use crate::service::Service;
use crate::service::answers::Out;

/// After so long without news a follower is told that there are none. As often
/// it is looked whether it still may follow.
pub(super) const BEAT: Duration = Duration::from_secs(2);

/// What a follower is fed with.
pub(super) trait Fed: Send + 'static {
    /// What it says.
    type Request: Said + Send + 'static;
    /// What it is told.
    type Message: Send + 'static;

    /// The next message of what was read, if there is one.
    fn message(&mut self) -> Option<Result<Self::Message>>;

    /// Waits for what is next, and reads it. Called when there is no message; may
    /// be dropped while it waits.
    fn read(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// That there is nothing new.
    fn beat(&self) -> Self::Message;

    /// The follower has this on stable storage.
    fn acknowledge(&mut self, has: <Self::Request as Said>::Has) -> Result<()>;
}

/// All that is needed to feed one follower.
pub(super) struct Feeding<F: Fed> {
    pub(super) service: Service,
    pub(super) fed: F,
    pub(super) ear: Ear<F::Request>,
}

/// The task that feeds. It ends with this.
struct Task(JoinHandle<Result<(), Status>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<F: Fed> Feeding<F> {
    /// Feeds the follower until it, or the server, goes.
    ///
    /// A follower is heard at all times, also while it does not read: others may
    /// wait for its acknowledgement. So hearing and reading are a task, and giving
    /// is another. Only what is wanted is read, so one message is all that is kept.
    pub(super) async fn run(self, out: &Out<F::Message>) -> Result<(), Status> {
        let wanted = Arc::new(Notify::new());
        let (sender, mut messages) = mpsc::channel(1);
        let mut task = Task(tokio::spawn(self.feed(Arc::clone(&wanted), sender)));
        loop {
            wanted.notify_one();
            let Some(message) = messages.recv().await else { break };
            out.give(message).await;
        }
        (&mut task.0).await.unwrap_or_else(|error| {
            tracing::error!(%error, "feeding a follower ended by a defect");
            Err(Status::internal("a defect ended the work"))
        })
    }

    async fn feed(
        mut self,
        wanted: Arc<Notify>,
        out: mpsc::Sender<F::Message>,
    ) -> Result<(), Status> {
        loop {
            self.hear_until(wanted.notified()).await?;
            let message = self.next().await?;
            if out.send(message).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Hears what the follower says until the future is ready.
    async fn hear_until(&mut self, ready: impl Future<Output = ()>) -> Result<(), Status> {
        let mut ready = std::pin::pin!(ready);
        loop {
            match self.ear.or(Instant::now() + BEAT, ready.as_mut()).await? {
                Heard::Done(()) => return Ok(()),
                Heard::Said(said) => self.acknowledge(said)?,
                Heard::Nothing => {}
            }
        }
    }

    /// The next message, when there is one, or when it is time to say that there
    /// is none.
    async fn next(&mut self) -> Result<F::Message, Status> {
        let beat = Instant::now() + BEAT;
        loop {
            if let Some(message) = self.fed.message() {
                return message.map_err(|error| self.service.0.refusal(&error));
            }
            // What waits is dropped when the follower says something, and begun
            // anew: it may be.
            match self.ear.or(beat, self.fed.read()).await? {
                Heard::Done(read) => read.map_err(|error| self.service.0.refusal(&error))?,
                Heard::Said(said) => self.acknowledge(said)?,
                Heard::Nothing => return Ok(self.fed.beat()),
            }
        }
    }

    fn acknowledge(&mut self, has: <F::Request as Said>::Has) -> Result<(), Status> {
        self.fed.acknowledge(has).map_err(|error| self.service.0.refusal(&error))
    }
}
