//! Finding, making and naming namespaces.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use hozo_traits::{
    Ambient, Commit, CommitOutcome, Condition, Conflict, Durability, Error, ErrorKind, MetaValue,
    MetaWrite, NamespaceId, PageStore, Result, Version,
};

use crate::heads::HeadsCache;
use crate::namespace::Shared;
use crate::records::{self, IdRecord, NameRecord, Settings, Tombstone};
use crate::writer::WriterQueue;
use crate::{
    Concurrency, CreateOptions, DeletedNamespace, Namespace, NamespaceInfo, NamespaceName, keys,
};

/// Namespaces that [`Namespaces::list`] answers at most.
pub const LIST_ENTRIES_MAX: usize = 1000;

/// How often a change of metadata is tried again when another one came first.
/// Each round that fails is one in which somebody else succeeded, so this many
/// clients would have to create or rename at the same moment.
const ATTEMPTS_MAX: usize = 1000;

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
    name_record: Bytes,
    id_record: Bytes,
    settings: Bytes,
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

    /// Makes an empty namespace, durably. [`Exists`](ErrorKind::Exists) if the
    /// name is taken; of two who create one name at once, one gets that.
    pub async fn create(
        &self,
        name: &NamespaceName,
        options: CreateOptions,
    ) -> Result<NamespaceInfo> {
        name.check_new()?;
        for _ in 0..ATTEMPTS_MAX {
            if self.store.meta_get(&keys::name(name)).await?.is_some() {
                return Err(exists(name));
            }
            let counter = self.store.meta_get(&keys::NEXT_ID).await?;
            let id = NamespaceId(records::decode_next_id(counter.as_deref())?);
            let next = id.0.checked_add(1).ok_or_else(|| corrupt("all namespace ids are used"))?;
            let created = self.ambient.now();
            let record = |created_version| IdRecord {
                created_version,
                created,
                page_size: options.page_size,
                rest: Bytes::new(),
            };
            let settings = Settings { concurrency: options.concurrency, rest: Bytes::new() };
            let conditions = vec![
                equals(keys::name(name), None),
                equals(keys::NEXT_ID, counter),
                equals(keys::id(id), None),
            ];
            let id_value = MetaValue {
                bytes: record(Version::ZERO).encode(),
                version_at: Some(IdRecord::VERSION_AT),
            };
            let writes = vec![
                put(keys::NEXT_ID, next.to_be_bytes().to_vec()),
                put(keys::name(name), NameRecord { id, rest: Bytes::new() }.encode()),
                MetaWrite { key: keys::id(id), value: Some(id_value) },
                put(keys::settings(id), settings.encode()),
            ];
            match self.change_meta(conditions, writes).await? {
                Ok(version) => return Ok(info(name.clone(), id, &record(version), &settings)),
                // No retry can help: the counter gives out what is in use.
                Err(key) if key == keys::id(id) => {
                    return Err(corrupt("the counter of namespace ids is too low").with("id", id));
                }
                Err(_) => {}
            }
        }
        Err(too_busy(name))
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

    /// Gives a namespace another name, durably. Who has it open keeps it.
    /// [`Exists`](ErrorKind::Exists) if the new name is taken.
    pub async fn rename(&self, from: &NamespaceName, to: &NamespaceName) -> Result<()> {
        to.check_new()?;
        for _ in 0..ATTEMPTS_MAX {
            let found = self.find(from).await?;
            if self.store.meta_get(&keys::name(to)).await?.is_some() {
                return Err(exists(to));
            }
            let conditions = vec![
                equals(keys::name(from), Some(found.name_record.clone())),
                equals(keys::name(to), None),
            ];
            let writes = vec![remove(keys::name(from)), put(keys::name(to), found.name_record)];
            if self.change_meta(conditions, writes).await?.is_ok() {
                return Ok(());
            }
        }
        Err(too_busy(from))
    }

    /// Takes a namespace's name away and ends its history, durably. A commit by
    /// somebody who has it open is then refused. A tombstone stays, so that its
    /// pages can be collected.
    pub async fn delete(&self, name: &NamespaceName) -> Result<()> {
        for _ in 0..ATTEMPTS_MAX {
            let found = self.find(name).await?;
            let id = found.info.id;
            let tombstone = Tombstone {
                deleted_version: Version::ZERO,
                deleted: self.ambient.now(),
                name: Bytes::copy_from_slice(name.as_str().as_bytes()),
                id_record: found.id_record.clone(),
                settings: found.settings.clone(),
                rest: Bytes::new(),
            };
            let tombstone =
                MetaValue { bytes: tombstone.encode(), version_at: Some(Tombstone::VERSION_AT) };
            let conditions = vec![
                equals(keys::name(name), Some(found.name_record)),
                equals(keys::settings(id), Some(found.settings)),
            ];
            let writes = vec![
                remove(keys::name(name)),
                remove(keys::id(id)),
                remove(keys::settings(id)),
                MetaWrite { key: keys::tombstone(id), value: Some(tombstone) },
            ];
            if self.change_meta(conditions, writes).await?.is_ok() {
                return Ok(());
            }
        }
        Err(too_busy(name))
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

    /// Changes how writers share a namespace, durably, for those who open it
    /// from now on.
    pub async fn set_concurrency(
        &self,
        name: &NamespaceName,
        concurrency: Concurrency,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS_MAX {
            let found = self.find(name).await?;
            let settings = Settings { concurrency, ..Settings::decode(&found.settings)? };
            let key = keys::settings(found.info.id);
            let conditions = vec![
                equals(keys::name(name), Some(found.name_record)),
                equals(key.clone(), Some(found.settings)),
            ];
            let writes = vec![put(key, settings.encode())];
            if self.change_meta(conditions, writes).await?.is_ok() {
                return Ok(());
            }
        }
        Err(too_busy(name))
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

    /// Commits metadata durably: the version, or the key whose value was another.
    async fn change_meta(
        &self,
        conditions: Vec<Condition>,
        meta: Vec<MetaWrite>,
    ) -> Result<Result<Version, Bytes>> {
        let commit = Commit {
            // The same id would get the first attempt's answer.
            id: self.ambient.commit_id(),
            conditions,
            namespaces: Vec::new(),
            meta,
            durability: Durability::Durable,
            time: self.ambient.now(),
            at: None,
        };
        match self.store.commit(commit).await? {
            CommitOutcome::Committed(committed) => Ok(Ok(committed.version)),
            CommitOutcome::Conflict(Conflict::Meta { key }) => Ok(Err(key)),
            CommitOutcome::Conflict(conflict) => {
                Err(Error::new(ErrorKind::Internal, "a change of metadata conflicts with pages")
                    .with("conflict", format_args!("{conflict:?}")))
            }
        }
    }
}

impl fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespaces")
            .field("backend", &self.store.capabilities().backend)
            .finish_non_exhaustive()
    }
}

fn info(
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

fn equals(key: Bytes, value: Option<Bytes>) -> Condition {
    Condition::MetaEquals { key, value }
}

fn put(key: Bytes, value: impl Into<Bytes>) -> MetaWrite {
    MetaWrite { key, value: Some(MetaValue::plain(value)) }
}

fn remove(key: Bytes) -> MetaWrite {
    MetaWrite { key, value: None }
}

fn exists(name: &NamespaceName) -> Error {
    Error::new(ErrorKind::Exists, "there is already a namespace with this name").with("name", name)
}

fn not_found(name: &NamespaceName) -> Error {
    Error::new(ErrorKind::NotFound, "there is no namespace with this name").with("name", name)
}

fn too_busy(name: &NamespaceName) -> Error {
    Error::new(ErrorKind::Busy, "others keep changing the names in this store")
        .with("name", name)
        .with("attempts", ATTEMPTS_MAX)
}

fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}
