//! A page store as those see it who follow.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hozo_traits::{
    ChangeEntry, Error, ErrorKind, NamespacePages, PageFeed, PageFeedReader, PagesEnd, PagesPart,
    PagesPiece, PagesStart, Reader, Result, ServerId, Version,
};

use super::Store;
use super::commits::{Commit, Step};
use crate::shared::Shared;

/// Commits of which it is read at once what they are, without their pages.
const CHANGES_AT_ONCE: usize = 64;
/// What a piece counts for besides its bytes.
const PIECE_BYTES: usize = 128;
/// After so long without a commit a reader is told that there is none.
const BEAT: Duration = Duration::from_secs(1);

/// This server's [`PageFeed`] of one store.
pub(crate) struct Feed {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Arc<Store>,
}

#[async_trait]
impl PageFeed for Feed {
    fn store(&self) -> &str {
        &self.store.name
    }

    fn server(&self) -> ServerId {
        self.shared.ulog.me()
    }

    async fn open(&self, start: PagesStart, reader: Reader) -> Result<Box<dyn PageFeedReader>> {
        // PF-5.
        if reader.epoch > self.shared.ulog.state().epoch {
            return Err(self.shared.fence(reader.epoch));
        }
        self.check(start).await?;
        // What it had before, it may have lost.
        let has = reader.acknowledges.then_some(start.after);
        let number = self.store.followers.enter(&reader, |_| has)?;
        Ok(Box::new(Reading {
            shared: Arc::clone(&self.shared),
            store: Arc::clone(&self.store),
            number,
            after: start.after,
            changes: VecDeque::new(),
            commit: None,
            piece: None,
            ready: Vec::new(),
            bytes: 0,
            answered: None,
        }))
    }
}

impl Feed {
    /// PF-3 and PF-4.
    async fn check(&self, start: PagesStart) -> Result<()> {
        let inner = &*self.store.inner;
        let PagesStart { after, last } = start;
        // Says if the list does not go back so far.
        inner.changes(after, 0).await.map_err(|error| self.gone(error))?;
        if after == Version::ZERO {
            return Ok(());
        }
        let newest = inner.watermarks().await?.durable;
        if after > newest {
            if !self.shared.pages.home.takes() {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the source has not come so far itself: it follows another server",
                )
                .with("store", &self.store.name)
                .with("version", after)
                .with("newest_here", newest));
            }
            return Err(self.other_history(after).with("newest_here", newest));
        }
        let here = self.store.id_of(after).await?;
        match (here, last) {
            (Some(here), Some(last)) if here == last => Ok(()),
            (None, None) => Err(self.gone(
                Error::new(ErrorKind::VersionGone, "nobody knows which commit made a version")
                    .with("version", after),
            )),
            (here, last) => {
                let name = |id: Option<hozo_traits::CommitId>| {
                    id.map_or_else(|| "unknown".to_owned(), |id| id.to_string())
                };
                Err(self
                    .other_history(after)
                    .with("commit_here", name(here))
                    .with("commit_there", name(last)))
            }
        }
    }

    fn other_history(&self, version: Version) -> Error {
        Error::new(
            ErrorKind::Conflict,
            "the histories are not the same: this server has another commit of this version, or \
             none; promote the one that is right, and let the other begin anew with an empty store",
        )
        .with("store", &self.store.name)
        .with("version", version)
    }

    fn gone(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::VersionGone => Error::new(
                ErrorKind::VersionGone,
                "the source's store was made before it kept a list of its changes, which does not \
                 go back so far: stop both servers, and let the follower begin with a copy of that \
                 store, or export its namespaces and import them into a new store there",
            )
            .with("store", &self.store.name)
            .caused_by(error),
            _ => error,
        }
    }
}

/// Somebody who follows.
struct Reading {
    shared: Arc<Shared>,
    store: Arc<Store>,
    number: u64,
    /// Changes up to here were read.
    after: Version,
    changes: VecDeque<ChangeEntry>,
    /// The commit of which pages are being read.
    commit: Option<Commit>,
    /// What was read of it and is no piece yet.
    piece: Option<PagesPiece>,
    /// What is to be answered next. It is here, so that nothing is lost when an
    /// answer is not waited for.
    ready: Vec<PagesPiece>,
    bytes: usize,
    /// When it was answered last.
    answered: Option<Duration>,
}

impl Reading {
    /// Reads pieces until there are none now, or enough of them.
    async fn fill(&mut self, bytes_max: usize) -> Result<Version> {
        let marks = self.store.inner.watermarks().await?;
        if marks.sequenced > marks.durable {
            self.store.is_unsettled();
        }
        while self.bytes < bytes_max.max(1) {
            let Some(commit) = &mut self.commit else {
                if !self.next_commit(marks.durable).await? {
                    break;
                }
                continue;
            };
            match commit.step(&*self.store.inner, bytes_max.saturating_sub(self.bytes)).await? {
                Step::Pages(pages) => self.add(pages),
                Step::End(end) => self.complete(end),
            }
        }
        if self.piece.as_ref().is_some_and(|piece| !piece.pages.is_empty()) {
            self.ready.extend(self.piece.take());
        }
        Ok(marks.durable)
    }

    /// Goes to the next commit that is durable, if there is one (PF-2).
    async fn next_commit(&mut self, durable: Version) -> Result<bool> {
        if self.changes.is_empty() {
            let found = self.store.inner.changes(self.after, CHANGES_AT_ONCE).await?;
            self.changes.extend(found.into_iter().take_while(|change| change.version <= durable));
        }
        let Some(change) = self.changes.pop_front() else { return Ok(false) };
        self.after = change.version;
        self.commit = Some(Commit::new(change));
        Ok(true)
    }

    fn piece(&mut self) -> Option<&mut PagesPiece> {
        let change = self.commit.as_ref()?.change();
        let empty = PagesPiece {
            version: change.version,
            commit_id: change.commit_id,
            pages: Vec::new(),
            end: None,
        };
        Some(self.piece.get_or_insert(empty))
    }

    fn add(&mut self, more: NamespacePages) {
        if more.pages.is_empty() {
            return;
        }
        self.bytes += more.pages.iter().map(|(_, image)| image.len() + 16).sum::<usize>();
        let Some(piece) = self.piece() else { return };
        match piece.pages.last_mut().filter(|last| last.namespace == more.namespace) {
            Some(last) => last.pages.extend(more.pages),
            None => piece.pages.push(more),
        }
    }

    fn complete(&mut self, end: PagesEnd) {
        if let Some(piece) = self.piece() {
            piece.end = Some(end);
        }
        if let Some(piece) = self.piece.take() {
            self.bytes += PIECE_BYTES;
            self.bytes += piece.end.iter().flat_map(|end| &end.meta).map(meta_bytes).sum::<usize>();
            self.ready.push(piece);
        }
        self.commit = None;
    }

    fn part(&mut self, head: Version) -> PagesPart {
        self.answered = Some(self.shared.clock.now());
        self.bytes = 0;
        PagesPart {
            pieces: mem::take(&mut self.ready),
            head,
            home: self.shared.pages.home.takes(),
            epoch: self.shared.ulog.state().epoch,
        }
    }
}

fn meta_bytes((key, value): &(bytes::Bytes, Option<bytes::Bytes>)) -> usize {
    key.len() + value.as_ref().map_or(0, bytes::Bytes::len) + 16
}

#[async_trait]
impl PageFeedReader for Reading {
    async fn next(&mut self, bytes_max: usize) -> Result<PagesPart> {
        self.shared.pages.home.refuse_stopped()?;
        let Some(answered) = self.answered else {
            let head = self.store.inner.watermarks().await?.durable;
            return Ok(self.part(head));
        };
        loop {
            let seen = self.store.moves();
            let head = self.fill(bytes_max).await?;
            let late = self.shared.clock.now().saturating_sub(answered) >= BEAT;
            if !self.ready.is_empty() || late {
                return Ok(self.part(head));
            }
            self.store.moved.until(|| (self.store.moves() != seen).then_some(())).await;
            self.shared.pages.home.refuse_stopped()?;
        }
    }

    fn acknowledge(&mut self, durable: Version, epoch: u64) -> Result<()> {
        if epoch > self.shared.ulog.state().epoch {
            return Err(self.shared.fence(epoch));
        }
        if durable <= self.after {
            let has_more = |has: &mut Option<Version>| *has = has.map(|has| has.max(durable));
            self.store.followers.has_more(self.number, has_more);
        }
        Ok(())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.store.followers.leave(self.number, self.shared.clock.now());
    }
}
