//! What a transaction changed, as a commit wants it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hozo_pages::Head;
use hozo_traits::{Error, ErrorKind, PageImage, PageNo, PageSize, PageWrite, Patch, Version};

use super::Connection;
use crate::code::Failure;
use crate::group::Group;
use crate::page1;
use crate::pending::{Block, Pending};

/// Pages of the snapshot that a commit reads at most, to store only what
/// changed of them. Others are stored whole.
pub(super) const BASE_READS_MAX: usize = 256;

/// The changes of one database, ready to be committed.
pub(crate) struct Prepared {
    pub(super) group: Option<Arc<Group>>,
    /// The change counter that SQLite wrote.
    pub(super) counter: u32,
    pub(super) base: Version,
    pub(super) writes: Vec<PageWrite>,
    /// Pages that are in the stage and not in `writes`.
    pub(super) staged: Vec<PageNo>,
    pub(super) page_size: PageSize,
    pub(super) page_count: u32,
    /// What SQLite has cached of page 1 is not what is stored.
    pub(super) header_changed: bool,
}

impl Connection {
    /// What the transaction changed, as a commit wants it.
    pub(super) fn prepare(
        &mut self,
        counter: u32,
        group: Option<Arc<Group>>,
    ) -> Result<Prepared, Failure> {
        let Some(head) = self.head else {
            return Err(Error::new(ErrorKind::Internal, "a commit without a snapshot").into());
        };
        let Some(Block::Memory { bytes: first, .. }) = self.pending.blocks.get(&1) else {
            return Err(Error::new(ErrorKind::Internal, "a commit without page 1").into());
        };
        let header_changed = page1::asks_for_wal(first);
        let page_size = page1::page_size(first).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "page 1 says no page size; this is no SQLite database")
        })?;
        let extent = self.pending.size.div_ceil(u64::from(page_size.get()));
        let page_count = match page1::page_count(first) {
            Some(count) => count,
            None => u32::try_from(extent).map_err(|_| {
                Error::new(ErrorKind::TooLarge, "a database has at most 2^32-1 pages")
            })?,
        };
        let same_size = page_size == head.page_size || head.page_count == 0;
        let (writes, staged) = if self.pending.unit == page_size.get() && same_size {
            self.collect(&head, page_count)?
        } else {
            self.recut(&head, page_size, page_count)?
        };
        let base = head.version;
        Ok(Prepared { group, counter, base, writes, staged, page_size, page_count, header_changed })
    }

    /// The writes of a transaction that keeps the page size.
    fn collect(
        &mut self,
        head: &Head,
        page_count: u32,
    ) -> Result<(Vec<PageWrite>, Vec<PageNo>), Failure> {
        let unit = self.pending.unit;
        let kept = ((self.pending.base_limit / u64::from(unit)) as u32).min(head.page_count);
        self.warm_up(head, kept)?;
        let mut writes = Vec::new();
        let mut staged_pages = Vec::new();
        for (n, block) in self.pending.blocks.range(..=page_count) {
            let Some(page) = PageNo::new(*n) else { continue };
            match block {
                Block::Staged => staged_pages.push(page),
                Block::Memory { bytes, staged } => {
                    let image =
                        if page == PageNo::ONE { page1::canonical(bytes) } else { bytes.clone() };
                    let base = if *n <= kept { self.cached(page, head) } else { None };
                    if base.as_ref().is_some_and(|base| base.bytes == image) && !staged {
                        continue;
                    }
                    let patch = base.map(|base| Patch::between(base.version, &base.bytes, &image));
                    writes.push(PageWrite { page, image, patch });
                }
            }
        }
        // Pages that are new and were not written read as zeros, and older
        // images of theirs must not show.
        let zeros = Bytes::from(vec![0; unit as usize]);
        let new = kept.saturating_add(1)..=page_count;
        for n in new.filter(|n| !self.pending.blocks.contains_key(n)) {
            writes.extend(PageNo::new(n).map(|page| PageWrite {
                page,
                image: zeros.clone(),
                patch: None,
            }));
        }
        Ok((writes, staged_pages))
    }

    /// Brings images of the snapshot into the cache that are needed to store
    /// only what changed: page 1 always, others if they are few.
    fn warm_up(&self, head: &Head, kept: u32) -> Result<(), Failure> {
        let written = self.pending.blocks.range(..=kept).filter_map(|(n, block)| match block {
            Block::Memory { .. } => PageNo::new(*n),
            Block::Staged => None,
        });
        let mut missing: Vec<PageNo> =
            written.filter(|page| self.cached(*page, head).is_none()).collect();
        if missing.len() > BASE_READS_MAX {
            missing.retain(|page| *page == PageNo::ONE);
        }
        if missing.is_empty() {
            return Ok(());
        }
        let found = self.wait(self.namespace.read(&missing, head.version))?;
        for (page, image) in missing.into_iter().zip(found) {
            if let Some(image) = image {
                self.process.cache.insert(self.shared.key, page, image, head.version);
            }
        }
        Ok(())
    }

    fn cached(&self, page: PageNo, head: &Head) -> Option<PageImage> {
        let (key, changes) = (self.shared.key, &self.shared.changes);
        let found = self.process.cache.get(key, page, head.version, changes);
        found.filter(|image| image.bytes.len() == head.page_size.get() as usize)
    }

    /// The writes of a transaction that changes the page size: every page.
    fn recut(
        &mut self,
        head: &Head,
        page_size: PageSize,
        page_count: u32,
    ) -> Result<(Vec<PageWrite>, Vec<PageNo>), Failure> {
        let size = u64::from(page_size.get());
        let old_id = self.pending.staged.then(|| self.commit_id());
        let new_id = self.namespace.namespaces().ambient().commit_id();
        let mut writes: Vec<PageWrite> = Vec::new();
        let mut staged = Vec::new();
        let per_batch = (self.limits.pending_bytes_max / size as usize).max(1);
        for page in (1..=page_count).filter_map(PageNo::new) {
            let mut image = BytesMut::zeroed(size as usize);
            let offset = u64::from(page.get() - 1) * size;
            let there = self.pending.size.saturating_sub(offset).min(size) as usize;
            self.read_pending(head, offset, &mut image[..there])?;
            let mut image = image.freeze();
            if page == PageNo::ONE {
                image = page1::canonical(&image);
            }
            writes.push(PageWrite { page, image, patch: None });
            if writes.len() >= per_batch && page.get() != page_count {
                staged.extend(writes.iter().map(|write| write.page));
                self.wait(self.namespace.stage(new_id, std::mem::take(&mut writes)))?;
            }
        }
        // The old stage has pages of the old size, which must not be taken.
        if let Some(old_id) = old_id {
            self.wait(self.namespace.discard_stage(old_id))?;
        }
        self.pending = Pending { active: true, ..Pending::default() };
        self.commit_id = Some(new_id);
        Ok((writes, staged))
    }
}
