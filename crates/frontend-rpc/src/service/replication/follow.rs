//! The rpc `Follow`.

use std::pin::pin;
use std::sync::Arc;

use hozo_proto::hozo_v1::follow_response::Response;
use hozo_proto::hozo_v1::{FollowRequest, FollowResponse, Part, SnapshotPart};
use hozo_traits::{
    ChangeFeed, Error, ErrorKind, FeedReader, Position, Replicator, Result, SnapshotReader, Start,
};
use tokio::time::Instant;
use tonic::{Status, Streaming};

use super::convert::{self, Begin};
use super::ear::{Acknowledged, Ear, Heard};
use super::feeding::{BEAT, Fed, Feeding};
use super::parts::{Parts, ask_bytes};
use crate::service::Inner;
use crate::service::access::Access;
use crate::service::answers::{Answers, Out, Requests};
use crate::service::call::Call;

pub(super) fn serve(
    call: Call,
    access: Access,
    replicator: Arc<dyn Replicator>,
    streaming: Streaming<FollowRequest>,
) -> Answers<FollowResponse> {
    Answers::new(|out| async move {
        let service = call.service();
        let stopping = &service.options.stopping;
        let refusal = |error| service.refusal(&error);
        let mut ear = Ear::new(Requests::new(streaming, stopping), access);
        let (reader, begin) = convert::hello(ear.hello().await?).map_err(refusal)?;
        let feed = replicator.feed().map_err(refusal)?;
        if reader.server == Some(feed.server()) {
            let what = "a server cannot follow itself: each has a server_id of its own";
            let error = Error::new(ErrorKind::Invalid, what).with("server_id", feed.server());
            return Err(refusal(error));
        }
        // Whoever is welcome gets what it asked for: so first it is begun.
        match begin {
            Begin::Greeting => {
                welcome(&*feed, &out).await;
                Ok(())
            }
            Begin::Snapshot(place) => {
                // It waits for updates that are under way, and counts all records.
                let source = Arc::clone(&feed);
                let begun = service.long(|_| async move { source.snapshot(place, reader).await });
                let snapshot = stopping.or(begun).await??.map_err(refusal)?;
                welcome(&*feed, &out).await;
                give_all(service, ear, snapshot, &out).await
            }
            Begin::Updates(start) => {
                let position = match &start {
                    Start::After(position) => position.clone(),
                    Start::Since(_) => Position::default(),
                };
                let reader = stopping.or(feed.open(start, reader)).await?.map_err(refusal)?;
                welcome(&*feed, &out).await;
                let parts = Parts::new(position, service.options.message_bytes_max);
                let fed = Updates { feed, reader, parts };
                Feeding { service: call.shared(), fed, ear }.run(&out).await
            }
        }
    })
}

async fn welcome(feed: &dyn ChangeFeed, out: &Out<FollowResponse>) {
    let welcome = Response::Welcome(convert::welcome(feed));
    out.give(FollowResponse { response: Some(welcome) }).await;
}

/// The updates of a log.
struct Updates {
    feed: Arc<dyn ChangeFeed>,
    reader: Box<dyn FeedReader>,
    parts: Parts,
}

impl Fed for Updates {
    type Request = FollowRequest;
    type Message = FollowResponse;

    fn message(&mut self) -> Option<Result<FollowResponse>> {
        self.parts.next().map(|part| part.map(told))
    }

    async fn read(&mut self) -> Result<()> {
        let part = self.reader.next(self.parts.ask_bytes()).await?;
        self.parts.take(part);
        Ok(())
    }

    fn beat(&self) -> FollowResponse {
        told(self.parts.beat(&*self.feed))
    }

    fn acknowledge(&mut self, has: Acknowledged) -> Result<()> {
        self.reader.acknowledge(&has.position, has.epoch)
    }
}

fn told(part: Part) -> FollowResponse {
    FollowResponse { response: Some(Response::Part(part)) }
}

/// Gives all records of a snapshot, and its end.
async fn give_all(
    service: &Inner,
    mut ear: Ear<FollowRequest>,
    mut snapshot: Box<dyn SnapshotReader>,
    out: &Out<FollowResponse>,
) -> Result<(), Status> {
    let give = async |part| {
        out.give(FollowResponse { response: Some(Response::Snapshot(part)) }).await;
    };
    loop {
        let part = {
            let mut next = pin!(snapshot.next(ask_bytes(service.options.message_bytes_max)));
            loop {
                // Of what a reader of a snapshot has, nothing is kept here.
                if let Heard::Done(part) = ear.or(Instant::now() + BEAT, next.as_mut()).await? {
                    break part;
                }
            }
        };
        match part.and_then(|part| part.map(|part| sized(service, part)).transpose()) {
            Ok(Some(part)) => give(part).await,
            Ok(None) => break,
            Err(error) => return Err(service.refusal(&error)),
        }
    }
    give(SnapshotPart { end: true, ..SnapshotPart::default() }).await;
    Ok(())
}

/// As a message, unless a record is larger than messages may be.
fn sized(service: &Inner, part: hozo_traits::SnapshotPart) -> Result<SnapshotPart> {
    let most = service.options.message_bytes_max;
    let bytes = part.records.iter().map(|(key, value)| key.len().saturating_add(value.len()));
    if let Some(bytes) = bytes.max().filter(|bytes| *bytes > most) {
        let what = "a record is larger than a message of this server may be, so nobody can \
                    follow it: set a larger max_message_bytes there";
        return Err(Error::new(ErrorKind::TooLarge, what)
            .with("dbm", part.place.dbm)
            .with("bytes", bytes)
            .with("max_message_bytes", most));
    }
    Ok(convert::to_snapshot(part))
}
