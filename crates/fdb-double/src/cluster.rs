//! A cluster: its store, its clock, and how it judges transactions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codes::{self, Code};
use crate::future::{Answer, Future};
use crate::mutation::{Mutation, Range, meet, single, stamp};
use crate::store::Store;

/// The longest key.
pub(crate) const KEY_BYTES_MAX: usize = 10_000;
/// The longest value.
pub(crate) const VALUE_BYTES_MAX: usize = 100_000;
/// What a transaction may weigh.
pub(crate) const TRANSACTION_BYTES_MAX: usize = 10_000_000;
/// Versions go by in a second about a million at a time; older ones than those of
/// five seconds cannot be read.
const WINDOW: i64 = 5_000_000;
/// How far the clock moves with each batch of commits.
const STEP: i64 = 1_000;
/// The version of an empty cluster. Not near 0, as no real one is.
const FIRST: i64 = 1 << 40;

/// A cluster.
pub(crate) struct Cluster {
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) store: Store,
    /// The newest version that was committed or has gone by.
    version: i64,
    batch: u16,
    /// What each commit wrote, oldest first.
    history: VecDeque<(i64, Vec<Range>)>,
    watches: Vec<Watch>,
}

/// A key, the value that it had, and who is told once it has another.
type Watch = (Vec<u8>, Option<Arc<[u8]>>, Arc<Future>);

/// What is to be committed.
pub(crate) struct Commit {
    pub(crate) read_version: Option<i64>,
    pub(crate) reads: Vec<Range>,
    pub(crate) writes: Vec<Range>,
    pub(crate) mutations: Vec<Mutation>,
}

/// All clusters of the process, by connection string.
static CLUSTERS: Mutex<BTreeMap<String, Arc<Cluster>>> = Mutex::new(BTreeMap::new());

impl Cluster {
    /// The cluster that a connection string names, as `description:id@host:port`.
    pub(crate) fn named(connection: &str) -> Result<Arc<Cluster>, Code> {
        let lines = connection.lines().map(str::trim);
        let line = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with('#'));
        let line = line.ok_or(codes::CONNECTION_STRING_INVALID)?;
        let (name, addresses) = line.split_once('@').ok_or(codes::CONNECTION_STRING_INVALID)?;
        if name.split(':').filter(|part| !part.is_empty()).count() != 2 || addresses.is_empty() {
            return Err(codes::CONNECTION_STRING_INVALID);
        }
        let mut clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(clusters.entry(line.to_owned()).or_insert_with(Cluster::empty)))
    }

    /// All clusters that there are.
    pub(crate) fn all() -> Vec<Arc<Cluster>> {
        let clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
        clusters.values().cloned().collect()
    }

    pub(crate) fn empty() -> Arc<Cluster> {
        let state = State {
            store: Store::default(),
            version: FIRST,
            batch: 0,
            history: VecDeque::new(),
            watches: Vec::new(),
        };
        Arc::new(Cluster { state: Mutex::new(state) })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a watch, and answers at once if the value is another already.
    pub(crate) fn watch(&self, key: Vec<u8>, seen: Option<Arc<[u8]>>, future: Arc<Future>) {
        let mut state = self.state();
        let version = state.version;
        if state.store.get(&key, version) == seen.as_ref() {
            state.watches.push((key, seen, future));
        } else {
            drop(state);
            future.set(Ok(Answer::Nothing));
        }
    }

    /// Commits, and answers version and place in the batch. `joins` is about the
    /// batch of the commit before, which nobody was answered about yet.
    pub(crate) fn commit(&self, commit: Commit, joins: bool) -> Result<(i64, u16), Code> {
        let mut state = self.state();
        let read_version = commit.read_version.unwrap_or(state.version);
        state.check_readable(read_version)?;
        let after = state.history.partition_point(|(version, _)| *version <= read_version);
        let conflict = state.history.range(after..).any(|(_, writes)| {
            writes.iter().any(|write| commit.reads.iter().any(|read| meet(read, write)))
        });
        if conflict {
            return Err(codes::NOT_COMMITTED);
        }
        // Who reads at this version has seen all of it.
        if joins && state.batch < 100 && read_version < state.version {
            state.batch += 1;
        } else {
            state.version += STEP;
            state.batch = 0;
        }
        let (version, batch) = (state.version, state.batch);
        let mut writes = commit.writes;
        for mutation in commit.mutations {
            let was_stamped_key = matches!(mutation, Mutation::StampedKey(..));
            let mutation = mutation.stamped(stamp(version, batch));
            if was_stamped_key && let Mutation::Set(key, _) = &mutation {
                writes.push(single(key));
            }
            state.store.apply(version, mutation);
        }
        state.history.push_back((version, writes));
        state.forget();
        let woken = state.woken();
        drop(state);
        // Callbacks run foreign code: not under the lock.
        woken.into_iter().for_each(|future| future.set(Ok(Answer::Nothing)));
        Ok((version, batch))
    }
}

impl State {
    pub(crate) fn version(&self) -> i64 {
        self.version
    }

    /// Lets versions go by.
    pub(crate) fn advance(&mut self, versions: i64) {
        self.version = self.version.saturating_add(versions.max(0));
        self.forget();
    }

    /// Whether a version can be read.
    pub(crate) fn check_readable(&self, version: i64) -> Result<(), Code> {
        if version > self.version {
            return Err(codes::FUTURE_VERSION);
        }
        if version < self.version - WINDOW {
            return Err(codes::TRANSACTION_TOO_OLD);
        }
        Ok(())
    }

    fn forget(&mut self) {
        let oldest = self.version - WINDOW;
        let gone = self.history.partition_point(|(version, _)| *version < oldest);
        self.history.drain(..gone);
        self.store.forget(oldest);
    }

    fn woken(&mut self) -> Vec<Arc<Future>> {
        let (store, version) = (&self.store, self.version);
        let changed = self.watches.extract_if(.., |(key, seen, future)| {
            future.is_ready() || store.get(key, version) != seen.as_ref()
        });
        changed.map(|(_, _, future)| future).collect()
    }
}
