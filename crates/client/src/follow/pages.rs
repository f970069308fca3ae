//! Reading the commits of a Hozo server's store.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use hozo_proto::hozo_v1::follow_pages_request::Request;
use hozo_proto::hozo_v1::{FollowPagesRequest, FollowPagesResponse, PagesAcknowledge, PagesHello};
use hozo_traits::{
    Error, ErrorKind, PageFeed, PageFeedReader, PagesPart, PagesPiece, PagesStart, Reader, Result,
    ServerId, Version,
};

use super::acknowledging::{Newest, Requests};
use super::heard::{Heard, SILENCE_MAX};
use super::{pieces, weigh, wire};
use crate::Client;
use crate::error::of_replication;

const PATH: &str = "/hozo.v1.Replication/FollowPages";

/// A store's commits, from afar.
pub(super) struct Pages {
    client: Client,
    server: ServerId,
    store: String,
}

impl Pages {
    pub(super) fn new(client: &Client, server: ServerId, store: &str) -> Pages {
        Pages { client: client.clone(), server, store: store.to_owned() }
    }
}

#[async_trait]
impl PageFeed for Pages {
    fn store(&self) -> &str {
        &self.store
    }

    fn server(&self) -> ServerId {
        self.server
    }

    async fn open(&self, start: PagesStart, reader: Reader) -> Result<Box<dyn PageFeedReader>> {
        let newest = Arc::new(Newest::default());
        let hello = PagesHello {
            server: reader.server.map_or(0, ServerId::get),
            epoch: reader.epoch,
            name: reader.name,
            acknowledges: reader.acknowledges,
            store: self.store.clone(),
            after: pieces::version_sent(start.after),
            last: start.last.map(|id| id.as_bytes().to_vec().into()).unwrap_or_default(),
        };
        let hello = FollowPagesRequest { request: Some(Request::Hello(hello)) };
        let requests = Requests { hello: Some(hello), newest: newest.clone() };
        let mut stream = Heard::open(&self.client, PATH, requests, of_replication).await?;
        let first = stream.first::<FollowPagesResponse>(weigh::check_pages).await?;
        let mut commits = Commits {
            stream,
            server: self.server,
            acknowledges: reader.acknowledges.then_some(newest),
            came: start.after,
            half: None,
            rest: VecDeque::new(),
            told: None,
        };
        commits.take(first).map_err(|error| commits.stream.ends(error))?;
        Ok(Box::new(commits))
    }
}

/// An open feed of commits.
struct Commits {
    stream: Heard,
    server: ServerId,
    /// Where acknowledgements are put, if the reader said that it sends some.
    acknowledges: Option<Arc<Newest<FollowPagesRequest>>>,
    /// The version of the last commit that came as a whole.
    came: Version,
    /// The version of which a part came.
    half: Option<Version>,
    /// Pieces that came and were not answered yet.
    rest: VecDeque<PagesPiece>,
    /// What came with them; `None` if it was answered.
    told: Option<PagesPart>,
}

impl Commits {
    /// Takes pieces that came, which have to go on where the last ones ended.
    fn take(&mut self, response: FollowPagesResponse) -> Result<()> {
        if response.server != self.server.get() {
            let what = "another server answers at this address now: connect again";
            return Err(Error::new(ErrorKind::Unavailable, what)
                .with("expected", self.server)
                .with("found", response.server));
        }
        let mut part = pieces::part(response)?;
        for piece in &part.pieces {
            if piece.version <= self.came || self.half.is_some_and(|half| half != piece.version) {
                let what = "the server sent commits that are not in their order";
                return Err(wire::wrong(what).with("version", piece.version));
            }
            self.half = Some(piece.version);
            if piece.end.is_some() {
                (self.came, self.half) = (piece.version, None);
            }
        }
        self.rest = std::mem::take(&mut part.pieces).into();
        self.told = Some(part);
        Ok(())
    }
}

#[async_trait]
impl PageFeedReader for Commits {
    async fn next(&mut self, bytes_max: usize) -> Result<PagesPart> {
        if self.told.is_none() {
            let response = self.stream.next(weigh::check_pages, SILENCE_MAX).await?;
            self.take(response).map_err(|error| self.stream.ends(error))?;
        }
        let (mut pieces, mut bytes) = (Vec::new(), 0usize);
        while let Some(piece) = self.rest.front() {
            bytes = bytes.saturating_add(piece.bytes());
            if bytes > bytes_max && !pieces.is_empty() {
                break;
            }
            pieces.extend(self.rest.pop_front());
        }
        let told = match self.rest.is_empty() {
            true => self.told.take(),
            false => self.told.clone(),
        };
        match told {
            Some(told) => Ok(PagesPart { pieces, ..told }),
            None => Err(wire::wrong("what the server told was answered already")),
        }
    }

    fn acknowledge(&mut self, durable: Version, epoch: u64) -> Result<()> {
        self.stream.check()?;
        if let Some(newest) = &self.acknowledges {
            let version = pieces::version_sent(durable);
            let request = Request::Acknowledge(PagesAcknowledge { version, epoch });
            newest.put(FollowPagesRequest { request: Some(request) });
        }
        Ok(())
    }
}
