//! The rpc `FollowPages`: the commits of a store for one follower.

use std::sync::Arc;

use hozo_proto::hozo_v1::{FollowPagesRequest, FollowPagesResponse, PagesHello};
use hozo_traits::{
    CommitId, Error, ErrorKind, PageFeedReader, PagesPart, PagesStart, Reader, Replicator, Result,
    ServerId, Version,
};
use prost::Message;
use tonic::Streaming;

use super::convert;
use super::ear::{Acknowledged, Ear};
use super::feeding::{Fed, Feeding};
use super::parts::ask_bytes;
use super::pieces;
use crate::service::access::Access;
use crate::service::answers::{Answers, Requests};
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
        let fed = Commits::new(server, reader, message_bytes_max, first);
        Feeding { service: call.shared(), fed, ear }.run(&out).await
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

/// The commits of a store.
struct Commits {
    server: ServerId,
    reader: Box<dyn PageFeedReader>,
    message_bytes_max: usize,
    /// What was read, until it is said.
    part: Option<PagesPart>,
    /// What was read last, without pieces.
    last: PagesPart,
}

impl Commits {
    /// Of a reader that has read this.
    fn new(
        server: ServerId,
        reader: Box<dyn PageFeedReader>,
        message_bytes_max: usize,
        first: PagesPart,
    ) -> Self {
        let last = without_pieces(&first);
        Commits { server, reader, message_bytes_max, part: Some(first), last }
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
}

impl Fed for Commits {
    type Request = FollowPagesRequest;
    type Message = FollowPagesResponse;

    fn message(&mut self) -> Option<Result<FollowPagesResponse>> {
        self.part.take().map(|part| self.sized(part))
    }

    async fn read(&mut self) -> Result<()> {
        let part = self.reader.next(ask_bytes(self.message_bytes_max)).await?;
        self.last = without_pieces(&part);
        self.part = Some(part);
        Ok(())
    }

    fn beat(&self) -> FollowPagesResponse {
        pieces::message(self.server, self.last.clone())
    }

    fn acknowledge(&mut self, has: Acknowledged<Version>) -> Result<()> {
        self.reader.acknowledge(has.position, has.epoch)
    }
}

/// How far the store is, and no more.
fn without_pieces(part: &PagesPart) -> PagesPart {
    let PagesPart { pieces: _, head, home, epoch } = *part;
    PagesPart { pieces: Vec::new(), head, home, epoch }
}
