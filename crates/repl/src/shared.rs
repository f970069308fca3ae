//! What all parts of one server's replication share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hozo_directory::Lock;
use hozo_traits::{
    Ambient, ConflictReport, Durability, Effect, Error, ErrorKind, KvStore, Reader, Result, Role,
    Selection, Update, What,
};
use parking_lot::Mutex;

use crate::Config;
use crate::clock::Clock;
use crate::follow::Follow;
use crate::followers::{Followers, Held, Wanted};
use crate::gate::Gate;
use crate::inflight::Inflight;
use crate::merge::Contest;
use crate::pages::Pages;
use crate::role::RoleFile;
use crate::ulog::checkpoint::Checkpoint;
use crate::ulog::{Place, Ulog};
use crate::unsettled::Unsettled;

/// Conflicts that are kept to be looked at.
const CONFLICTS_KEPT: usize = 1000;

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) ambient: Arc<dyn Ambient>,
    pub(crate) clock: Clock,
    /// For so long a checkpoint waits for updates that are under way.
    patience: Duration,
    pub(crate) ulog: Arc<Ulog>,
    /// The records themselves, by index, past the log.
    pub(crate) records: Vec<Arc<dyn KvStore>>,
    /// Of each of them.
    pub(crate) gates: Vec<Gate>,
    pub(crate) followers: Followers,
    pub(crate) unsettled: Unsettled,
    pub(crate) inflight: Inflight,
    pub(crate) follow: Follow,
    pub(crate) pages: Pages,
    /// Which run of the system this is.
    pub(crate) boot: [u8; 16],
    /// Held as long as anything writes to the log.
    _lock: Option<Lock>,
    /// What is to be checkpointed was written from here on.
    pub(crate) checkpointed: AtomicU64,
    checkpointing: Mutex<()>,
    /// Whether writes are taken: the short answer to what `standing` says.
    writes: AtomicBool,
    pub(crate) standing: Mutex<Standing>,
    /// The newest epoch of which others told.
    pub(crate) heard: AtomicU64,
    pub(crate) conflicts: Mutex<VecDeque<ConflictReport>>,
}

/// What is replicated.
pub(crate) struct Stores {
    /// The records of each DBM, by index, past the log.
    pub(crate) records: Vec<Arc<dyn KvStore>>,
    pub(crate) pages: Pages,
}

/// How what goes on beside the calls is run.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) clock: Clock,
    /// For so long a checkpoint waits for updates that are under way.
    pub(crate) patience: Duration,
    /// Which run of the system it is; zeros if that is not known.
    pub(crate) boot: [u8; 16],
    /// Whether a thread does what is done from time to time.
    pub(crate) thread: bool,
}

impl Default for Running {
    fn default() -> Running {
        Running {
            clock: Clock::system(),
            patience: Duration::from_secs(10),
            boot: [0; 16],
            thread: true,
        }
    }
}

/// What a server is just now.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) role: Role,
    /// Whom it follows.
    pub(crate) source: Option<String>,
    /// Added to the time from which updates are asked of it, if they have no
    /// numbers.
    pub(crate) skew_ms: i64,
    /// Why it takes no writes although it is a master.
    pub(crate) fenced: Option<String>,
    pub(crate) stopped: bool,
}

/// While somebody follows, an update becomes durable within this: only then it may be
/// given away, and a follower is to be a few milliseconds behind at most.
const LAG_FOLLOWED: Duration = Duration::from_millis(3);

impl Shared {
    /// Somebody begins to follow, from a place of the log on; answers the number by
    /// which it is known.
    pub(crate) fn follower_comes(&self, reader: &Reader, place: Place) -> Result<u64> {
        let number = self.followers.enter(reader, place)?;
        self.hurry_if_followed();
        Ok(number)
    }

    /// It does not follow any more.
    pub(crate) fn follower_goes(&self, number: u64) {
        self.followers.leave(number);
        self.hurry_if_followed();
    }

    fn hurry_if_followed(&self) {
        self.followers.any(|any| self.ulog.hurry(any.then_some(LAG_FOLLOWED)));
    }

    pub(crate) fn new(
        config: Config,
        ambient: Arc<dyn Ambient>,
        running: &Running,
        ulog: Arc<Ulog>,
        Stores { records, pages }: Stores,
        standing: Standing,
        lock: Option<Lock>,
    ) -> Shared {
        ulog.remember_changes(standing.role == Role::DualMaster);
        let writes = AtomicBool::new(standing.takes_writes());
        let gates = records.iter().map(|_| Gate::default()).collect();
        Shared {
            config,
            ambient,
            clock: running.clock.clone(),
            patience: running.patience,
            ulog,
            records,
            gates,
            followers: Followers::new(running.clock.clone()),
            unsettled: Unsettled::default(),
            inflight: Inflight::default(),
            follow: Follow::default(),
            pages,
            boot: running.boot,
            _lock: lock,
            checkpointed: AtomicU64::new(0),
            checkpointing: Mutex::new(()),
            writes,
            standing: Mutex::new(standing),
            heard: AtomicU64::new(0),
            conflicts: Mutex::default(),
        }
    }

    /// An error unless clients may write here.
    #[inline]
    pub(crate) fn refuse_writes(&self) -> Result<()> {
        if self.writes.load(Ordering::Acquire) { Ok(()) } else { Err(self.no_writes()) }
    }

    #[cold]
    fn no_writes(&self) -> Error {
        let standing = self.standing.lock();
        standing.refused().unwrap_or_else(|| {
            standing.elsewhere("this server is a follower: write to its source, or promote it")
        })
    }

    /// Changes what this server is, and remembers it for the next time if
    /// `keep` says so.
    pub(crate) fn stand(&self, keep: bool, change: impl FnOnce(&mut Standing)) -> Result<()> {
        let mut standing = self.standing.lock();
        let mut next = standing.clone();
        change(&mut next);
        if keep {
            RoleFile { role: next.role, source: next.source.clone() }.write(self.ulog.disk())?;
        }
        self.ulog.remember_changes(next.role == Role::DualMaster);
        self.writes.store(next.takes_writes(), Ordering::Release);
        self.pages.home.stands(&next);
        *standing = next;
        drop(standing);
        // Who waits to be acknowledged may wait in vain now.
        self.followers.roster.changed.tell();
        for store in &self.pages.stores {
            store.followers.changed.tell();
        }
        Ok(())
    }

    /// Another server is the master in a newer epoch than is known here: no
    /// write is taken any more.
    pub(crate) fn fence(&self, epoch: u64) -> Error {
        self.heard.fetch_max(epoch, Ordering::SeqCst);
        let why = format!(
            "another server was promoted, in epoch {epoch}: write there, and let this one follow it"
        );
        let known = why.clone();
        // Nothing is written, so nothing fails.
        let _ = self.stand(false, |standing| {
            if standing.role.takes_writes() {
                tracing::error!(%why, "no writes are taken any more");
                standing.fenced = Some(why);
            }
        });
        Error::new(ErrorKind::ReadOnly, known).with("epoch", epoch)
    }

    /// Waits until so many followers have this server's updates up to a number.
    pub(crate) async fn acknowledged_up_to(
        &self,
        seq: u64,
        followers: u32,
        within: Duration,
    ) -> Result<()> {
        let me = self.ulog.me();
        let wanted = Wanted { followers, within, clock: &self.clock, what: "update" };
        let has = |held: &Held| held.reaches(me, seq);
        let acknowledged =
            self.followers.roster.acknowledged(wanted, has, || self.refuse_writes()).await;
        acknowledged.map_err(|error| error.with("update", seq))
    }

    async fn redo(&self, update: &Update) -> Result<()> {
        redo(&self.records, update).await
    }

    /// Makes the records what the log says, from a place on.
    pub(crate) fn settle(&self, from: Place) -> Result<()> {
        // A follower's records must not have what a power cut takes from the log.
        hozo_traits::exec::block_on(self.ulog.wait(self.ulog.end()))?;
        self.ulog.replay(from, |update| hozo_traits::exec::block_on(self.redo(update)))?;
        if self.unsettled.settled(from) {
            tracing::info!("the records are what the update log says again");
        }
        Ok(())
    }

    /// Has everything that is in the log now in the records, durably, and says
    /// so in the directory, so that no more than what follows is replayed.
    pub(crate) fn checkpoint_now(&self) -> Result<()> {
        self.checkpoint(false)
    }

    /// Waits until the records have what is in the log now.
    pub(crate) fn wait_for_records(&self) -> Result<()> {
        let _one = self.checkpointing.lock();
        if !self.inflight.pass(self.patience) {
            return Err(Error::new(ErrorKind::Busy, "an update takes long: try again soon"));
        }
        self.unsettled.refuse()
    }

    pub(crate) fn checkpoint(&self, closed: bool) -> Result<()> {
        let _one = self.checkpointing.lock();
        let wrote = self.standing.lock().role.takes_writes();
        let place = self.ulog.mark()?;
        // What is in the log below the mark may be on its way to the records.
        if !self.inflight.pass(self.patience) {
            return Err(Error::new(ErrorKind::Busy, "an update takes long: no checkpoint now"));
        }
        self.unsettled.refuse()?;
        for records in &self.records {
            hozo_traits::exec::block_on(records.synchronise())?;
        }
        hozo_traits::exec::block_on(self.ulog.wait(self.ulog.end()))?;
        Checkpoint { place, boot: self.boot, closed, wrote }.write(self.ulog.disk())?;
        self.checkpointed.store(place, Ordering::Release);
        Ok(())
    }

    /// Notes conflicts that were settled.
    pub(crate) fn found(&self, dbm: u32, contests: Vec<Contest>) {
        if contests.is_empty() {
            return;
        }
        let found = self.ambient.now();
        let mut kept = self.conflicts.lock();
        for Contest { key, kept: stands, lost } in contests {
            if kept.len() == CONFLICTS_KEPT {
                kept.pop_back();
            }
            kept.push_front(ConflictReport {
                found,
                dbm,
                key,
                kept: (stands.server, stands.time),
                lost: (lost.server, lost.time),
            });
        }
    }
}

/// Makes an update's effects in the records, whatever they are now.
pub(crate) async fn redo(records: &[Arc<dyn KvStore>], update: &Update) -> Result<()> {
    let What::Records { dbm, effects, .. } = &update.what else { return Ok(()) };
    make(records, *dbm, effects).await
}

/// Makes effects in the records of a DBM.
pub(crate) async fn make(records: &[Arc<dyn KvStore>], dbm: u32, effects: &[Effect]) -> Result<()> {
    let Some(records) = records.get(dbm as usize) else {
        return Err(Error::new(ErrorKind::Corrupt, "the update log has a DBM that there is not")
            .with("dbm_index", dbm));
    };
    if effects.is_empty() {
        return Ok(());
    }
    let keys = keys_of(effects);
    let selection = Selection::Keys { keys: &keys, values: false };
    records.update(selection, Durability::Sequenced, &mut |_| Ok(effects.to_vec())).await?;
    Ok(())
}

/// The keys that effects are about; none for a clearing.
pub(crate) fn keys_of(effects: &[Effect]) -> Vec<Bytes> {
    let key = |effect: &Effect| match effect {
        Effect::Set { key, .. } | Effect::Remove { key } => Some(key.clone()),
        Effect::Clear => None,
    };
    effects.iter().filter_map(key).collect()
}

impl Standing {
    /// What a server is when it starts: as the config says, unless that was changed
    /// while it ran.
    pub(crate) fn at_rest(config: &Config, told: Option<RoleFile>) -> Standing {
        let (role, source) = match told {
            Some(RoleFile { role, source }) => (role, source),
            None => (config.role, config.follow.clone()),
        };
        let skew_ms = config.timestamp_skew_ms;
        Standing { role, source, skew_ms, fenced: None, stopped: false }
    }

    fn takes_writes(&self) -> bool {
        self.role.takes_writes() && self.fenced.is_none() && !self.stopped
    }

    /// Why nothing is taken of clients, where that has nothing to do with the role.
    pub(crate) fn refused(&self) -> Option<Error> {
        if self.stopped {
            return Some(Error::new(ErrorKind::Unavailable, "the server stops"));
        }
        self.fenced.as_ref().map(|why| Error::new(ErrorKind::ReadOnly, why.clone()))
    }

    /// The error for what is to be done at another server, with whom this one follows.
    pub(crate) fn elsewhere(&self, message: &'static str) -> Error {
        let error = Error::new(ErrorKind::ReadOnly, message);
        match &self.source {
            Some(source) => error.with("source", source),
            None => error,
        }
    }
}
