//! The feed of a Hozo server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use hozo_proto::hozo_v1::follow_response::Response;
use hozo_proto::hozo_v1::hello::Start as Sent;
use hozo_proto::hozo_v1::{FollowRequest, FollowResponse, SnapshotStart, Welcome};
use hozo_traits::{
    ChangeFeed, Error, ErrorKind, FeedPart, FeedReader, PageFeed, Position, Reader, Result,
    ServerId, SnapshotPlace, SnapshotReader, Start, Timestamp, What,
};

use super::acknowledging::{Newest, Requests};
use super::heard::Heard;
use super::pages::Pages;
use super::reader::Updates;
use super::snapshot::Records;
use super::{weigh, wire};
use crate::Client;
use crate::error::of_replication;

const PATH: &str = "/hozo.v1.Replication/Follow";

/// A server's log, from afar.
pub(super) struct Feed {
    client: Client,
    known: Arc<Known>,
}

/// What is known of a server.
pub(super) struct Known {
    server: ServerId,
    told: Mutex<Told>,
}

/// What it told last.
#[derive(Clone, Default)]
struct Told {
    epoch: u64,
    dbms: Vec<String>,
    head: Position,
    newest: Timestamp,
}

impl Feed {
    /// Greets the server.
    pub(super) async fn greet(client: &Client, reader: &Reader) -> Result<Feed> {
        let (mut stream, _) = open(client, reader, Sent::Greeting(true)).await?;
        let welcome = welcomed(&mut stream).await?;
        let server = wire::server(welcome.server).map_err(|error| stream.ends(error))?;
        let known = Known { server, told: Mutex::default() };
        known.welcome(welcome).map_err(|error| stream.ends(error))?;
        Ok(Feed { client: client.clone(), known: Arc::new(known) })
    }

    /// Opens a stream, and is welcome.
    async fn welcome(
        &self,
        reader: &Reader,
        start: Sent,
    ) -> Result<(Heard, Arc<Newest<FollowRequest>>)> {
        let (mut stream, newest) = open(&self.client, reader, start).await?;
        let welcome = welcomed(&mut stream).await?;
        self.known.welcome(welcome).map_err(|error| stream.ends(error))?;
        Ok((stream, newest))
    }
}

async fn open(
    client: &Client,
    reader: &Reader,
    start: Sent,
) -> Result<(Heard, Arc<Newest<FollowRequest>>)> {
    let newest = Arc::new(Newest::default());
    let hello = Some(wire::hello(reader, start));
    let requests = Requests { hello, newest: newest.clone() };
    Ok((Heard::open(client, PATH, requests, of_replication).await?, newest))
}

async fn welcomed(stream: &mut Heard) -> Result<Welcome> {
    match stream.first::<FollowResponse>(weigh::check).await?.response {
        Some(Response::Welcome(welcome)) => Ok(welcome),
        _ => Err(stream.ends(wire::wrong("the server did not begin with a welcome"))),
    }
}

impl Known {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn welcome(&self, welcome: Welcome) -> Result<()> {
        if welcome.server != self.server.get() {
            let what = "another server answers at this address now: connect again";
            let error = Error::new(ErrorKind::Unavailable, what).with("expected", self.server);
            return Err(error.with("found", welcome.server));
        }
        let head = wire::position(welcome.head)?;
        let mut told = self.told();
        told.epoch = told.epoch.max(welcome.epoch);
        told.dbms = welcome.dbms;
        told.advance(&head, Timestamp::from_micros(welcome.newest));
        Ok(())
    }

    /// Takes note of what a part says.
    pub(super) fn part(&self, part: &FeedPart) {
        let mut told = self.told();
        told.advance(&part.head, part.newest);
        for update in &part.updates {
            if let What::Epoch(epoch) = update.what {
                told.epoch = told.epoch.max(epoch);
            }
        }
    }
}

impl Told {
    /// Two streams may overtake one another.
    fn advance(&mut self, head: &Position, newest: Timestamp) {
        if head.covers(&self.head) {
            self.head = head.clone();
        }
        self.newest = self.newest.max(newest);
    }
}

#[async_trait]
impl ChangeFeed for Feed {
    fn server(&self) -> ServerId {
        self.known.server
    }

    fn epoch(&self) -> u64 {
        self.known.told().epoch
    }

    fn dbms(&self) -> Vec<String> {
        self.known.told().dbms.clone()
    }

    fn head(&self) -> Position {
        self.known.told().head.clone()
    }

    fn newest(&self) -> Timestamp {
        self.known.told().newest
    }

    async fn open(&self, start: Start, reader: Reader) -> Result<Box<dyn FeedReader>> {
        let (start, position) = match start {
            Start::After(position) => (Sent::After(wire::position_sent(&position)), position),
            Start::Since(time) => (Sent::Since(time.as_micros()), Position::default()),
        };
        let (stream, newest) = self.welcome(&reader, start).await?;
        let acknowledges = reader.acknowledges.then_some(newest);
        Ok(Box::new(Updates::new(stream, self.known.clone(), position, acknowledges)))
    }

    async fn snapshot(
        &self,
        after: Option<SnapshotPlace>,
        reader: Reader,
    ) -> Result<Box<dyn SnapshotReader>> {
        let place = after.as_ref().map(wire::place_sent);
        let start = Sent::Snapshot(SnapshotStart { place });
        let (stream, _) = self.welcome(&reader, start).await?;
        Ok(Box::new(Records::new(stream, after.map_or(0, |place| place.dbm))))
    }

    fn pages(&self, store: &str) -> Result<Arc<dyn PageFeed>> {
        Ok(Arc::new(Pages::new(&self.client, self.known.server, store)))
    }
}
