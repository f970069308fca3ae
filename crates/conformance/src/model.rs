//! The contract as a program: the page store to which all others are compared.
//!
//! It is written to be obviously right and for nothing else: sorted maps under
//! one mutex, every commit judged and applied in one critical section, nothing
//! ever forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Ambient, Capabilities, Commit, CommitId, CommitOutcome, Committed, Condition, Conflict,
    Durability, Error, ErrorKind, LogEntry, LogQuery, MetaWrite, NamespaceChange, NamespaceId,
    PageImage, PageNo, PageRuns, PageStore, PageWrite, Purged, Result, Span, Version, Watermarks,
};

use crate::Fixture;

/// The reference page store.
pub struct Model {
    disk: Arc<Disk>,
    ambient: Arc<dyn Ambient>,
    persistent: bool,
    forgets: bool,
}

/// Opens [`Model`]s: what other stores are compared to, and the first to pass
/// every suite.
pub struct ModelFixture {
    disks: Option<Mutex<BTreeMap<PathBuf, Arc<Disk>>>>,
    reference: bool,
}

impl ModelFixture {
    /// Stores that last as long as the fixture, each by its directory's name.
    pub fn persistent() -> Self {
        ModelFixture { disks: Some(Mutex::default()), reference: false }
    }

    /// Stores that are gone when they are closed.
    pub const fn volatile() -> Self {
        ModelFixture { disks: None, reference: false }
    }

    /// [`Model::unforgetting`].
    pub const fn reference() -> Self {
        ModelFixture { disks: None, reference: true }
    }
}

impl Fixture for ModelFixture {
    fn name(&self) -> &str {
        "model"
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        Ok(match &self.disks {
            Some(disks) => {
                let mut disks = disks.lock().unwrap_or_else(PoisonError::into_inner);
                Model::on(disks.entry(dir.to_owned()).or_default(), ambient)
            }
            None if self.reference => Model::unforgetting(ambient),
            None => Model::new(ambient),
        })
    }

    fn outlives_process(&self) -> bool {
        false
    }
}

/// What outlives a [`Model`] that was opened on it.
#[derive(Default)]
pub struct Disk(Mutex<State>);

#[derive(Default)]
struct State {
    marks: Marks,
    pages: BTreeMap<(NamespaceId, PageNo, Version), Bytes>,
    purged: BTreeSet<(NamespaceId, PageNo, Version)>,
    log: BTreeMap<(NamespaceId, Version), LogEntry>,
    meta: BTreeMap<Bytes, Bytes>,
    outcomes: BTreeMap<CommitId, CommitOutcome>,
    staged: BTreeMap<(CommitId, NamespaceId, PageNo), Bytes>,
}

struct Marks {
    sequenced: Version,
    durable: Version,
}

impl Default for Marks {
    fn default() -> Self {
        Marks { sequenced: Version::ZERO, durable: Version::ZERO }
    }
}

/// How long the model remembers commit ids.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);
const META_KEY_BYTES_MAX: usize = 1024;
const META_VALUE_BYTES_MAX: usize = 64 * 1024;

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

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

impl State {
    fn judge(&self, condition: &Condition) -> Option<Conflict> {
        match condition {
            Condition::PageUnchanged { namespace, page, since } => {
                let above = (*namespace, *page, *since);
                let end = (*namespace, *page, Version::MAX);
                let (&(_, _, version), _) = (above < end)
                    .then(|| self.pages.range((Excluded(above), Included(end))).next_back())??;
                Some(Conflict::Page { namespace: *namespace, page: *page, version })
            }
            Condition::NamespaceUnchanged { namespace, since } => {
                let version = self.newest(*namespace)?.version;
                (version > *since).then_some(Conflict::Namespace { namespace: *namespace, version })
            }
            Condition::MetaEquals { key, value } => {
                (self.meta.get(key) != value.as_ref()).then(|| Conflict::Meta { key: key.clone() })
            }
        }
    }

    fn newest(&self, namespace: NamespaceId) -> Option<&LogEntry> {
        let all = (namespace, Version::ZERO)..=(namespace, Version::MAX);
        self.log.range(all).next_back().map(|(_, entry)| entry)
    }

    fn staged(&self, id: CommitId, namespace: NamespaceId) -> BTreeMap<PageNo, Bytes> {
        let last = PageNo::new(u32::MAX).unwrap_or(PageNo::ONE);
        let mine = self.staged.range((id, namespace, PageNo::ONE)..=(id, namespace, last));
        mine.map(|((_, _, page), image)| (*page, image.clone())).collect()
    }

    /// What the change writes: the staged pages, and over them the listed ones.
    fn writes(&self, id: CommitId, change: &NamespaceChange) -> BTreeMap<PageNo, Bytes> {
        let mut writes = self.staged(id, change.namespace);
        writes.extend(change.writes.iter().map(|w| (w.page, w.image.clone())));
        writes
    }

    fn check(&self, commit: &Commit) -> Result<()> {
        let mut seen = BTreeSet::new();
        for change in &commit.namespaces {
            if !seen.insert(change.namespace) {
                return Err(invalid("a namespace appears twice in the commit")
                    .with("namespace", change.namespace));
            }
            let pages: BTreeSet<PageNo> = change.writes.iter().map(|w| w.page).collect();
            if pages.len() != change.writes.len() {
                return Err(invalid("a page is written twice in one change"));
            }
            let size = change.page_size.get() as usize;
            if self.writes(commit.id, change).values().any(|image| image.len() != size) {
                return Err(invalid("an image has not the change's page size"));
            }
        }
        for MetaWrite { key, value } in &commit.meta {
            if key.is_empty() || key.len() > META_KEY_BYTES_MAX {
                return Err(invalid("a metadata key has 1 to 1024 bytes"));
            }
            let Some(value) = value else { continue };
            if value.bytes.len() > META_VALUE_BYTES_MAX {
                return Err(invalid("a metadata value has at most 65536 bytes"));
            }
            let end = value.version_at.map(|at| at.checked_add(Version::LEN));
            if end.is_some_and(|end| end.is_none_or(|end| end > value.bytes.len())) {
                return Err(invalid("the version does not fit into the value there"));
            }
        }
        if commit.at.is_some_and(|at| at <= self.marks.sequenced) {
            return Err(invalid("the chosen version is not above all before it"));
        }
        Ok(())
    }

    fn apply(&mut self, commit: &Commit) -> Committed {
        if commit.namespaces.is_empty() && commit.meta.is_empty() {
            self.staged.retain(|(id, _, _), _| *id != commit.id);
            return Committed { version: self.marks.sequenced, time: commit.time };
        }
        let next = Version::from_seq(self.marks.sequenced.seq() + 1);
        let version = commit.at.unwrap_or(next);
        let newest = commit.namespaces.iter().filter_map(|c| self.newest(c.namespace));
        let time = newest.map(|entry| entry.time).fold(commit.time, Ord::max);
        for change in &commit.namespaces {
            let writes = self.writes(commit.id, change);
            let entry = LogEntry {
                version,
                time,
                commit_id: commit.id,
                pages_written: writes.len() as u32,
                pages: Some(PageRuns::of(writes.keys().copied())),
                page_size: change.page_size,
                page_count: change.page_count,
            };
            self.log.insert((change.namespace, version), entry);
            for (page, image) in writes {
                self.pages.insert((change.namespace, page, version), image);
            }
        }
        for MetaWrite { key, value } in &commit.meta {
            let Some(value) = value else {
                self.meta.remove(key);
                continue;
            };
            let mut bytes = value.bytes.to_vec();
            if let Some(at) = value.version_at {
                bytes[at..at + Version::LEN].copy_from_slice(version.as_bytes());
            }
            self.meta.insert(key.clone(), bytes.into());
        }
        self.staged.retain(|(id, _, _), _| *id != commit.id);
        self.marks.sequenced = version;
        Committed { version, time }
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
        let Marks { sequenced, durable } = self.state().marks;
        Ok(Watermarks { sequenced, durable })
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
        if commit.id.millis() < oldest {
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
