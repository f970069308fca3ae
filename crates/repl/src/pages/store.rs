//! What there is of one page store that is replicated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use hozo_traits::{
    CommitId, ErrorKind, PageStore, PagesFollower, PagesSource, PagesStart, PagesStatus, Result,
    Version,
};
use parking_lot::Mutex;

use super::Home;
use crate::clock::Clock;
use crate::followers::{Roster, Wanted};
use crate::gate::Gate;
use crate::signal::Signal;

/// One page store.
pub(crate) struct Store {
    pub(crate) name: String,
    /// The store itself, which takes what a source committed.
    pub(crate) inner: Arc<dyn PageStore>,
    /// Commits of clients are inside while they are made.
    pub(crate) gate: Gate,
    /// Counts what may have moved the store.
    moves: AtomicU64,
    pub(crate) moved: Signal,
    /// There may be commits that are on their way to stable storage.
    unsettled: AtomicBool,
    /// Who follows, and the newest version that each has, if it says so.
    pub(crate) followers: Roster<Option<Version>>,
    served: Mutex<Option<Served>>,
    /// The first commit of a client since this server is the home: from there on
    /// followers have to have commits before they are answered.
    first_own: Mutex<Option<Version>>,
    pub(crate) following: Mutex<Option<PagesSource>>,
    /// The commit of a source of which pages are staged.
    pub(super) half: Mutex<Option<CommitId>>,
    durable: Mutex<Version>,
}

/// How commits are acknowledged by a server that runs.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) ack: u32,
    pub(crate) ack_timeout: Duration,
    pub(crate) clock: Clock,
}

impl Store {
    pub(crate) fn new(name: String, inner: Arc<dyn PageStore>) -> Store {
        Store {
            name,
            inner,
            gate: Gate::default(),
            moves: AtomicU64::new(0),
            moved: Signal::default(),
            unsettled: AtomicBool::new(false),
            followers: Roster::default(),
            served: Mutex::new(None),
            first_own: Mutex::new(None),
            following: Mutex::new(None),
            half: Mutex::new(None),
            durable: Mutex::new(Version::ZERO),
        }
    }

    /// A server runs.
    pub(crate) fn serves(&self, served: Served) {
        *self.served.lock() = Some(served);
    }

    /// How often it may have moved; to be asked before it is looked.
    pub(crate) fn moves(&self) -> u64 {
        self.moves.load(Ordering::SeqCst)
    }

    /// It may have moved.
    pub(crate) fn moves_on(&self) {
        self.moves.fetch_add(1, Ordering::SeqCst);
        self.moved.tell();
    }

    /// Something is ordered and not on stable storage: it is to be looked again
    /// soon.
    pub(crate) fn is_unsettled(&self) {
        self.unsettled.store(true, Ordering::SeqCst);
    }

    pub(crate) fn tick(&self, look: bool) {
        // A deadline may have passed.
        self.followers.changed.tell();
        if self.unsettled.swap(false, Ordering::SeqCst) || look {
            self.moves_on();
        }
    }

    /// A client's commit was made, and is durable or not.
    pub(crate) fn committed(&self, version: Version, durable: bool) {
        {
            // Those that are made side by side come here in any order.
            let mut first = self.first_own.lock();
            *first = Some(first.map_or(version, |first| first.min(version)));
        }
        if !durable {
            self.is_unsettled();
        }
        self.moves_on();
    }

    /// This server follows: no commit is its own.
    pub(crate) fn follows(&self) {
        *self.first_own.lock() = None;
    }

    /// Waits until so many followers have what was committed here, if the config
    /// wants that.
    pub(crate) async fn acknowledged(&self, version: Version, home: &Home) -> Result<()> {
        let served = self.served.lock().clone();
        let Some(Served { ack, ack_timeout, clock }) = served else { return Ok(()) };
        if ack == 0 || self.first_own.lock().is_none_or(|first| version < first) {
            return Ok(());
        }
        let wanted = Wanted { followers: ack, within: ack_timeout, clock: &clock, what: "commit" };
        let has = |has: &Option<Version>| has.is_some_and(|has| has >= version);
        let acknowledged = self.followers.acknowledged(wanted, has, || home.refuse()).await;
        acknowledged.map_err(|error| error.with("version", version))
    }

    /// Where the store is: all of it on stable storage.
    pub(crate) async fn place(&self) -> Result<PagesStart> {
        let after = self.inner.watermarks().await?.sequenced;
        self.inner.wait_durable(after).await?;
        *self.durable.lock() = after;
        Ok(PagesStart { after, last: self.id_of(after).await? })
    }

    /// The id of the commit of a version; `None` if the list of changes has none.
    pub(crate) async fn id_of(&self, version: Version) -> Result<Option<CommitId>> {
        let Some(before) = version.predecessor() else { return Ok(None) };
        match self.inner.changes(before, 1).await {
            Ok(found) => {
                let made = found.first().filter(|change| change.version == version);
                Ok(made.map(|change| change.commit_id))
            }
            Err(error) if error.kind() == ErrorKind::VersionGone => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Pages of this commit of a source are staged.
    pub(crate) fn begins(&self, id: CommitId) {
        *self.half.lock() = Some(id);
    }

    /// It was made.
    pub(crate) fn ends(&self) {
        *self.half.lock() = None;
    }

    /// Forgets what is staged of a commit that was interrupted.
    pub(crate) async fn tidy(&self) -> Result<()> {
        let half = *self.half.lock();
        if let Some(id) = half {
            self.inner.discard_stage(id).await?;
            self.ends();
        }
        Ok(())
    }

    pub(crate) fn note(&self, change: impl FnOnce(&mut PagesSource)) {
        if let Some(source) = &mut *self.following.lock() {
            change(source);
        }
    }

    pub(crate) fn status(&self, home: bool) -> PagesStatus {
        let durable = {
            let mut durable = self.durable.lock();
            // What needs waiting is told as it was.
            if let Some(Ok(marks)) = self.inner.watermarks().now_or_never() {
                *durable = marks.durable.max(*durable);
            }
            *durable
        };
        let mut source = self.following.lock().clone();
        if let Some(source) = &mut source {
            source.behind = source.newest.seq().saturating_sub(durable.seq());
        }
        PagesStatus {
            store: self.name.clone(),
            home,
            durable,
            source,
            followers: self.followers.each(|slot| PagesFollower {
                server: slot.server,
                name: slot.name.clone(),
                connected: slot.connected(),
                has: slot.has,
                behind: slot.has.map_or(0, |has| durable.seq().saturating_sub(has.seq())),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
