//! Creating, renaming, deleting, setting: changes of metadata that are
//! conditional on what was read, and tried again when somebody else came first.

use bytes::Bytes;
use hozo_traits::{
    Commit, CommitOutcome, Condition, Conflict, Durability, Error, ErrorKind, MetaValue, MetaWrite,
    NamespaceId, Result, Version,
};

use crate::namespaces::{ATTEMPTS_MAX, corrupt, info, too_busy};
use crate::records::{self, IdRecord, NameRecord, Settings, Tombstone};
use crate::{Concurrency, CreateOptions, NamespaceInfo, NamespaceName, Namespaces, keys};

impl Namespaces {
    /// Makes an empty namespace, durably. [`Exists`](ErrorKind::Exists) if the
    /// name is taken; of two who create one name at once, one gets that.
    pub async fn create(
        &self,
        name: &NamespaceName,
        options: CreateOptions,
    ) -> Result<NamespaceInfo> {
        name.check_new()?;
        for _ in 0..ATTEMPTS_MAX {
            if self.store().meta_get(&keys::name(name)).await?.is_some() {
                return Err(exists(name));
            }
            let counter = self.store().meta_get(&keys::NEXT_ID).await?;
            let id = NamespaceId(records::decode_next_id(counter.as_deref())?);
            let next = id.0.checked_add(1).ok_or_else(|| corrupt("all namespace ids are used"))?;
            let created = self.ambient().now();
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

    /// Gives a namespace another name, durably. Who has it open keeps it.
    /// [`Exists`](ErrorKind::Exists) if the new name is taken.
    pub async fn rename(&self, from: &NamespaceName, to: &NamespaceName) -> Result<()> {
        to.check_new()?;
        for _ in 0..ATTEMPTS_MAX {
            let found = self.find(from).await?;
            if self.store().meta_get(&keys::name(to)).await?.is_some() {
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
                deleted: self.ambient().now(),
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

    /// Commits metadata durably: the version, or the key whose value was another.
    async fn change_meta(
        &self,
        conditions: Vec<Condition>,
        meta: Vec<MetaWrite>,
    ) -> Result<Result<Version, Bytes>> {
        let commit = Commit {
            // The same id would get the first attempt's answer.
            id: self.ambient().commit_id(),
            conditions,
            namespaces: Vec::new(),
            meta,
            durability: Durability::Durable,
            time: self.ambient().now(),
            at: None,
        };
        match self.store().commit(commit).await? {
            CommitOutcome::Committed(committed) => Ok(Ok(committed.version)),
            CommitOutcome::Conflict(Conflict::Meta { key }) => Ok(Err(key)),
            CommitOutcome::Conflict(conflict) => {
                Err(Error::new(ErrorKind::Internal, "a change of metadata conflicts with pages")
                    .with("conflict", format_args!("{conflict:?}")))
            }
        }
    }
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
