//! The network between simulated servers: slow, and never to be relied on.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use hozo_log::disk::sim::SimDisk;
use hozo_traits::{
    ChangeFeed, Error, ErrorKind, FeedPart, FeedReader, PageFeed, Position, Reader, Result,
    ServerId, SnapshotPart, SnapshotPlace, SnapshotReader, Start, Timestamp,
};
use parking_lot::Mutex;

use super::tasks::{Dice, Time};
use crate::follow::Network;
use crate::repl::Repl;
use crate::signal::Signal;
use hozo_traits::Replicator;

/// One run of a server.
pub(super) struct Life {
    pub(super) disk: Arc<SimDisk>,
    pub(super) over: AtomicBool,
    /// Somebody told it of a newer epoch when it took writes.
    pub(super) told: AtomicBool,
}

impl Life {
    /// Whether what it does now has happened: not if the crash that it is about
    /// to learn of came before.
    pub(super) fn goes_on(&self) -> bool {
        !self.over.load(Ordering::SeqCst) && !self.disk.has_image()
    }
}

#[derive(Clone)]
struct Peer {
    index: usize,
    repl: Arc<Repl>,
    life: Arc<Life>,
}

pub(super) struct Net {
    peers: Mutex<BTreeMap<String, Peer>>,
    /// Pairs between which nothing passes, the smaller first.
    cut: Mutex<BTreeSet<(usize, usize)>>,
    /// How often all connections between two were dropped.
    drops: Mutex<BTreeMap<(usize, usize), u64>>,
    changed: Signal,
    time: Arc<Time>,
    dice: Arc<Dice>,
    /// No more accidents.
    pub(super) calm: AtomicBool,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Net {
    pub(super) fn new(time: Arc<Time>, dice: Arc<Dice>) -> Net {
        Net {
            peers: Mutex::default(),
            cut: Mutex::default(),
            drops: Mutex::default(),
            changed: Signal::default(),
            time,
            dice,
            calm: AtomicBool::new(false),
        }
    }

    pub(super) fn join(&self, name: &str, index: usize, repl: &Arc<Repl>, life: &Arc<Life>) {
        let (repl, life) = (Arc::clone(repl), Arc::clone(life));
        self.peers.lock().insert(name.to_owned(), Peer { index, repl, life });
    }

    pub(super) fn leave(&self, name: &str) {
        let left = self.peers.lock().remove(name);
        self.changed.tell();
        drop(left);
    }

    pub(super) fn cut(&self, a: usize, b: usize) {
        self.cut.lock().insert(pair(a, b));
        self.changed.tell();
    }

    pub(super) fn heal(&self, a: usize, b: usize) {
        self.cut.lock().remove(&pair(a, b));
    }

    pub(super) fn heal_all(&self) {
        self.cut.lock().clear();
    }

    pub(super) fn drop_connections(&self, a: usize, b: usize) {
        *self.drops.lock().entry(pair(a, b)).or_default() += 1;
        self.changed.tell();
    }

    fn accident(&self, one_in: u64) -> bool {
        !self.calm.load(Ordering::SeqCst) && self.dice.one_in(one_in)
    }

    async fn takes_time(&self) {
        let most = if self.accident(30) { 3_000_000 } else { 3_000 };
        self.time.sleep(Duration::from_micros(self.dice.below(most))).await;
    }
}

/// The network as one run of a server sees it.
pub(super) struct Wire {
    pub(super) net: Arc<Net>,
    pub(super) index: usize,
    pub(super) life: Arc<Life>,
}

#[async_trait]
impl Network for Wire {
    async fn connect(&self, address: &str, _me: &Reader) -> Result<Arc<dyn ChangeFeed>> {
        self.net.takes_time().await;
        let peer = self.net.peers.lock().get(address).cloned();
        let peer = peer.ok_or_else(|| lost("nobody is there"))?;
        let drops = self.net.drops.lock().get(&pair(self.index, peer.index)).copied();
        let link = Link {
            net: Arc::clone(&self.net),
            reader: (self.index, Arc::clone(&self.life)),
            source: (peer.index, Arc::clone(&peer.life)),
            repl: Arc::clone(&peer.repl),
            drops: drops.unwrap_or(0),
        };
        link.holds()?;
        let inner = peer.repl.feed()?;
        let heard = self.net.dice.one_in(2).then(|| Heard {
            epoch: inner.epoch(),
            head: inner.head(),
            newest: inner.newest(),
        });
        Ok(Arc::new(Feed { link, inner, heard }))
    }

    async fn sleep(&self, time: Duration) {
        self.net.time.sleep(time).await;
    }
}

fn lost(why: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, why)
}

/// A connection.
#[derive(Clone)]
struct Link {
    net: Arc<Net>,
    reader: (usize, Arc<Life>),
    source: (usize, Arc<Life>),
    repl: Arc<Repl>,
    drops: u64,
}

impl Link {
    fn holds(&self) -> Result<()> {
        let pair = pair(self.reader.0, self.source.0);
        let drops = self.net.drops.lock().get(&pair).copied().unwrap_or(0);
        let cut = self.net.cut.lock().contains(&pair) || drops != self.drops;
        if cut || !self.source.1.goes_on() || !self.reader.1.goes_on() {
            return Err(lost("the connection is lost"));
        }
        Ok(())
    }

    /// The source was told whether there is a newer epoch.
    fn tells(&self, newer: bool) {
        if newer && self.repl.shared.standing.lock().role.takes_writes() {
            self.source.1.told.store(true, Ordering::SeqCst);
        }
    }

    /// What comes of it, unless the connection is lost meanwhile.
    async fn over<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        self.holds()?;
        if self.net.accident(60) {
            return Err(lost("the request is lost"));
        }
        self.net.takes_time().await;
        self.holds()?;
        let answer = pin!(answer);
        let broken = pin!(self.net.changed.until(|| self.holds().err()));
        let answer = match select(answer, broken).await {
            Either::Left((answer, _)) => answer,
            Either::Right((error, _)) => return Err(error),
        };
        self.holds()?;
        self.net.takes_time().await;
        self.holds()?;
        if self.net.accident(60) {
            return Err(lost("the answer is lost"));
        }
        answer
    }
}

struct Heard {
    epoch: u64,
    head: Position,
    newest: Timestamp,
}

struct Feed {
    link: Link,
    inner: Arc<dyn ChangeFeed>,
    /// What was said when it was connected, if that is all that is known.
    heard: Option<Heard>,
}

#[async_trait]
impl ChangeFeed for Feed {
    fn server(&self) -> ServerId {
        self.inner.server()
    }

    fn epoch(&self) -> u64 {
        self.heard.as_ref().map_or_else(|| self.inner.epoch(), |heard| heard.epoch)
    }

    fn dbms(&self) -> Vec<String> {
        self.inner.dbms()
    }

    fn head(&self) -> Position {
        self.heard.as_ref().map_or_else(|| self.inner.head(), |heard| heard.head.clone())
    }

    fn newest(&self) -> Timestamp {
        self.heard.as_ref().map_or_else(|| self.inner.newest(), |heard| heard.newest)
    }

    async fn open(&self, start: Start, reader: Reader) -> Result<Box<dyn FeedReader>> {
        let epoch = reader.epoch;
        let open = async {
            let newer = epoch > self.inner.epoch();
            let opened = self.inner.open(start, reader).await;
            self.link.tells(newer);
            opened
        };
        let inner = self.link.over(open).await?;
        Ok(Box::new(Following { link: self.link.clone(), inner, late: None, last: None }))
    }

    async fn snapshot(
        &self,
        after: Option<SnapshotPlace>,
        reader: Reader,
    ) -> Result<Box<dyn SnapshotReader>> {
        let inner = self.link.over(self.inner.snapshot(after, reader)).await?;
        Ok(Box::new(Loading { link: self.link.clone(), inner }))
    }

    fn pages(&self, store: &str) -> Result<Arc<dyn PageFeed>> {
        self.inner.pages(store)
    }
}

struct Following {
    link: Link,
    inner: Box<dyn FeedReader>,
    /// An acknowledgement that has not arrived.
    late: Option<(Position, u64)>,
    /// What came last, which may come again.
    last: Option<FeedPart>,
}

#[async_trait]
impl FeedReader for Following {
    async fn next(&mut self, bytes_max: usize) -> Result<FeedPart> {
        let net = Arc::clone(&self.link.net);
        if let Some((position, epoch)) = self.late.take() {
            net.takes_time().await;
            self.link.holds()?;
            self.inner.acknowledge(&position, epoch)?;
        }
        if let Some(last) = self.last.take()
            && net.accident(20)
        {
            return self.link.over(async { Ok(last) }).await;
        }
        let bytes = bytes_max.min(1 + net.dice.below(4000) as usize);
        let inner = &mut self.inner;
        let next = async {
            let silence = pin!(net.time.sleep(Duration::from_secs(3)));
            match select(inner.next(bytes), silence).await {
                Either::Left((part, _)) => part,
                Either::Right(_) => Ok(FeedPart::default()),
            }
        };
        let part = self.link.over(next).await?;
        self.last = Some(part.clone());
        Ok(part)
    }

    fn acknowledge(&mut self, position: &Position, epoch: u64) -> Result<()> {
        self.link.holds()?;
        if let Some((position, epoch)) = self.late.take() {
            self.inner.acknowledge(&position, epoch)?;
        }
        if self.link.net.dice.one_in(4) {
            self.late = Some((position.clone(), epoch));
            return Ok(());
        }
        if self.link.net.accident(10) {
            self.inner.acknowledge(position, epoch)?;
        }
        self.inner.acknowledge(position, epoch)
    }
}

struct Loading {
    link: Link,
    inner: Box<dyn SnapshotReader>,
}

#[async_trait]
impl SnapshotReader for Loading {
    async fn next(&mut self, bytes_max: usize) -> Result<Option<SnapshotPart>> {
        let bytes = bytes_max.min(1 + self.link.net.dice.below(4000) as usize);
        self.link.over(self.inner.next(bytes)).await
    }
}
