//! A transaction.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cluster::{Cluster, Commit, KEY_BYTES_MAX, TRANSACTION_BYTES_MAX, VALUE_BYTES_MAX};
use crate::codes::{self, Code};
use crate::faults::{self, Done, Fault};
use crate::future::{Answer, Future};
use crate::mutation::{Mutation, Range, range_bytes, single, stamp};
use crate::network::{self, Job};
use crate::range::{Request, Selector, View};

/// A transaction.
pub struct Transaction {
    pub(crate) cluster: Arc<Cluster>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    /// How often it was reset: what was asked before is cancelled.
    generation: u64,
    cancelled: bool,
    committing: bool,
    pub(crate) options: Options,
    pub(crate) read_version: Option<i64>,
    pub(crate) mutations: Vec<Mutation>,
    reads: Vec<Range>,
    writes: Vec<Range>,
    /// What was wrong with a change: the commit says so.
    deferred: Option<Code>,
    pub(crate) committed: Option<i64>,
    stamps: Vec<Arc<Future>>,
}

/// What can be set about a transaction, as far as it means something here.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    pub(crate) blind_reads: bool,
    pub(crate) next_write_unnoticed: bool,
    pub(crate) system_keys: bool,
    pub(crate) timeout_ms: i64,
    pub(crate) size_limit: Option<usize>,
    pub(crate) retries_left: Option<i64>,
}

impl Transaction {
    pub(crate) fn new(cluster: Arc<Cluster>, options: Options) -> Self {
        Transaction { cluster, state: Mutex::new(State { options, ..State::default() }) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the cluster something; the future has the answer.
    pub(crate) fn ask(
        self: &Arc<Self>,
        what: impl FnOnce(&Transaction, &mut State) -> Result<Answer, Code> + Send + 'static,
    ) -> Arc<Future> {
        self.submit(false, move |transaction, state, _| {
            if let Some(Fault { code, .. }) = faults::call() {
                return Err(code);
            }
            what(transaction, state)
        })
    }

    fn submit(
        self: &Arc<Self>,
        is_commit: bool,
        what: impl FnOnce(&Transaction, &mut State, bool) -> Result<Answer, Code> + Send + 'static,
    ) -> Arc<Future> {
        let future = Arc::new(Future::default());
        let (asked, transaction) = (Arc::clone(&future), Arc::clone(self));
        let (generation, has_timeout) = {
            let state = self.state();
            (state.generation, state.options.timeout_ms > 0)
        };
        let run = Box::new(move |told: Result<bool, Code>| {
            let mut state = transaction.state();
            let answer = match told {
                _ if state.generation != generation || state.cancelled => {
                    Err(codes::TRANSACTION_CANCELLED)
                }
                Err(code) => Err(code),
                Ok(joins) => what(&transaction, &mut state, joins),
            };
            let done = state.committed.is_some();
            drop(state);
            asked.set(answer);
            done
        });
        let commits_in = is_commit.then(|| Arc::as_ptr(&self.cluster).addr());
        network::submit(Job { commits_in, has_timeout, run });
        future
    }

    /// Forgets everything but what lasts, and cancels what is being asked.
    pub(crate) fn reset(&self) {
        let mut state = self.state();
        let options = Options {
            blind_reads: false,
            next_write_unnoticed: false,
            system_keys: false,
            ..state.options
        };
        let generation = state.generation + 1;
        let old = std::mem::replace(&mut *state, State { generation, options, ..State::default() });
        drop(state);
        old.stamps.iter().for_each(|stamp| stamp.set(Err(codes::TRANSACTION_CANCELLED)));
    }

    pub(crate) fn cancel(&self) {
        let mut state = self.state();
        state.cancelled = true;
        let stamps = std::mem::take(&mut state.stamps);
        drop(state);
        stamps.iter().for_each(|stamp| stamp.set(Err(codes::TRANSACTION_CANCELLED)));
    }

    pub(crate) fn versionstamp(&self) -> Arc<Future> {
        let future = Arc::new(Future::default());
        self.state().stamps.push(Arc::clone(&future));
        future
    }

    pub(crate) fn commit(self: &Arc<Self>) -> Arc<Future> {
        self.submit(true, |transaction, state, joins| {
            let fault = faults::call();
            let done = match fault {
                Some(Fault { code, done: Done::Never }) => Err(code),
                Some(Fault { code, done: Done::Late(jobs) }) => {
                    let (commit, cluster) =
                        (state.what_to_commit(), Arc::clone(&transaction.cluster));
                    let late = Box::new(move || {
                        // Nobody is left to be told.
                        let _ = cluster.commit(commit, false);
                    });
                    network::later(jobs, late);
                    Err(code)
                }
                _ => state.commit(&transaction.cluster, joins),
            };
            let answer = match (done, fault) {
                (Ok(_), Some(Fault { code, .. })) => Err(code),
                (done, _) => done,
            };
            for waiting in std::mem::take(&mut state.stamps) {
                waiting.set(match answer {
                    Ok(Some(stamp)) => Ok(Answer::Key(stamp.to_vec())),
                    Ok(None) => Err(codes::NO_COMMIT_VERSION),
                    Err(code) => Err(code),
                });
            }
            answer.map(|_| Answer::Nothing)
        })
    }

    /// What the C API recommends after an error: for those that pass, begins again.
    pub(crate) fn on_error(self: &Arc<Self>, code: Code) -> Arc<Future> {
        let future = Arc::new(Future::default());
        const RETRYABLE: i32 = 50_000;
        let mut state = self.state();
        let mut again = codes::predicate(RETRYABLE, code);
        if let Some(left) = &mut state.options.retries_left {
            again &= *left > 0;
            *left -= 1;
        }
        drop(state);
        if again {
            self.reset();
        }
        future.set(if again { Ok(Answer::Nothing) } else { Err(code) });
        future
    }
}

impl State {
    fn check_key(&self, key: &[u8]) -> Result<(), Code> {
        if key.len() > KEY_BYTES_MAX {
            return Err(codes::KEY_TOO_LARGE);
        }
        if key.first() == Some(&0xff) && !self.options.system_keys {
            return Err(codes::OUTSIDE_LEGAL_RANGE);
        }
        Ok(())
    }

    /// Adds a change. What is wrong with it is said when it is committed.
    pub(crate) fn change(&mut self, mutation: Result<Mutation, Code>) {
        let unnoticed = std::mem::take(&mut self.options.next_write_unnoticed);
        let checked = mutation.and_then(|mutation| {
            match &mutation {
                Mutation::Set(key, value)
                | Mutation::Atomic(_, key, value)
                | Mutation::StampedKey(key, _, value)
                | Mutation::StampedValue(key, value, _) => {
                    self.check_key(key)?;
                    if value.len() > VALUE_BYTES_MAX {
                        return Err(codes::VALUE_TOO_LARGE);
                    }
                }
                Mutation::Clear((begin, end)) if begin > end => return Err(codes::INVERTED_RANGE),
                // The end itself is not cleared.
                Mutation::Clear((begin, end)) => {
                    self.check_key(begin)?;
                    if end.as_slice() > b"\xff" && !self.options.system_keys {
                        return Err(codes::OUTSIDE_LEGAL_RANGE);
                    }
                }
            }
            if self.committing { Err(codes::USED_DURING_COMMIT) } else { Ok(mutation) }
        });
        match checked {
            Ok(mutation) => {
                self.writes.extend(mutation.writes().filter(|_| !unnoticed));
                self.mutations.push(mutation);
            }
            Err(code) => self.deferred = self.deferred.or(Some(code)),
        }
    }

    pub(crate) fn add_conflict(&mut self, range: Range, write: bool) -> Result<(), Code> {
        if range.0 > range.1 {
            return Err(codes::INVERTED_RANGE);
        }
        if range.1.as_slice() > b"\xff" && !self.options.system_keys {
            return Err(codes::OUTSIDE_LEGAL_RANGE);
        }
        if range.0 < range.1 {
            if write { self.writes.push(range) } else { self.reads.push(range) }
        }
        Ok(())
    }

    pub(crate) fn bytes(&self) -> usize {
        let mutations: usize = self.mutations.iter().map(Mutation::bytes).sum();
        mutations + range_bytes(&self.reads) + range_bytes(&self.writes)
    }

    /// The version that is read at: the newest one there is at the first read.
    pub(crate) fn version(&mut self, cluster: &Cluster) -> Result<i64, Code> {
        if let Some(code) = self.deferred {
            return Err(code);
        }
        let state = cluster.state();
        let version = *self.read_version.get_or_insert(state.version());
        state.check_readable(version)?;
        Ok(version)
    }

    fn seen(&self) -> &[Mutation] {
        if self.options.blind_reads { &[] } else { &self.mutations }
    }

    pub(crate) fn get(
        &mut self,
        cluster: &Cluster,
        key: Vec<u8>,
        snapshot: bool,
    ) -> Result<Option<Vec<u8>>, Code> {
        // The status of the cluster is read like a key.
        if key == b"\xff\xff/status/json" {
            return Ok(Some(br#"{"client":{},"cluster":{"double":true}}"#.to_vec()));
        }
        self.check_key(&key)?;
        let version = self.version(cluster)?;
        let state = cluster.state();
        let view = View { store: &state.store, version, mutations: self.seen() };
        let value = view.get(&key)?;
        drop(state);
        if !snapshot {
            self.reads.push(single(&key));
        }
        Ok(value)
    }

    pub(crate) fn get_key(
        &mut self,
        cluster: &Cluster,
        selector: &Selector,
        snapshot: bool,
    ) -> Result<Vec<u8>, Code> {
        let version = self.version(cluster)?;
        let state = cluster.state();
        let view = View { store: &state.store, version, mutations: self.seen() };
        let key = view.resolve(selector)?;
        drop(state);
        if !snapshot {
            let low = key.clone().min(selector.key.clone());
            let high = key.clone().max(selector.key.clone());
            self.reads.push((low, [high.as_slice(), &[0]].concat()));
        }
        Ok(key)
    }

    pub(crate) fn get_range(
        &mut self,
        cluster: &Cluster,
        request: &Request,
        snapshot: bool,
    ) -> Result<Answer, Code> {
        let version = self.version(cluster)?;
        let state = cluster.state();
        let view = View { store: &state.store, version, mutations: self.seen() };
        let (pairs, seen) = view.read(request)?;
        drop(state);
        if !snapshot && seen.0 < seen.1 {
            self.reads.push(seen);
        }
        Ok(Answer::Pairs(pairs))
    }

    /// Bytes of keys and values in a range.
    pub(crate) fn range_bytes(&mut self, cluster: &Cluster, range: &Range) -> Result<usize, Code> {
        let version = self.version(cluster)?;
        let state = cluster.state();
        let found = state.store.range(range, version);
        Ok(found.map(|(key, value)| key.len() + value.len()).sum())
    }

    fn what_to_commit(&self) -> Commit {
        Commit {
            read_version: self.read_version,
            reads: self.reads.clone(),
            writes: self.writes.clone(),
            mutations: self.mutations.clone(),
        }
    }

    /// The stamp; `None` if nothing was to be committed.
    fn commit(&mut self, cluster: &Cluster, joins: bool) -> Result<Option<[u8; 10]>, Code> {
        if let Some(code) = self.deferred {
            return Err(code);
        }
        let most = self.options.size_limit.unwrap_or(TRANSACTION_BYTES_MAX);
        if self.bytes() > most {
            return Err(codes::TRANSACTION_TOO_LARGE);
        }
        if self.mutations.is_empty() && self.writes.is_empty() {
            self.committed = Some(-1);
            return Ok(None);
        }
        let (version, batch) = cluster.commit(self.what_to_commit(), joins)?;
        self.committed = Some(version);
        Ok(Some(stamp(version, batch)))
    }
}
