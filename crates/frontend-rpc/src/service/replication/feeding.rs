//! Updates for one follower: read when it wants them, while it is heard.

use std::sync::Arc;
use std::time::Duration;

use hozo_proto::hozo_v1::follow_response::Response;
use hozo_proto::hozo_v1::{FollowRequest, FollowResponse, Part};
use hozo_traits::{ChangeFeed, FeedReader};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::Status;

use super::ear::{Ear, Heard};
use super::parts::Parts;
use crate::service::Service;
use crate::service::answers::Out;

/// After so long without updates a follower is told that there are none. As often
/// it is looked whether it still may follow.
pub(super) const BEAT: Duration = Duration::from_secs(2);

/// All that is needed to feed one follower.
pub(super) struct Feeding {
    pub(super) service: Service,
    pub(super) feed: Arc<dyn ChangeFeed>,
    pub(super) reader: Box<dyn FeedReader>,
    pub(super) ear: Ear<FollowRequest>,
    pub(super) parts: Parts,
}

/// The task that feeds. It ends with this.
struct Task(JoinHandle<Result<(), Status>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Feeding {
    /// Feeds the follower until it, or the server, goes.
    ///
    /// A follower is heard at all times, also while it does not read: others may
    /// wait for its acknowledgement. So hearing and reading are a task, and giving
    /// is another. Only what is wanted is read, so one message is all that is kept.
    pub(super) async fn run(self, out: &Out<FollowResponse>) -> Result<(), Status> {
        let wanted = Arc::new(Notify::new());
        let (sender, mut messages) = mpsc::channel(1);
        let mut task = Task(tokio::spawn(self.feed(Arc::clone(&wanted), sender)));
        loop {
            wanted.notify_one();
            let Some(part) = messages.recv().await else { break };
            out.give(FollowResponse { response: Some(Response::Part(part)) }).await;
        }
        (&mut task.0).await.unwrap_or_else(|error| {
            tracing::error!(%error, "feeding a follower ended by a defect");
            Err(Status::internal("a defect ended the work"))
        })
    }

    async fn feed(mut self, wanted: Arc<Notify>, out: mpsc::Sender<Part>) -> Result<(), Status> {
        loop {
            self.hear_until(wanted.notified()).await?;
            let part = self.next().await?;
            if out.send(part).await.is_err() {
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
                Heard::Said(said) => self.acknowledge(&said.position, said.epoch)?,
                Heard::Nothing => {}
            }
        }
    }

    /// The next message, when there is one, or when it is time to say that there
    /// is none.
    async fn next(&mut self) -> Result<Part, Status> {
        let beat = Instant::now() + BEAT;
        loop {
            if let Some(part) = self.parts.next() {
                return part.map_err(|error| self.service.0.refusal(&error));
            }
            // What waits is dropped when the follower says something, and begun
            // anew: it may be.
            match self.ear.or(beat, self.reader.next(self.parts.ask_bytes())).await? {
                Heard::Done(Ok(part)) => self.parts.take(part),
                Heard::Done(Err(error)) => return Err(self.service.0.refusal(&error)),
                Heard::Said(said) => self.acknowledge(&said.position, said.epoch)?,
                Heard::Nothing => return Ok(self.parts.beat(&*self.feed)),
            }
        }
    }

    fn acknowledge(&mut self, position: &hozo_traits::Position, epoch: u64) -> Result<(), Status> {
        let taken = self.reader.acknowledge(position, epoch);
        taken.map_err(|error| self.service.0.refusal(&error))
    }
}
