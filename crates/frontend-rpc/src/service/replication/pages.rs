//! The rpc `FollowPages`: the commits of a store for one follower.

use std::sync::Arc;

use hozo_proto::hozo_v1::{FollowPagesRequest, FollowPagesResponse, PagesHello};
use hozo_traits::{
    CommitId, Error, ErrorKind, PageFeedReader, PagesPart, PagesStart, Reader, Replicator, Result,
    ServerId, Version,
};
use prost::Message;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::{Status, Streaming};

use super::convert;
use super::ear::{Ear, Heard};
use super::feeding::BEAT;
use super::parts::ask_bytes;
use super::pieces;
use crate::service::Service;
use crate::service::access::Access;
use crate::service::answers::{Answers, Out, Requests};
use crate::service::call::Call;

pub(super) fn serve(
    call: Call,
    access: Access,
    replicator: Arc<dyn Replicator>,
    streaming: Streaming<FollowPagesRequest>,
) -> Answers<FollowPagesResponse> {
    Answers::new(|out| async move {
        let service = call.service();
        let stopping = &service.options.stopping;
        let refusal = |error| service.refusal(&error);
        let mut ear = Ear::new(Requests::new(streaming, stopping), access);
        let (store, start, reader) = hello(ear.hello().await?).map_err(refusal)?;
        let feed = replicator.feed().and_then(|feed| feed.pages(&store)).map_err(refusal)?;
        let server = feed.server();
        if reader.server == Some(server) {
            let what = "a server cannot follow itself: each has a server_id of its own";
            let error = Error::new(ErrorKind::Invalid, what).with("server_id", server);
            return Err(refusal(error));
        }
        let mut reader = stopping.or(feed.open(start, reader)).await?.map_err(refusal)?;
        let message_bytes_max = service.options.message_bytes_max;
        // Before it is fed: until then there is nothing that could be said instead.
        let first = reader.next(ask_bytes(message_bytes_max));
        let first = stopping.or(first).await?.map_err(refusal)?;
        let (last, first) = (without_pieces(&first), Some(first));
        let service = call.shared();
        Feeding { service, server, reader, ear, message_bytes_max, first, last }.run(&out).await
    })
}

/// Which store is followed, from where on, and by whom.
fn hello(said: PagesHello) -> Result<(String, PagesStart, Reader)> {
    convert::check_name(&said.name, "a follower's name is shorter")?;
    convert::check_name(&said.store, "a store's name is shorter")?;
    let last = match said.last.is_empty() {
        true => None,
        false => Some(CommitId::from_slice(&said.last)?),
    };
    let start = PagesStart { after: convert::version(&said.after)?, last };
    let reader = Reader {
        server: convert::server(said.server)?,
        epoch: said.epoch,
        name: said.name,
        acknowledges: said.acknowledges,
    };
    Ok((said.store, start, reader))
}

/// All that is needed to feed one follower. It is heard while it does not read,
/// as followers of updates are; see [`super::feeding`].
struct Feeding {
    service: Service,
    server: ServerId,
    reader: Box<dyn PageFeedReader>,
    ear: Ear<FollowPagesRequest>,
    message_bytes_max: usize,
    /// What came first, until it is said.
    first: Option<PagesPart>,
    /// What came last, without pieces.
    last: PagesPart,
}

/// How far the store is, and no more.
fn without_pieces(part: &PagesPart) -> PagesPart {
    let PagesPart { pieces: _, head, home, epoch } = *part;
    PagesPart { pieces: Vec::new(), head, home, epoch }
}

/// The task that feeds. It ends with this.
struct Task(JoinHandle<Result<(), Status>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Feeding {
    async fn run(self, out: &Out<FollowPagesResponse>) -> Result<(), Status> {
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
        out: mpsc::Sender<FollowPagesResponse>,
    ) -> Result<(), Status> {
        loop {
            self.hear_until(wanted.notified()).await?;
            let part = self.next().await?;
            let message = self.sized(part).map_err(|error| self.service.0.refusal(&error))?;
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
                Heard::Said(said) => self.acknowledge(said.position, said.epoch)?,
                Heard::Nothing => {}
            }
        }
    }

    /// What to say next: pieces, or after some time that there are none.
    async fn next(&mut self) -> Result<PagesPart, Status> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let beat = Instant::now() + BEAT;
        let bytes_max = ask_bytes(self.message_bytes_max);
        loop {
            // What waits is dropped when the follower says something, and begun
            // anew: it may be.
            match self.ear.or(beat, self.reader.next(bytes_max)).await? {
                Heard::Done(Ok(part)) => {
                    self.last = without_pieces(&part);
                    return Ok(part);
                }
                Heard::Done(Err(error)) => return Err(self.service.0.refusal(&error)),
                Heard::Said(said) => self.acknowledge(said.position, said.epoch)?,
                Heard::Nothing => return Ok(self.last.clone()),
            }
        }
    }

    /// As a message, unless it is larger than messages may be.
    fn sized(&self, part: PagesPart) -> Result<FollowPagesResponse> {
        let version = part.pieces.first().map_or(Version::ZERO, |piece| piece.version);
        let message = pieces::message(self.server, part);
        let bytes = message.encoded_len();
        if bytes > self.message_bytes_max.max(pieces::SMALLEST_MESSAGE_BYTES_MAX) {
            let what = "a part of a commit is larger than a message of this server may be, so \
                        nobody can follow it: set a larger max_message_bytes there";
            return Err(Error::new(ErrorKind::TooLarge, what)
                .with("version", version)
                .with("bytes", bytes)
                .with("max_message_bytes", self.message_bytes_max));
        }
        Ok(message)
    }

    fn acknowledge(&mut self, durable: Version, epoch: u64) -> Result<(), Status> {
        let taken = self.reader.acknowledge(durable, epoch);
        taken.map_err(|error| self.service.0.refusal(&error))
    }
}
