//! A network in one process that fails as told.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use hozo_repl::{Network, Repl};
use hozo_traits::{
    ChangeFeed, Error, ErrorKind, FeedReader, PageFeed, PageFeedReader, PagesPart, PagesStart,
    Position, Reader, Replicator, Result, ServerId, SnapshotPlace, SnapshotReader, Start,
    Timestamp, Version,
};
use parking_lot::Mutex;

use super::kit::SIZE;

/// Which servers can be reached, and how badly.
#[derive(Clone, Default)]
pub(crate) struct Net(Arc<Links>);

#[derive(Default)]
struct Links {
    servers: Mutex<BTreeMap<String, Arc<Repl>>>,
    /// After so many pieces a connection breaks, once.
    pub(crate) breaks_after: Mutex<Option<usize>>,
    broke: AtomicUsize,
    /// Every piece comes twice.
    repeats: AtomicBool,
}

impl Net {
    pub(crate) fn join(&self, name: &str, repl: &Arc<Repl>) {
        self.0.servers.lock().insert(name.to_owned(), Arc::clone(repl));
    }

    pub(crate) fn leave(&self, name: &str) {
        self.0.servers.lock().remove(name);
    }

    /// The next connection breaks after so many pieces; answers how often that
    /// happened so far.
    pub(crate) fn break_after(&self, pieces: usize) -> usize {
        *self.0.breaks_after.lock() = Some(pieces);
        self.0.broke.load(Ordering::SeqCst)
    }

    pub(crate) fn broke(&self) -> usize {
        self.0.broke.load(Ordering::SeqCst)
    }

    pub(crate) fn repeat(&self) {
        self.0.repeats.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Network for Net {
    async fn connect(&self, address: &str, _me: &Reader) -> Result<Arc<dyn ChangeFeed>> {
        let repl = self.0.servers.lock().get(address).cloned();
        let repl = repl.ok_or_else(|| Error::new(ErrorKind::Unavailable, "nobody is there"))?;
        Ok(Arc::new(Feed { net: self.clone(), inner: repl.feed()? }))
    }

    async fn sleep(&self, _time: Duration) {
        // Others go on meanwhile, those that have the same thread as well.
        thread::sleep(Duration::from_millis(2));
        let mut slept = false;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut slept, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

struct Feed {
    net: Net,
    inner: Arc<dyn ChangeFeed>,
}

#[async_trait]
impl ChangeFeed for Feed {
    fn server(&self) -> ServerId {
        self.inner.server()
    }

    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    fn dbms(&self) -> Vec<String> {
        self.inner.dbms()
    }

    fn head(&self) -> Position {
        self.inner.head()
    }

    fn newest(&self) -> Timestamp {
        self.inner.newest()
    }

    async fn open(&self, start: Start, reader: Reader) -> Result<Box<dyn FeedReader>> {
        self.inner.open(start, reader).await
    }

    async fn snapshot(
        &self,
        after: Option<SnapshotPlace>,
        reader: Reader,
    ) -> Result<Box<dyn SnapshotReader>> {
        self.inner.snapshot(after, reader).await
    }

    fn pages(&self, store: &str) -> Result<Arc<dyn PageFeed>> {
        Ok(Arc::new(Pages { net: self.net.clone(), inner: self.inner.pages(store)? }))
    }
}

struct Pages {
    net: Net,
    inner: Arc<dyn PageFeed>,
}

#[async_trait]
impl PageFeed for Pages {
    fn store(&self) -> &str {
        self.inner.store()
    }

    fn server(&self) -> ServerId {
        self.inner.server()
    }

    async fn open(&self, start: PagesStart, reader: Reader) -> Result<Box<dyn PageFeedReader>> {
        let inner = self.inner.open(start, reader).await?;
        let breaks_after = self.net.0.breaks_after.lock().take();
        let repeats = self.net.0.repeats.load(Ordering::SeqCst);
        Ok(Box::new(Reading { net: self.net.clone(), inner, breaks_after, repeats }))
    }
}

struct Reading {
    net: Net,
    inner: Box<dyn PageFeedReader>,
    breaks_after: Option<usize>,
    repeats: bool,
}

#[async_trait]
impl PageFeedReader for Reading {
    async fn next(&mut self, _bytes_max: usize) -> Result<PagesPart> {
        // A few pages at once, so that there are many pieces.
        let mut part = self.inner.next(3 * SIZE.get() as usize).await?;
        if let Some(left) = &mut self.breaks_after {
            if *left == 0 {
                self.net.0.broke.fetch_add(1, Ordering::SeqCst);
                return Err(Error::new(ErrorKind::Unavailable, "the connection broke"));
            }
            *left = left.saturating_sub(part.pieces.len());
        }
        if self.repeats {
            part.pieces =
                part.pieces.iter().flat_map(|piece| [piece.clone(), piece.clone()]).collect();
        }
        Ok(part)
    }

    fn acknowledge(&mut self, durable: Version, epoch: u64) -> Result<()> {
        self.inner.acknowledge(durable, epoch)
    }
}
