//! A page store over any ordered engine.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Ambient, Capabilities, ChangeEntry, Commit, CommitId, CommitOutcome, Durability, Error,
    ErrorKind, LogEntry, LogQuery, NamespaceId, PageImage, PageNo, PageStore, PageWrite, Purged,
    Result, Version, Watermarks,
};

use crate::codec;
use crate::{
    Limits, Numbering, OrderedEngine, Scan, Space, Template, Write, WriteOp, WriteOutcome, keys,
};

/// The format of everything in the store. It changes when older programs could
/// misread what is there.
const FORMAT: &[u8] = &[2];

/// The format without a list of changes, which is otherwise the same.
const FORMAT_WITHOUT_CHANGES: &[u8] = &[1];

/// How many transactions may have staged pages at once.
const STAGES_MAX: usize = 65_536;

/// How an [`OrderedPages`] is set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderedPagesConfig {
    /// How long the outcome of a commit is kept for who asks again. At least
    /// an hour.
    pub commit_id_keep: Duration,
    /// Limits to keep besides the engine's own, such as
    /// [`Limits::FOUNDATIONDB`]: what works with them works there.
    pub strict: Option<Limits>,
}

impl OrderedPagesConfig {
    /// The shortest [`commit_id_keep`](Self::commit_id_keep) (PG-14).
    pub const COMMIT_ID_KEEP_MIN: Duration = Duration::from_secs(60 * 60);
}

impl Default for OrderedPagesConfig {
    /// Commit ids are kept for a day; the limits are the engine's.
    fn default() -> Self {
        OrderedPagesConfig { commit_id_keep: Duration::from_secs(24 * 60 * 60), strict: None }
    }
}

/// A [`PageStore`] over an [`OrderedEngine`].
pub struct OrderedPages<E: OrderedEngine> {
    pub(crate) engine: E,
    pub(crate) ambient: Arc<dyn Ambient>,
    pub(crate) limits: Limits,
    pub(crate) keep: Duration,
    /// Ids made before this many milliseconds may have been forgotten.
    pub(crate) forgotten: AtomicU64,
    /// When to look for ids to forget, in milliseconds.
    pub(crate) forget_next: AtomicU64,
    /// The version after which the list of changes is whole.
    pub(crate) changes_from: Version,
    /// Ids with staged pages. An exclusive store knows them all, so that a
    /// commit without any need not look.
    stages: Mutex<HashSet<CommitId>>,
    /// A version that the store has reached, where asking for the newest costs a
    /// round trip.
    reached: Mutex<Version>,
}

impl<E: OrderedEngine> OrderedPages<E> {
    /// The store in `engine`, made if the engine is empty. Stages that a
    /// process left behind which ended before their commit are removed; where
    /// other processes may write, those whose commit would be refused by now.
    pub async fn open(
        engine: E,
        config: OrderedPagesConfig,
        ambient: Arc<dyn Ambient>,
    ) -> Result<Self> {
        if config.commit_id_keep < OrderedPagesConfig::COMMIT_ID_KEEP_MIN {
            return Err(Error::new(ErrorKind::Invalid, "commit ids are kept for an hour at least")
                .with("seconds", config.commit_id_keep.as_secs()));
        }
        let limits = config.strict.map_or(engine.limits(), |strict| engine.limits().min(strict));
        if limits.key_bytes_max < Limits::KEY_BYTES_MIN
            || limits.value_bytes_max < Limits::VALUE_BYTES_MIN
        {
            return Err(Error::new(ErrorKind::Unsupported, "the engine's limits are too small")
                .with("key_bytes_max", limits.key_bytes_max)
                .with("value_bytes_max", limits.value_bytes_max));
        }
        let forgotten = engine.get(Space::System, keys::SYSTEM_FORGOTTEN).await?;
        let forgotten = forgotten.map_or(Ok(0), |stored| codec::count(&stored))?;
        let mut store = OrderedPages {
            engine,
            ambient,
            limits,
            keep: config.commit_id_keep,
            forgotten: AtomicU64::new(forgotten),
            forget_next: AtomicU64::new(0),
            changes_from: Version::ZERO,
            stages: Mutex::default(),
            reached: Mutex::new(Version::ZERO),
        };
        store.changes_from = store.check_format().await?;
        store.remove_left_stages().await?;
        Ok(store)
    }

    /// The version after which the list of changes is whole.
    async fn check_format(&self) -> Result<Version> {
        let from = match self.engine.get(Space::System, keys::SYSTEM_FORMAT).await? {
            Some(format) if format == FORMAT => {
                let stored = self.engine.get(Space::System, keys::SYSTEM_CHANGES).await?;
                let stored = stored.ok_or_else(|| {
                    codec::corrupt("the store does not say where its list of changes begins")
                })?;
                return codec::Reader(&stored).version();
            }
            Some(format) if format == FORMAT_WITHOUT_CHANGES => {
                self.engine.watermarks().await?.sequenced
            }
            Some(format) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "the store has a format that this version of Hozo does not know",
                )
                .with("format", format!("{format:?}")));
            }
            None => Version::ZERO,
        };
        let begins = WriteOp::Put {
            space: Space::System,
            key: Template::plain(keys::SYSTEM_CHANGES),
            value: Template::plain(from.as_bytes().to_vec()),
        };
        self.tidy(vec![begins, put(Space::System, keys::SYSTEM_FORMAT.to_vec(), FORMAT)]).await?;
        Ok(from)
    }

    /// An error if the store has not reached this version.
    pub(crate) async fn check_reached(&self, at: Version) -> Result<()> {
        let exclusive = self.engine.capabilities().exclusive;
        if !exclusive && at <= *self.reached.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(());
        }
        let newest = self.engine.watermarks().await?.sequenced;
        if !exclusive {
            let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
            *reached = newest.max(*reached);
        }
        if at <= newest {
            return Ok(());
        }
        Err(Error::new(ErrorKind::VersionGone, "this version was not committed yet")
            .with("version", at)
            .with("newest", newest))
    }

    /// The engine underneath.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Writes what belongs to no commit.
    pub(crate) async fn tidy(&self, ops: Vec<WriteOp>) -> Result<()> {
        match self.engine.write(unnumbered(Vec::new(), ops)).await? {
            WriteOutcome::Written { .. } => Ok(()),
            WriteOutcome::Failed { .. } => {
                Err(Error::new(ErrorKind::Internal, "a write without conditions failed on one"))
            }
        }
    }

    /// Notes that the id has staged pages; an error if too many have.
    pub(crate) fn stage_begins(&self, id: CommitId) -> Result<()> {
        let mut stages = self.stages();
        if stages.len() >= STAGES_MAX && !stages.contains(&id) {
            return Err(Error::new(ErrorKind::Busy, "too many transactions have staged pages")
                .with("at most", STAGES_MAX));
        }
        stages.insert(id);
        Ok(())
    }

    pub(crate) fn stage_ended(&self, id: CommitId) {
        self.stages().remove(&id);
    }

    /// Whether the id may have staged pages.
    pub(crate) fn may_be_staged(&self, id: CommitId) -> bool {
        !self.engine.capabilities().exclusive || self.stages().contains(&id)
    }

    fn stages(&self) -> MutexGuard<'_, HashSet<CommitId>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses ids whose outcome may be forgotten: they could be made twice.
    pub(crate) fn check_id(&self, id: CommitId) -> Result<()> {
        let keep = u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX);
        let oldest = self.ambient.now().as_millis().saturating_sub(keep);
        if id.millis() < oldest.max(self.forgotten.load(Ordering::Acquire)) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the commit id is older than outcomes are kept; take a new one",
            )
            .with("commit id", id)
            .with("kept for seconds", self.keep.as_secs()));
        }
        Ok(())
    }
}

/// A write that no watermark shows.
pub(crate) fn unnumbered(conditions: Vec<crate::Condition>, ops: Vec<WriteOp>) -> Write {
    Write {
        conditions,
        ops,
        numbering: Numbering::None,
        clock: None,
        durability: Durability::Sequenced,
    }
}

pub(crate) fn put(space: Space, key: Vec<u8>, value: &'static [u8]) -> WriteOp {
    WriteOp::Put {
        space,
        key: Template::plain(key),
        value: Template::plain(Bytes::from_static(value)),
    }
}

pub(crate) fn delete(space: Space, key: Vec<u8>) -> WriteOp {
    WriteOp::Delete { space, key: key.into() }
}

pub(crate) fn delete_range(space: Space, (start, end): (Vec<u8>, Vec<u8>)) -> WriteOp {
    WriteOp::DeleteRange { space, start: start.into(), end: end.into() }
}

#[async_trait]
impl<E: OrderedEngine> PageStore for OrderedPages<E> {
    fn capabilities(&self) -> Capabilities {
        self.engine.capabilities()
    }

    async fn watermarks(&self) -> Result<Watermarks> {
        self.engine.watermarks().await
    }

    async fn wait_durable(&self, version: Version) -> Result<()> {
        self.engine.wait_durable(version).await
    }

    async fn read_pages(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        self.read(namespace, pages, at).await
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome> {
        self.make(commit).await
    }

    async fn stage(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        self.put_aside(id, namespace, writes).await
    }

    async fn read_staged(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>> {
        self.read_put_aside(id, namespace, pages).await
    }

    async fn discard_stage(&self, id: CommitId) -> Result<()> {
        self.drop_put_aside(id).await
    }

    async fn log(&self, query: LogQuery) -> Result<Vec<LogEntry>> {
        self.read_log(query).await
    }

    async fn changes(&self, after: Version, limit: usize) -> Result<Vec<ChangeEntry>> {
        self.read_changes(after, limit).await
    }

    async fn meta_get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.engine.get(Space::Meta, key).await
    }

    async fn meta_scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        let mut start = prefix.to_vec();
        if let Some(after) = after
            && after >= prefix
        {
            start = keys::after(after.to_vec());
        }
        // Above every key that may be: longer than the longest.
        let end =
            keys::after_prefix(prefix).unwrap_or_else(|| vec![0xff; keys::META_KEY_BYTES_MAX + 1]);
        let scan = Scan {
            space: Space::Meta,
            start: &start,
            end: &end,
            reverse: false,
            limit,
            bytes_max: 0,
        };
        self.scan_all(scan).await
    }

    async fn purge(&self, namespace: NamespaceId, victims: &[(PageNo, Version)]) -> Result<Purged> {
        self.remove_versions(namespace, victims).await
    }
}
