//! Finding and opening namespaces.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use hozo_traits::{Ambient, Error, ErrorKind, NamespaceId, PageStore, Result};

use crate::heads::HeadsCache;
use crate::namespace::Shared;
use crate::records::{IdRecord, NameRecord, Settings, Tombstone};
use crate::writer::WriterQueue;
use crate::{DeletedNamespace, Namespace, NamespaceInfo, NamespaceName, keys};

/// Namespaces that [`Namespaces::list`] answers at most.
pub const LIST_ENTRIES_MAX: usize = 1000;

/// How often a change of metadata is tried again when another one came first,
/// and a read when it met one.
/// Each round that fails is one in which somebody else succeeded, so this many
/// clients would have to create or rename at the same moment.
pub(crate) const ATTEMPTS_MAX: usize = 1000;

/// The namespaces of one store. One process uses one of these per store.
pub struct Namespaces {
    store: Arc<dyn PageStore>,
    ambient: Arc<dyn Ambient>,
    /// What those who opened a namespace share, as long as somebody needs it.
    opened: Mutex<HashMap<NamespaceId, Opened>>,
}

/// A writer may hold the slot for longer than the namespace that it came from,
/// so the slot is found again by itself.
struct Opened {
    shared: Weak<Shared>,
    writers: Weak<WriterQueue>,
}

/// A namespace as it was found, with the stored bytes that a change of it is
/// conditional on.
pub(crate) struct Found {
    pub(crate) info: NamespaceInfo,
    pub(crate) name_record: Bytes,
    pub(crate) id_record: Bytes,
    pub(crate) settings: Bytes,
}

impl Namespaces {
    /// The namespaces of `store`.
    pub fn new(store: Arc<dyn PageStore>, ambient: Arc<dyn Ambient>) -> Arc<Self> {
        Arc::new(Namespaces { store, ambient, opened: Mutex::default() })
    }

    /// The store that they are in.
    pub fn store(&self) -> &Arc<dyn PageStore> {
        &self.store
    }

    /// Where time and commit ids come from.
    pub fn ambient(&self) -> &Arc<dyn Ambient> {
        &self.ambient
    }

    /// What the namespace with this name is.
    pub async fn get(&self, name: &NamespaceName) -> Result<NamespaceInfo> {
        Ok(self.find(name).await?.info)
    }

    /// Namespaces whose names begin with `prefix`, by name, after `after` where
    /// given, at most `limit` and at most [`LIST_ENTRIES_MAX`]. No entries mean
    /// that there are no more; fewer than the limit do not.
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&NamespaceName>,
        limit: usize,
    ) -> Result<Vec<NamespaceInfo>> {
        let prefix = [keys::NAMES, prefix.as_bytes()].concat();
        let mut after = after.map(keys::name);
        let limit = limit.min(LIST_ENTRIES_MAX);
        let mut found = Vec::new();
        while found.is_empty() && limit > 0 {
            let names = self.store.meta_scan(&prefix, after.as_deref(), limit).await?;
            let Some((last, _)) = names.last() else { break };
            after = Some(last.clone());
            for (key, _) in &names {
                let name = NamespaceName::from_bytes(&key[keys::NAMES.len()..])
                    .map_err(|e| corrupt("a stored name is no name").caused_by(e))?;
                match self.find(&name).await {
                    Ok(namespace) => found.push(namespace.info),
                    // It was deleted or renamed since the scan.
                    Err(e) if e.kind() == ErrorKind::NotFound => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(found)
    }

    /// Deleted namespaces that were not collected yet, by id, after `after`
    /// where given, at most `limit` and at most [`LIST_ENTRIES_MAX`].
    pub async fn deleted(
        &self,
        after: Option<NamespaceId>,
        limit: usize,
    ) -> Result<Vec<DeletedNamespace>> {
        let after = after.map(keys::tombstone);
        let limit = limit.min(LIST_ENTRIES_MAX);
        let found = self.store.meta_scan(keys::TOMBSTONES, after.as_deref(), limit).await?;
        found.iter().map(|(key, value)| deleted(key, value)).collect()
    }

    /// Opens a namespace, which must exist.
    pub async fn open(self: &Arc<Self>, name: &NamespaceName) -> Result<Arc<Namespace>> {
        let Found { info, id_record, .. } = self.find(name).await?;
        let shared = self.share(info.id);
        Ok(Arc::new(Namespace { namespaces: self.clone(), info, id_record, shared }))
    }

    fn share(&self, id: NamespaceId) -> Arc<Shared> {
        let mut all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = all.get(&id).and_then(|opened| opened.shared.upgrade()) {
            return shared;
        }
        // What nobody needs any more goes when there is no room for another,
        // so the map is at most twice what is needed.
        if all.len() == all.capacity() {
            all.retain(|_, opened| opened.writers.strong_count() > 0);
        }
        let writers = all.get(&id).and_then(|opened| opened.writers.upgrade());
        let writers = writers.unwrap_or_else(|| WriterQueue::new(id));
        let shared = Arc::new(Shared { heads: HeadsCache::default(), writers });
        let opened =
            Opened { shared: Arc::downgrade(&shared), writers: Arc::downgrade(&shared.writers) };
        all.insert(id, opened);
        shared
    }

    /// The namespace that has the name now.
    pub(crate) async fn find(&self, name: &NamespaceName) -> Result<Found> {
        let key = keys::name(name);
        let mut name_record = self.store.meta_get(&key).await?;
        for _ in 0..ATTEMPTS_MAX {
            let Some(record) = name_record else { return Err(not_found(name)) };
            let id = NameRecord::decode(&record)?.id;
            let id_record = self.store.meta_get(&keys::id(id)).await?;
            let settings = self.store.meta_get(&keys::settings(id)).await?;
            if let (Some(id_record), Some(settings)) = (id_record, settings) {
                let decoded = (IdRecord::decode(&id_record)?, Settings::decode(&settings)?);
                let info = info(name.clone(), id, &decoded.0, &decoded.1);
                return Ok(Found { info, name_record: record, id_record, settings });
            }
            // It was deleted between two of the reads, unless the name is still there.
            name_record = self.store.meta_get(&key).await?;
            if name_record.as_ref() == Some(&record) {
                return Err(corrupt("a name leads to no namespace")
                    .with("name", name)
                    .with("id", id));
            }
        }
        Err(too_busy(name))
    }
}

impl fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespaces")
            .field("backend", &self.store.capabilities().backend)
            .finish_non_exhaustive()
    }
}

pub(crate) fn info(
    name: NamespaceName,
    id: NamespaceId,
    record: &IdRecord,
    settings: &Settings,
) -> NamespaceInfo {
    NamespaceInfo {
        id,
        name,
        created: record.created,
        created_version: record.created_version,
        page_size: record.page_size,
        concurrency: settings.concurrency,
    }
}

fn deleted(key: &[u8], value: &[u8]) -> Result<DeletedNamespace> {
    let tombstone = Tombstone::decode(value)?;
    let id = key[keys::TOMBSTONES.len()..]
        .try_into()
        .map_err(|_| corrupt("the key of a deleted namespace is not an id"))?;
    let info = info(
        NamespaceName::from_bytes(&tombstone.name)?,
        NamespaceId(u64::from_be_bytes(id)),
        &IdRecord::decode(&tombstone.id_record)?,
        &Settings::decode(&tombstone.settings)?,
    );
    let Tombstone { deleted, deleted_version, .. } = tombstone;
    Ok(DeletedNamespace { info, deleted, deleted_version })
}

fn not_found(name: &NamespaceName) -> Error {
    Error::new(ErrorKind::NotFound, "there is no namespace with this name").with("name", name)
}

pub(crate) fn too_busy(name: &NamespaceName) -> Error {
    Error::new(ErrorKind::Busy, "others keep changing the names in this store")
        .with("name", name)
        .with("attempts", ATTEMPTS_MAX)
}

pub(crate) fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}
