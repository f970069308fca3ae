//! Replication that does as it is told, for the tests of the service, too.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    ChangeFeed, ConflictReport, Effect, Error, ErrorKind, FeedPart, FeedReader, FollowState,
    FollowerStatus, PageFeed, PagesFollower, PagesSource, PagesStatus, Position, Reach, Reader,
    ReplicationStatus, Replicator, Result, Role, ServerId, SnapshotPart, SnapshotPlace,
    SnapshotReader, SourceStatus, Start, Timestamp, Update, Version, What,
};
use tokio::sync::watch;

use super::commits::Commits;

/// A log in memory, and what was done with it. Clones are the same.
#[derive(Clone)]
pub(crate) struct Log(pub(super) Arc<watch::Sender<State>>);

#[derive(Clone, Default)]
pub(crate) struct State {
    updates: Vec<Update>,
    pub(crate) head: Position,
    pub(crate) newest: Timestamp,
    pub(crate) opened: Vec<(Start, Reader)>,
    pub(crate) snapshots: Vec<(Option<SnapshotPlace>, Reader)>,
    pub(crate) acknowledged: Vec<(Position, u64)>,
    /// Parts that were read.
    pub(crate) reads: usize,
    /// How much was asked for last.
    pub(crate) asked: usize,
    /// Readers that there are.
    pub(crate) readers: usize,
    /// Waits that are under way.
    pub(crate) waiting: usize,
    /// Whether readers get the last update again and again.
    pub(crate) repeats: bool,
    pub(crate) fails_to_open: Option<ErrorKind>,
    pub(crate) fails_to_read: Option<ErrorKind>,
    pub(crate) fails_to_acknowledge: Option<ErrorKind>,
    /// The parts of its snapshot.
    pub(crate) records: Vec<SnapshotPart>,
    /// What was asked of the replicator.
    pub(crate) asked_for: Vec<String>,
    pub(crate) fails: Option<ErrorKind>,
    /// Whether what is asked of the replicator waits.
    pub(crate) held: bool,
    /// Whether that, and beginning a snapshot, keeps its thread.
    pub(crate) blocked: bool,
    pub(crate) has_no_log: bool,
    pub(crate) follows: Option<SourceStatus>,
    pub(crate) conflicts: Vec<ConflictReport>,
    /// Of its store `main`.
    pub(crate) commits: Commits,
}

pub(crate) fn server(id: u32) -> ServerId {
    ServerId::new(id).expect("an id")
}

pub(crate) fn time(ms: u64) -> Timestamp {
    Timestamp::from_micros(ms * 1000)
}

pub(crate) fn position(reaches: &[(u32, u64)]) -> Position {
    reaches.iter().map(|(id, seq)| (server(*id), reach(*seq))).collect()
}

/// The digest is anything that is another one for each.
pub(crate) fn reach(seq: u64) -> Reach {
    Reach { seq, digest: u32::try_from(seq).expect("few") ^ 0xabcd }
}

pub(crate) fn set(key: &'static str, value: impl Into<Bytes>) -> Effect {
    Effect::Set { key: key.into(), value: value.into() }
}

pub(crate) fn records(effects: impl Into<Vec<Effect>>) -> What {
    What::Records { dbm: 0, effects: effects.into(), reduced: false }
}

/// How an error of this kind reads.
pub(crate) fn told(kind: ErrorKind) -> Error {
    Error::new(kind, "told to fail").with("server", 2)
}

fn fail(kind: Option<ErrorKind>) -> Result<()> {
    kind.map_or(Ok(()), |kind| Err(told(kind)))
}

impl Log {
    /// The log of server 1, with nothing in it.
    pub(crate) fn new() -> Self {
        Log(Arc::new(watch::Sender::new(State::default())))
    }

    /// Adds an update that server 1 made.
    pub(crate) fn add(&self, ms: u64, what: What) {
        self.add_of(1, 1, ms, what);
    }

    /// Adds an update.
    pub(crate) fn add_of(&self, origin: u32, made_by: u32, ms: u64, what: What) {
        self.0.send_modify(|state| {
            let origin = server(origin);
            let reach = reach(state.head.of(origin).seq + 1);
            state.head.set(origin, reach);
            state.newest = state.newest.max(time(ms));
            let server = server(made_by);
            state.updates.push(Update { time: time(ms), origin, reach, server, what });
        });
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        self.0.send_modify(change);
    }

    pub(crate) fn state(&self) -> State {
        self.0.borrow().clone()
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, is_so: impl FnMut(&State) -> bool) -> State {
        self.0.subscribe().wait_for(is_so).await.expect("a log").clone()
    }

    /// A replicator with this log.
    pub(crate) fn replicator(&self) -> Arc<dyn Replicator> {
        Arc::new(self.clone())
    }

    fn block(&self) {
        while self.0.borrow().blocked {
            std::thread::yield_now();
        }
    }

    /// What is asked of the replicator.
    async fn asked(&self, what: String) -> Result<()> {
        self.0.send_modify(|state| state.asked_for.push(format!("{what}?")));
        self.block();
        let kind = self.until(|state| !state.held).await.fails;
        self.0.send_modify(|state| state.asked_for.push(what));
        fail(kind)
    }
}

#[async_trait]
impl ChangeFeed for Log {
    fn server(&self) -> ServerId {
        server(1)
    }

    fn epoch(&self) -> u64 {
        3
    }

    fn dbms(&self) -> Vec<String> {
        vec!["casket".into(), "log".into()]
    }

    fn head(&self) -> Position {
        self.0.borrow().head.clone()
    }

    fn newest(&self) -> Timestamp {
        self.0.borrow().newest
    }

    async fn open(&self, start: Start, reader: Reader) -> Result<Box<dyn FeedReader>> {
        fail(self.0.borrow().fails_to_open)?;
        let position = match &start {
            Start::After(position) => position.clone(),
            Start::Since(_) => Position::default(),
        };
        let since = match start {
            Start::Since(time) => time,
            Start::After(_) => Timestamp::from_micros(0),
        };
        self.0.send_modify(|state| {
            state.readers += 1;
            state.opened.push((start, reader));
        });
        Ok(Box::new(Reading { log: self.clone(), since, position, next: 0 }))
    }

    async fn snapshot(
        &self,
        after: Option<SnapshotPlace>,
        reader: Reader,
    ) -> Result<Box<dyn SnapshotReader>> {
        fail(self.0.borrow().fails_to_open)?;
        self.0.send_modify(|state| {
            state.readers += 1;
            state.snapshots.push((after, reader));
        });
        self.block();
        Ok(Box::new(Reading {
            log: self.clone(),
            since: Timestamp::from_micros(0),
            position: Position::default(),
            next: 0,
        }))
    }

    fn pages(&self, store: &str) -> Result<Arc<dyn PageFeed>> {
        self.pages_of(store)
    }
}

/// Reads the log, or the snapshot.
struct Reading {
    log: Log,
    since: Timestamp,
    position: Position,
    /// The index of the next.
    next: usize,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.log.0.send_modify(|state| state.readers -= 1);
    }
}

/// A wait that is under way.
struct Waiting<'a>(&'a Log);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.waiting -= 1);
    }
}

impl Reading {
    fn read(&mut self, bytes_max: usize) -> Result<Option<FeedPart>> {
        let state = self.log.0.borrow();
        fail(state.fails_to_read)?;
        let mut part = FeedPart {
            updates: Vec::new(),
            position: self.position.clone(),
            head: state.head.clone(),
            newest: state.newest,
        };
        let mut bytes = 0;
        while let Some(update) = state.updates.get(self.next) {
            let is_new = update.reach.seq > self.position.of(update.origin).seq
                && (update.time >= self.since || self.next > 0);
            if is_new {
                bytes += payload(update);
                if bytes > bytes_max && !part.updates.is_empty() {
                    break;
                }
                part.updates.push(update.clone());
                part.position.set(update.origin, update.reach);
            }
            self.next += 1;
        }
        if state.repeats && part.updates.is_empty() {
            part.updates.extend(state.updates.last().cloned());
        }
        self.position = part.position.clone();
        Ok((!part.updates.is_empty()).then_some(part))
    }
}

fn payload(update: &Update) -> usize {
    let What::Records { effects, .. } = &update.what else { return 0 };
    let bytes = effects.iter().map(|effect| match effect {
        Effect::Set { key, value } => key.len() + value.len(),
        Effect::Remove { key } => key.len(),
        Effect::Clear => 0,
    });
    bytes.sum()
}

#[async_trait]
impl FeedReader for Reading {
    async fn next(&mut self, bytes_max: usize) -> Result<FeedPart> {
        loop {
            let mut changes = self.log.0.subscribe();
            changes.mark_unchanged();
            if let Some(part) = self.read(bytes_max)? {
                self.log.0.send_modify(|state| {
                    state.reads += 1;
                    state.asked = bytes_max;
                });
                return Ok(part);
            }
            self.log.0.send_modify(|state| state.waiting += 1);
            let _waiting = Waiting(&self.log);
            let (updates, fails) = {
                let state = self.log.0.borrow();
                (state.updates.len(), state.fails_to_read)
            };
            let is_new =
                |state: &State| state.updates.len() != updates || state.fails_to_read != fails;
            changes.wait_for(is_new).await.expect("a log");
        }
    }

    fn acknowledge(&mut self, position: &Position, epoch: u64) -> Result<()> {
        fail(self.log.0.borrow().fails_to_acknowledge)?;
        self.log.change(|state| state.acknowledged.push((position.clone(), epoch)));
        Ok(())
    }
}

#[async_trait]
impl SnapshotReader for Reading {
    async fn next(&mut self, bytes_max: usize) -> Result<Option<SnapshotPart>> {
        fail(self.log.0.borrow().fails_to_read)?;
        self.log.change(|state| {
            state.reads += 1;
            state.asked = bytes_max;
        });
        self.next += 1;
        Ok(self.log.0.borrow().records.get(self.next - 1).cloned())
    }
}

#[async_trait]
impl Replicator for Log {
    fn feed(&self) -> Result<Arc<dyn ChangeFeed>> {
        if self.0.borrow().has_no_log {
            return Err(Error::new(ErrorKind::Unsupported, "there is no log to follow"));
        }
        Ok(Arc::new(self.clone()))
    }

    fn status(&self) -> ReplicationStatus {
        let state = self.0.borrow();
        ReplicationStatus {
            kind: "ulog",
            server: server(1),
            role: if state.follows.is_some() { Role::Follower } else { Role::Master },
            epoch: 3,
            fenced: None,
            head: state.head.clone(),
            newest: state.newest,
            log_bytes: 77,
            source: state.follows.clone(),
            followers: vec![FollowerStatus {
                server: Some(server(2)),
                name: "db2:1978".into(),
                connected: true,
                has: Some(position(&[(1, 1)])),
                behind: 4,
            }],
            ack: 1,
            conflicts: 5,
            pages: vec![PagesStatus {
                store: "main".into(),
                home: false,
                durable: Version::from_seq(6),
                source: Some(PagesSource {
                    state: FollowState::Following,
                    error: Some("once".into()),
                    newest: Version::from_seq(7),
                    behind: 1,
                }),
                followers: vec![PagesFollower {
                    server: Some(server(2)),
                    name: "db2:1978".into(),
                    connected: true,
                    has: Some(Version::from_seq(5)),
                    behind: 1,
                }],
            }],
        }
    }

    async fn follow(&self, address: &str, skew_ms: i64) -> Result<()> {
        self.asked(format!("follow {address} {skew_ms}")).await
    }

    async fn promote(&self) -> Result<u64> {
        self.asked("promote".into()).await.map(|()| 4)
    }

    async fn unfollow(&self) -> Result<()> {
        self.asked("unfollow".into()).await
    }

    async fn acknowledged(&self, followers: u32, within: Duration) -> Result<()> {
        self.asked(format!("acknowledged {followers} {within:?}")).await
    }

    async fn conflicts(&self, limit: usize) -> Result<Vec<ConflictReport>> {
        self.asked(format!("conflicts {limit}")).await?;
        Ok(self.0.borrow().conflicts.iter().take(limit).cloned().collect())
    }

    async fn prune(&self, before: Timestamp) -> Result<u64> {
        self.asked(format!("prune {}", before.as_micros())).await.map(|()| 99)
    }

    async fn stop(&self) -> Result<()> {
        self.asked("stop".into()).await
    }
}
