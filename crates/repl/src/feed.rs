//! The log as those see it who follow.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use hozo_traits::{
    ChangeFeed, FeedPart, FeedReader, PageFeed, Position, Reader, Result, ServerId, SnapshotPlace,
    SnapshotReader, Start, Timestamp,
};

use crate::pages;
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::ulog::{Begin, Place, UlogReader};

/// Parts that were given and not acknowledged, of which the place is kept.
const PARTS_KEPT: usize = 1024;

/// This server's [`ChangeFeed`].
pub(crate) struct Feed(pub(crate) Arc<Shared>);

#[async_trait]
impl ChangeFeed for Feed {
    fn server(&self) -> ServerId {
        self.0.ulog.me()
    }

    fn epoch(&self) -> u64 {
        self.0.ulog.state().epoch
    }

    fn dbms(&self) -> Vec<String> {
        self.0.ulog.state().dbms
    }

    fn head(&self) -> Position {
        self.0.ulog.durable().position
    }

    fn newest(&self) -> Timestamp {
        self.0.ulog.durable().newest
    }

    async fn open(&self, start: Start, reader: Reader) -> Result<Box<dyn FeedReader>> {
        self.refuse_newer(reader.epoch)?;
        // So that who has all up to the head has what was answered before it came.
        self.0.ulog.wait(self.0.ulog.end()).await?;
        let begin = match start {
            Start::After(position) => Begin::After(position),
            Start::Since(time) => Begin::Since(time),
        };
        let ulog = self.0.ulog.reader(begin, reader.server)?;
        let number = self.0.follower_comes(&reader, ulog.place())?;
        let shared = Arc::clone(&self.0);
        Ok(Box::new(Following { shared, ulog, number, given: VecDeque::new() }))
    }

    async fn snapshot(
        &self,
        after: Option<SnapshotPlace>,
        reader: Reader,
    ) -> Result<Box<dyn SnapshotReader>> {
        self.refuse_newer(reader.epoch)?;
        let snapshot = Snapshot::begin(Arc::clone(&self.0), after, &reader).await?;
        Ok(Box::new(snapshot))
    }

    fn pages(&self, store: &str) -> Result<Arc<dyn PageFeed>> {
        let (shared, store) = (Arc::clone(&self.0), Arc::clone(self.0.pages.store(store)?));
        Ok(Arc::new(pages::Feed { shared, store }))
    }
}

impl Feed {
    /// CF-5.
    fn refuse_newer(&self, epoch: u64) -> Result<()> {
        match epoch > self.epoch() {
            true => Err(self.0.fence(epoch)),
            false => Ok(()),
        }
    }
}

/// Somebody who follows.
struct Following {
    shared: Arc<Shared>,
    ulog: UlogReader,
    number: u64,
    /// Where the feed was after parts that were given, and where in the log.
    given: VecDeque<(Position, Place)>,
}

#[async_trait]
impl FeedReader for Following {
    async fn next(&mut self, bytes_max: usize) -> Result<FeedPart> {
        let part = self.ulog.next(bytes_max).await?;
        let place = self.ulog.place();
        if self.given.len() == PARTS_KEPT {
            self.given.pop_back();
        }
        self.given.push_back((part.position.clone(), place));
        self.shared.followers.reads(self.number, place);
        Ok(part)
    }

    fn acknowledge(&mut self, position: &Position, epoch: u64) -> Result<()> {
        if epoch > self.shared.ulog.state().epoch {
            return Err(self.shared.fence(epoch));
        }
        let mut place = 0;
        while let Some((given, at)) = self.given.front()
            && position.covers(given)
        {
            place = *at;
            self.given.pop_front();
        }
        self.shared.followers.acknowledged(self.number, position, place);
        Ok(())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.shared.follower_goes(self.number);
    }
}
