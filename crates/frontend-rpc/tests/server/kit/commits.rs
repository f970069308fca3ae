//! Commits of a store that are what a test says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hozo_traits::{
    Error, ErrorKind, PageFeed, PageFeedReader, PagesPart, PagesStart, Reader, Result, ServerId,
    Version,
};

use super::replicator::{Log, server};

/// More than any test reads.
const READS_MAX: u64 = 1000;

/// What there is of the store, and what was done with it.
#[derive(Clone, Default)]
pub(crate) struct Commits {
    /// What readers get, one after the other, after how far the store is.
    pub(crate) parts: Vec<PagesPart>,
    /// How long readers take for their first answer.
    pub(crate) first_takes: Duration,
    pub(crate) fails_to_open: Option<ErrorKind>,
    pub(crate) opened: Vec<(PagesStart, Reader)>,
    pub(crate) asked: usize,
    /// How often.
    pub(crate) reads: u64,
    pub(crate) acknowledged: Vec<(Version, u64)>,
}

struct Feed(Log);

impl Log {
    pub(crate) fn pages_of(&self, store: &str) -> Result<Arc<dyn PageFeed>> {
        match store {
            "main" => Ok(Arc::new(Feed(self.clone()))),
            other => Err(Error::new(ErrorKind::NotFound, "no such store").with("store", other)),
        }
    }
}

#[async_trait]
impl PageFeed for Feed {
    fn store(&self) -> &str {
        "main"
    }

    fn server(&self) -> ServerId {
        server(1)
    }

    async fn open(&self, start: PagesStart, reader: Reader) -> Result<Box<dyn PageFeedReader>> {
        if let Some(kind) = self.0.0.borrow().commits.fails_to_open {
            return Err(Error::new(kind, "told to fail"));
        }
        self.0.change(|state| state.commits.opened.push((start, reader)));
        Ok(Box::new(Reading { log: self.0.clone(), next: 0 }))
    }
}

struct Reading {
    log: Log,
    /// The next part; the first answer is before them.
    next: usize,
}

/// How far the store is.
pub(crate) fn nothing() -> PagesPart {
    PagesPart { pieces: Vec::new(), head: Version::from_seq(9), home: true, epoch: 3 }
}

#[async_trait]
impl PageFeedReader for Reading {
    async fn next(&mut self, bytes_max: usize) -> Result<PagesPart> {
        self.log.change(|state| {
            state.commits.asked = bytes_max;
            state.commits.reads += 1;
        });
        let commits = self.log.state().commits;
        assert!(commits.reads < READS_MAX, "it asks and asks");
        if self.next == 0 {
            tokio::time::sleep(commits.first_takes).await;
        } else {
            self.log.until(|state| state.commits.parts.len() >= self.next).await;
        }
        self.next += 1;
        let state = self.log.0.borrow();
        let part = self.next.checked_sub(2).and_then(|at| state.commits.parts.get(at));
        Ok(part.cloned().unwrap_or_else(nothing))
    }

    fn acknowledge(&mut self, durable: Version, epoch: u64) -> Result<()> {
        self.log.change(|state| state.commits.acknowledged.push((durable, epoch)));
        Ok(())
    }
}
