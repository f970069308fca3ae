//! Pages put aside for a commit to come.
//!
//! Images lie in the staged space under the commit's id, and stay there: the
//! commit only adds pointers to them. Until then a key says that the stage is
//! open, so that what a process left behind is found without looking at what
//! others committed; and run keys say which pages there are, so that the commit
//! learns it without reading them.

use std::collections::BTreeMap;

use bytes::Bytes;
use hozo_traits::{
    CommitId, CommitOutcome, Error, ErrorKind, NamespaceId, PageNo, PageSize, PageWrite, Result,
};

use crate::codec::{Reader, corrupt, outcome, put_varint};
use crate::keys::staged as staged_keys;
use crate::pages::{delete, delete_range, put, unnumbered};
use crate::scan::Pieces;
use crate::{
    Condition, KeyRange, OrderedEngine, OrderedPages, Scan, Space, Template, WriteOp, WriteOutcome,
    keys,
};

/// Bytes that one batch of staged pages has at most, if the engine takes more.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// What a run key and a page's image key take, and a little.
const KEY_BYTES: usize = 80;

/// Which pages of a namespace are staged: size of an image by page.
pub(crate) type StagedPages = BTreeMap<PageNo, u32>;

impl<E: OrderedEngine> OrderedPages<E> {
    pub(crate) async fn put_aside(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        let mut images = BTreeMap::new();
        for write in writes {
            if u32::try_from(write.image.len()).ok().is_none_or(|n| PageSize::new(n).is_err()) {
                return Err(Error::new(ErrorKind::Invalid, "a staged image has no page's size")
                    .with("page", write.page)
                    .with("bytes", write.image.len()));
            }
            images.insert(write.page, write.image);
        }
        if images.is_empty() {
            return Ok(());
        }
        if let Err(too_old) = self.check_id(id) {
            self.reopen_stage(id, too_old).await?;
        }
        self.stage_begins(id)?;
        let room = self.limits.batch_bytes_max.min(BATCH_BYTES_MAX);
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (page, image) in images {
            let more = image.len() + KEY_BYTES;
            if bytes + more > room && !batch.is_empty() {
                let full = std::mem::take(&mut batch);
                if !self.put_batch_aside(id, namespace, full).await? {
                    return Ok(());
                }
                bytes = 0;
            }
            bytes += more;
            batch.push((page, image));
        }
        self.put_batch_aside(id, namespace, batch).await.map(|_| ())
    }

    /// Opens the stage of an id whose outcome may be forgotten. There must be
    /// no images under it but those of an open stage: a commit that took some
    /// has them there, and they would be overwritten.
    async fn reopen_stage(&self, id: CommitId, too_old: Error) -> Result<()> {
        let open = staged_keys::open(id);
        if self.engine.get(Space::Staged, &open).await?.is_some() {
            return Ok(());
        }
        let (start, end) = staged_keys::all_images(id);
        let unused = Condition::RangeEmpty { space: Space::Staged, range: KeyRange { start, end } };
        let ops = vec![put(Space::Staged, open, b"")];
        self.stage_begins(id)?;
        match self.engine.write(unnumbered(vec![unused], ops)).await? {
            WriteOutcome::Written { .. } => Ok(()),
            WriteOutcome::Failed { .. } => {
                self.stage_ended(id);
                Err(too_old)
            }
        }
    }

    /// Whether the pages are staged; not so if the commit was made already.
    async fn put_batch_aside(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        batch: Vec<(PageNo, Bytes)>,
    ) -> Result<bool> {
        // A client that repeats a commit may stage its pages again first. What
        // the commit took is part of its version and must stay as it is.
        let ops = |batch: &_| put_all(id, namespace, batch);
        let not_made =
            |value| Condition::KeyIs { space: Space::Commits, key: id.as_bytes().to_vec(), value };
        match self.engine.write(unnumbered(vec![not_made(None)], ops(&batch))).await? {
            WriteOutcome::Written { .. } => return Ok(true),
            WriteOutcome::Failed { found: Some((_, record)), .. } => {
                if let CommitOutcome::Committed(_) = outcome::decode(&record)? {
                    self.stage_ended(id);
                    return Ok(false);
                }
                // A conflict took nothing, and remains the answer.
                let again = unnumbered(vec![not_made(Some(record))], ops(&batch));
                if let WriteOutcome::Written { .. } = self.engine.write(again).await? {
                    return Ok(true);
                }
            }
            WriteOutcome::Failed { .. } => {}
        }
        Err(Error::new(ErrorKind::Busy, "the commit's outcome changes while its pages are staged")
            .with("commit id", id))
    }

    pub(crate) async fn read_put_aside(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>> {
        let open = self.may_be_staged(id)
            && self.engine.get(Space::Staged, &staged_keys::open(id)).await?.is_some();
        if !open {
            return Ok(vec![None; pages.len()]);
        }
        let wanted: Vec<_> =
            pages.iter().map(|page| staged_keys::image(id, namespace, *page)).collect();
        self.engine.get_many(Space::Staged, &wanted).await
    }

    pub(crate) async fn drop_put_aside(&self, id: CommitId) -> Result<()> {
        if !self.may_be_staged(id) {
            return Ok(());
        }
        let open = Condition::KeyIs {
            space: Space::Staged,
            key: staged_keys::open(id),
            value: Some(Bytes::new()),
        };
        // If it is not open, its commit was made or nothing was staged.
        self.engine.write(unnumbered(vec![open], drop_all(id))).await?;
        self.stage_ended(id);
        Ok(())
    }

    /// Removes the stages of processes that ended: where others may write, those
    /// that no commit can take any more.
    pub(crate) async fn remove_left_stages(&self) -> Result<()> {
        let exclusive = self.engine.capabilities().exclusive;
        let (start, end) = staged_keys::ALL_OPEN;
        let limit = usize::MAX;
        let scan = Scan { space: Space::Staged, start, end, reverse: false, limit, bytes_max: 0 };
        let mut pieces = Pieces::of(scan);
        while let Some(piece) = pieces.next(&self.engine).await? {
            for (key, _) in piece {
                let id = staged_keys::open_id(&key)?;
                if exclusive {
                    self.tidy(drop_all(id)).await?;
                } else if self.is_long_past(id) {
                    self.drop_put_aside(id).await?;
                } else {
                    // Ids ascend with time.
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Which pages are staged under this id, by namespace.
    pub(crate) async fn staged_pages(
        &self,
        id: CommitId,
    ) -> Result<BTreeMap<NamespaceId, StagedPages>> {
        let mut found: BTreeMap<NamespaceId, StagedPages> = BTreeMap::new();
        let (start, end) = staged_keys::all_runs(id);
        let limit = usize::MAX;
        let (space, reverse) = (Space::Staged, false);
        let scan = Scan { space, start: &start, end: &end, reverse, limit, bytes_max: 0 };
        let mut pieces = Pieces::of(scan);
        while let Some(piece) = pieces.next(&self.engine).await? {
            for (key, value) in piece {
                let (namespace, first, count) = staged_keys::parse_run(&key)?;
                let size = Reader(&value).varint32()?;
                let pages = found.entry(namespace).or_default();
                for n in 0..count {
                    let page = first.get().checked_add(n).and_then(PageNo::new);
                    let page = page.ok_or_else(|| corrupt("a staged run has too many pages"))?;
                    // Staged again with another size, its size is not known
                    // from here.
                    pages
                        .entry(page)
                        .and_modify(|s| *s = if *s == size { size } else { 0 })
                        .or_insert(size);
                }
            }
        }
        Ok(found)
    }

    /// An error unless all these staged images have the size.
    pub(crate) async fn check_staged_sizes(
        &self,
        id: CommitId,
        namespace: NamespaceId,
        pages: &StagedPages,
        wanted: PageSize,
    ) -> Result<()> {
        for (page, size) in pages {
            let mut size = *size;
            if size == 0 {
                let key = staged_keys::image(id, namespace, *page);
                let image = self.engine.get(Space::Staged, &key).await?;
                size = image.map_or(0, |image| image.len() as u32);
            }
            if size != wanted.get() {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "a staged image has not the page size of its commit",
                )
                .with("namespace", namespace)
                .with("page", page)
                .with("bytes", size)
                .with("page size", wanted.get()));
            }
        }
        Ok(())
    }
}

/// Runs of adjacent pages with images of one size: first, how many, size.
fn runs(batch: &[(PageNo, Bytes)]) -> Vec<(PageNo, u32, u32)> {
    let mut runs: Vec<(PageNo, u32, u32)> = Vec::new();
    for (page, image) in batch {
        let size = image.len() as u32;
        match runs.last_mut() {
            Some((first, count, s)) if *s == size && first.get() + *count == page.get() => {
                *count += 1;
            }
            _ => runs.push((*page, 1, size)),
        }
    }
    runs
}

/// Puts the pages aside.
fn put_all(id: CommitId, namespace: NamespaceId, batch: &[(PageNo, Bytes)]) -> Vec<WriteOp> {
    let mut ops = vec![put(Space::Staged, staged_keys::open(id), b"")];
    for (first, count, size) in runs(batch) {
        let mut value = Vec::new();
        put_varint(&mut value, u64::from(size));
        ops.push(WriteOp::Put {
            space: Space::Staged,
            key: Template::plain(staged_keys::run(id, namespace, first, count)),
            value: Template::plain(value),
        });
    }
    for (page, image) in batch {
        ops.push(WriteOp::Put {
            space: Space::Staged,
            key: Template::plain(staged_keys::image(id, namespace, *page)),
            value: Template::plain(image.clone()),
        });
    }
    ops
}

/// Forgets a stage, its images included.
fn drop_all(id: CommitId) -> Vec<WriteOp> {
    let mut ops = close(id);
    ops.push(delete_range(Space::Staged, staged_keys::all_images(id)));
    ops
}

/// Ends a stage; the images stay.
pub(crate) fn close(id: CommitId) -> Vec<WriteOp> {
    vec![
        delete(Space::Staged, keys::staged::open(id)),
        delete_range(Space::Staged, staged_keys::all_runs(id)),
    ]
}
