//! What a model holds, and how a commit is judged and applied.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};

use bytes::Bytes;
use hozo_traits::{
    ChangeEntry, Commit, CommitId, CommitOutcome, Committed, Condition, Conflict, Error, ErrorKind,
    LogEntry, MetaWrite, NamespaceChange, NamespaceId, PageNo, PageRuns, Result, Version,
    Watermarks,
};

/// Everything that the store knows.
pub(super) struct State {
    pub(super) marks: Watermarks,
    pub(super) pages: BTreeMap<(NamespaceId, PageNo, Version), Bytes>,
    pub(super) purged: BTreeSet<(NamespaceId, PageNo, Version)>,
    pub(super) log: BTreeMap<(NamespaceId, Version), LogEntry>,
    pub(super) changes: Vec<ChangeEntry>,
    pub(super) meta: BTreeMap<Bytes, Bytes>,
    pub(super) outcomes: BTreeMap<CommitId, CommitOutcome>,
    pub(super) staged: BTreeMap<(CommitId, NamespaceId, PageNo), Bytes>,
}

impl Default for State {
    fn default() -> Self {
        State {
            marks: Watermarks { sequenced: Version::ZERO, durable: Version::ZERO },
            pages: BTreeMap::new(),
            purged: BTreeSet::new(),
            log: BTreeMap::new(),
            changes: Vec::new(),
            meta: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            staged: BTreeMap::new(),
        }
    }
}

const META_KEY_BYTES_MAX: usize = 1024;
const META_VALUE_BYTES_MAX: usize = 64 * 1024;

pub(super) fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

impl State {
    pub(super) fn judge(&self, condition: &Condition) -> Option<Conflict> {
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

    pub(super) fn staged(&self, id: CommitId, namespace: NamespaceId) -> BTreeMap<PageNo, Bytes> {
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

    pub(super) fn check(&self, commit: &Commit) -> Result<()> {
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

    pub(super) fn apply(&mut self, commit: &Commit) -> Committed {
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
        let mut meta = Vec::new();
        for MetaWrite { key, value } in &commit.meta {
            let Some(value) = value else {
                self.meta.remove(key);
                meta.push((key.clone(), None));
                continue;
            };
            let mut bytes = value.bytes.to_vec();
            if let Some(at) = value.version_at {
                bytes[at..at + Version::LEN].copy_from_slice(version.as_bytes());
            }
            let value = Bytes::from(bytes);
            self.meta.insert(key.clone(), value.clone());
            meta.push((key.clone(), Some(value)));
        }
        let namespaces = commit.namespaces.iter().map(|change| change.namespace).collect();
        self.changes.push(ChangeEntry { version, time, commit_id: commit.id, namespaces, meta });
        self.staged.retain(|(id, _, _), _| *id != commit.id);
        self.marks.sequenced = version;
        Committed { version, time }
    }
}
