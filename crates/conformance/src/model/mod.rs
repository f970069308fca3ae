//! The contract as a program: the page store to which all others are compared.
//!
//! It is written to be obviously right and for nothing else: sorted maps under
//! one mutex, every commit judged and applied in one critical section, nothing
//! ever forgotten.

mod fixture;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Ambient, Capabilities, ChangeEntry, Commit, CommitId, CommitOutcome, Durability, Error,
    ErrorKind, LogEntry, LogQuery, NamespaceId, PageImage, PageNo, PageStore, PageWrite, Purged,
    Result, Span, Version, Watermarks,
};

pub use self::fixture::ModelFixture;
use self::state::{State, invalid};

/// The reference page store.
pub struct Model {
    disk: Arc<Disk>,
    ambient: Arc<dyn Ambient>,
    persistent: bool,
    forgets: bool,
}

/// What outlives a [`Model`] that was opened on it.
#[derive(Default)]
pub struct Disk(Mutex<State>);

/// How long the model remembers commit ids.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

impl Model {
    /// A new store that ends with its last `Arc`.
    pub fn new(ambient: Arc<dyn Ambient>) -> Arc<Self> {
        Arc::new(Model { disk: Arc::default(), ambient, persistent: false, forgets: true })
    }

    /// The store on `disk`, where it stays.
    pub fn on(disk: &Arc<Disk>, ambient: Arc<dyn Ambient>) -> Arc<Self> {
        let model = Model { disk: Arc::clone(disk), ambient, persistent: true, forgets: true };
        // Whatever was sequenced when the last user left is on the disk now.
        let mut state = model.state();
        state.marks.durable = state.marks.sequenced;
        drop(state);
        Arc::new(model)
    }

    /// A new store that goes on answering what was purged, as the contract
    /// allows, so that answers of others can be compared to it.
    pub fn unforgetting(ambient: Arc<dyn Ambient>) -> Arc<Self> {
        Arc::new(Model { disk: Arc::default(), ambient, persistent: false, forgets: false })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.disk.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PageStore for Model {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "model",
            persistent: self.persistent,
            exclusive: true,
            chosen_versions: true,
        }
    }

    async fn watermarks(&self) -> Result<Watermarks> {
        Ok(self.state().marks)
    }

    async fn wait_durable(&self, version: Version) -> Result<()> {
        let mut state = self.state();
        if version > state.marks.sequenced {
            return Err(invalid("a version that does not exist yet").with("version", version));
        }
        if version > state.marks.durable {
            state.marks.durable = state.marks.sequenced;
        }
        Ok(())
    }

    async fn read_pages(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        let state = self.state();
        let gone = |message| Err(Error::new(ErrorKind::VersionGone, message).with("version", at));
        if at > state.marks.sequenced {
            return gone("this version does not exist yet");
        }
        let mut images = Vec::new();
        for &page in pages {
            let upto = (namespace, page, Version::ZERO)..=(namespace, page, at);
            let newest = state.pages.range(upto).next_back();
            if self.forgets && newest.is_some_and(|(key, _)| state.purged.contains(key)) {
                return gone("this version was collected");
            }
            images.push(
                newest.map(|(&(_, _, version), bytes)| PageImage { version, bytes: bytes.clone() }),
            );
        }
        Ok(images)
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome> {
        let mut state = self.state();
        let oldest = self.ambient.now().as_millis().saturating_sub(KEEP.as_millis() as u64);
        if commit.at.is_none() && commit.id.millis() < oldest {
            return Err(invalid("the commit id is older than ids are kept"));
        }
        let outcome = match state.outcomes.get(&commit.id) {
            Some(outcome) => outcome.clone(),
            None => {
                state.check(&commit)?;
                let conflict = commit.conditions.iter().find_map(|c| state.judge(c));
                let outcome = match conflict {
                    Some(conflict) => CommitOutcome::Conflict(conflict),
                    None => CommitOutcome::Committed(state.apply(&commit)),
                };
                state.outcomes.insert(commit.id, outcome.clone());
                outcome
            }
        };
        if !self.persistent || commit.durability == Durability::Durable {
            state.marks.durable = state.marks.sequenced;
        }
        Ok(outcome)
    }

    async fn stage(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        let mut state = self.state();
        // A client that repeats a commit may stage its pages again first.
        if !matches!(state.outcomes.get(&id), Some(CommitOutcome::Committed(_))) {
            let staged = writes.into_iter().map(|w| ((id, namespace, w.page), w.image));
            state.staged.extend(staged);
        }
        Ok(())
    }

    async fn read_staged(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>> {
        let staged = self.state().staged(id, namespace);
        Ok(pages.iter().map(|page| staged.get(page).cloned()).collect())
    }

    async fn discard_stage(&self, id: CommitId) -> Result<()> {
        self.state().staged.retain(|(i, _, _), _| *i != id);
        Ok(())
    }

    async fn log(&self, query: LogQuery) -> Result<Vec<LogEntry>> {
        let state = self.state();
        let inside = |entry: &LogEntry| match query.span {
            Span::Versions(from, to) => (from..=to).contains(&entry.version),
            Span::Times(from, to) => (from..=to).contains(&entry.time),
        };
        let all = (query.namespace, Version::ZERO)..=(query.namespace, Version::MAX);
        let found = state.log.range(all).map(|(_, entry)| entry).filter(|entry| inside(entry));
        Ok(if query.newest_first {
            found.rev().take(query.limit).cloned().collect()
        } else {
            found.take(query.limit).cloned().collect()
        })
    }

    async fn changes(&self, after: Version, limit: usize) -> Result<Vec<ChangeEntry>> {
        let state = self.state();
        let found = state.changes.iter().filter(|change| change.version > after);
        Ok(found.take(limit).cloned().collect())
    }

    async fn meta_get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.state().meta.get(key).cloned())
    }

    async fn meta_scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        let state = self.state();
        let wanted = |key: &[u8]| key.starts_with(prefix) && after.is_none_or(|after| key > after);
        let found = state.meta.iter().filter(|(key, _)| wanted(key)).take(limit);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    async fn purge(&self, namespace: NamespaceId, victims: &[(PageNo, Version)]) -> Result<Purged> {
        let mut state = self.state();
        let mut purged = Purged::default();
        for &(page, version) in victims {
            let key = (namespace, page, version);
            if state.pages.contains_key(&key) && state.purged.insert(key) {
                purged.removed += 1;
            }
        }
        Ok(purged)
    }
}
