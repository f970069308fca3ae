//! Reading and writing the file that SQLite sees.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hozo_pages::{Concurrency, Head};
use hozo_traits::{CommitId, Error, ErrorKind, PageImage, PageNo, PageSize, PageWrite};

use super::{Connection, Level, Phase};
use crate::code::Failure;
use crate::page1;
use crate::pending::Block;

/// Blocks that are staged in one call at most.
const STAGE_BLOCKS_MAX: usize = 256;

impl Connection {
    /// The file's size in bytes.
    pub(crate) fn size(&self) -> Result<u64, Failure> {
        if self.pending.active {
            return Ok(self.pending.size);
        }
        Ok(self.reading_head()?.bytes())
    }

    /// What reads see: the snapshot, or without a lock whatever is newest.
    fn reading_head(&self) -> Result<Head, Failure> {
        if let Some(head) = self.locked_head() {
            return Ok(head);
        }
        let heads = self.wait(self.namespace.heads())?;
        Ok(heads.at(self.synchronous.durability()))
    }

    /// Fills `buf` with the file's bytes at `offset`; how many there were.
    pub(crate) fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Failure> {
        let head = self.reading_head()?;
        if self.level == Level::None && head.page_count == 0 {
            return Ok(self.read_empty(offset, buf));
        }
        let size = if self.pending.active { self.pending.size } else { head.bytes() };
        let there = size.saturating_sub(offset).min(buf.len() as u64) as usize;
        let buf = &mut buf[..there];
        if buf.is_empty() {
            return Ok(0);
        }
        if self.pending.active {
            self.read_pending(&head, offset, buf)?;
        } else {
            self.read_base(&head, head.bytes(), offset, buf)?;
        }
        // While a transaction writes, SQLite's own page 1 has its own counter.
        if !self.pending.active || !self.pending.blocks.contains_key(&1) {
            page1::put_counter(self.counter, offset, buf);
        }
        Ok(there)
    }

    /// An empty database says which page size it wants to start with, where
    /// that is not what SQLite takes by itself. Only the header is read without
    /// a lock (`sqlite3PagerReadFileheader`).
    fn read_empty(&self, offset: u64, buf: &mut [u8]) -> usize {
        let wanted = self.namespace.info().page_size;
        if wanted == PageSize::DEFAULT || offset != 0 || buf.len() < page1::HEADER_LEN {
            return 0;
        }
        buf[..page1::HEADER_LEN].copy_from_slice(&page1::empty_header(wanted));
        page1::HEADER_LEN
    }

    /// Reads what the snapshot has below `limit`, and zeros above.
    fn read_base(
        &mut self,
        head: &Head,
        limit: u64,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), Failure> {
        let page_size = u64::from(head.page_size.get());
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let within = (at % page_size) as usize;
            let n = (page_size as usize - within).min(buf.len() - done);
            let part = &mut buf[done..done + n];
            match u32::try_from(at / page_size + 1).ok().and_then(PageNo::new) {
                Some(page) if at < limit && head.contains(page) => {
                    self.note_read(page);
                    match self.page_at(page, head)? {
                        Some(image) => part.copy_from_slice(&image.bytes[within..within + n]),
                        None => part.fill(0),
                    }
                }
                _ => part.fill(0),
            }
            // A truncation may have cut within the page.
            if let Some(keep) = limit.checked_sub(at).map(|keep| keep as usize)
                && keep < n
            {
                part[keep..].fill(0);
            }
            done += n;
        }
        Ok(())
    }

    pub(super) fn read_pending(
        &mut self,
        head: &Head,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), Failure> {
        if self.pending.unit == 0 {
            return self.read_base(head, self.pending.base_limit, offset, buf);
        }
        let unit = u64::from(self.pending.unit);
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let within = (at % unit) as usize;
            let n = (unit as usize - within).min(buf.len() - done);
            let block = self.pending.block_at(at);
            match self.pending_block(block)? {
                Some(bytes) => buf[done..done + n].copy_from_slice(&bytes[within..within + n]),
                None => {
                    let limit = self.pending.base_limit;
                    self.read_base(head, limit, at, &mut buf[done..done + n])?;
                }
            }
            done += n;
        }
        Ok(())
    }

    /// A block that this transaction wrote.
    fn pending_block(&self, block: u32) -> Result<Option<Bytes>, Failure> {
        match self.pending.blocks.get(&block) {
            None => Ok(None),
            Some(Block::Memory { bytes, .. }) => Ok(Some(bytes.clone())),
            Some(Block::Staged) => {
                let page = PageNo::new(block).ok_or_else(|| lost(block))?;
                let id = self.commit_id.ok_or_else(|| lost(block))?;
                let mut found = self.wait(self.namespace.read_staged(id, &[page]))?;
                Ok(Some(found.pop().flatten().ok_or_else(|| lost(block))?))
            }
        }
    }

    fn note_read(&mut self, page: PageNo) {
        if self.level == Level::None {
            return;
        }
        if page != PageNo::ONE {
            self.others_read = true;
            if self.level == Level::Shared {
                // Whoever reads first may go on reading for long.
                self.slot = None;
            }
        }
        if self.concurrency == Concurrency::Optimistic {
            self.reads.add(page);
        }
    }

    /// A page of a version; `None` if it was never written there.
    pub(super) fn page_at(&self, page: PageNo, head: &Head) -> Result<Option<PageImage>, Failure> {
        let (key, at) = (self.shared.key, head.version);
        let mut found = self.process.cache.get(key, page, at, &self.shared.changes);
        if found.is_none() {
            found = self.wait(self.namespace.read(&[page], at))?.pop().flatten();
            if let Some(image) = &found {
                self.process.cache.insert(key, page, image.clone(), at);
            }
        }
        // An image of another length is left from before the page size changed.
        Ok(found.filter(|image| image.bytes.len() == head.page_size.get() as usize))
    }

    /// A pointer to a whole page, for as long as SQLite wants it; `None` if it
    /// should read instead. Never page 1, whose counter is not in memory.
    pub(crate) fn fetch(&mut self, offset: u64, len: usize) -> Result<Option<usize>, Failure> {
        if offset == 0 || self.level == Level::None {
            return Ok(None);
        }
        let head = self.reading_head()?;
        let bytes = if self.pending.active && self.pending.unit != 0 {
            let fits = len == self.pending.unit as usize;
            let aligned = offset.is_multiple_of(len as u64);
            if !fits || !aligned || offset + len as u64 > self.pending.size {
                return Ok(None);
            }
            match self.pending.blocks.get(&self.pending.block_at(offset)) {
                Some(Block::Memory { bytes, .. }) => Some(bytes.clone()),
                Some(Block::Staged) => None,
                None if offset < self.pending.base_limit => self.base_page(&head, offset, len)?,
                None => None,
            }
        } else if self.pending.active && offset >= self.pending.base_limit {
            None
        } else {
            self.base_page(&head, offset, len)?
        };
        Ok(bytes.map(|bytes| {
            let address = bytes.as_ptr() as usize;
            self.pins.entry(address).or_insert((bytes, 0)).1 += 1;
            address
        }))
    }

    fn base_page(
        &mut self,
        head: &Head,
        offset: u64,
        len: usize,
    ) -> Result<Option<Bytes>, Failure> {
        let page_size = u64::from(head.page_size.get());
        if len as u64 != page_size || !offset.is_multiple_of(page_size) {
            return Ok(None);
        }
        let page = u32::try_from(offset / page_size + 1).ok().and_then(PageNo::new);
        let Some(page) = page.filter(|page| head.contains(*page)) else { return Ok(None) };
        self.note_read(page);
        Ok(self.page_at(page, head)?.map(|image| image.bytes))
    }

    /// Takes back one pointer that [`fetch`](Self::fetch) gave.
    pub(crate) fn unfetch(&mut self, address: usize) {
        if let Some((_, count)) = self.pins.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.pins.remove(&address);
            }
        }
    }

    /// Writes `data` at `offset`.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Failure> {
        self.patient = true;
        let written = self.write_blocks(offset, data);
        self.patient = false;
        written
    }

    fn write_blocks(&mut self, offset: u64, data: &[u8]) -> Result<(), Failure> {
        let head = self.writing_head()?;
        let end = offset + data.len() as u64;
        self.pending.begin(head.bytes());
        self.pending.choose_unit(offset, data.len(), head.page_size);
        if end.div_ceil(u64::from(self.pending.unit)) > u64::from(u32::MAX) {
            return Err(
                Error::new(ErrorKind::TooLarge, "a database has at most 2^32-1 pages").into()
            );
        }
        let unit = self.pending.unit as usize;
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            let within = (at % unit as u64) as usize;
            let n = (unit - within).min(data.len() - done);
            let block = self.pending.block_at(at);
            let part = &data[done..done + n];
            let bytes = if n == unit {
                Bytes::copy_from_slice(part)
            } else {
                let mut whole = self.block_now(&head, block)?;
                whole[within..within + n].copy_from_slice(part);
                whole.freeze()
            };
            self.pending.put(block, bytes);
            done += n;
        }
        self.pending.size = self.pending.size.max(end);
        if self.pending.memory_bytes > self.limits.pending_bytes_max {
            self.stage_blocks()?;
        }
        Ok(())
    }

    /// A block as it is now, zeros where nothing is.
    fn block_now(&mut self, head: &Head, block: u32) -> Result<BytesMut, Failure> {
        let mut whole = BytesMut::zeroed(self.pending.unit as usize);
        let start = self.pending.start(block);
        let reads = std::mem::take(&mut self.reads);
        let others_read = self.others_read;
        let filled = self.read_pending(head, start, &mut whole);
        // SQLite did not see these bytes.
        self.reads = reads;
        self.others_read = others_read;
        filled?;
        if block == 1 && !self.pending.blocks.contains_key(&1) {
            page1::put_counter(self.counter, 0, &mut whole);
        }
        Ok(whole)
    }

    /// Sets the file's size.
    pub(crate) fn truncate(&mut self, size: u64) -> Result<(), Failure> {
        self.patient = true;
        let cut = self.resize(size);
        self.patient = false;
        cut
    }

    fn resize(&mut self, size: u64) -> Result<(), Failure> {
        if matches!(self.phase, Phase::Published) && self.size()? == size {
            // `pager_end_transaction` cuts the file after the commit; the
            // commit did that already.
            return Ok(());
        }
        let head = self.writing_head()?;
        self.pending.begin(head.bytes());
        let unit = u64::from(self.pending.unit);
        if unit != 0 && !size.is_multiple_of(unit) && size < self.pending.size {
            let block = self.pending.block_at(size);
            let mut whole = self.block_now(&head, block)?;
            whole[(size % unit) as usize..].fill(0);
            self.pending.put(block, whole.freeze());
        }
        self.pending.resize(size);
        Ok(())
    }

    /// The snapshot, if it may be written over.
    fn writing_head(&self) -> Result<Head, Failure> {
        if self.fixed.is_some() {
            return Err(Error::new(ErrorKind::ReadOnly, "a snapshot cannot be written").into());
        }
        if matches!(self.phase, Phase::Published) {
            // In exclusive locking mode SQLite neither unlocks after a commit
            // nor counts further ones (`Pager.changeCountDone`), so they could
            // not be told from a rollback.
            return Err(Error::new(
                ErrorKind::Unavailable,
                "locking_mode=EXCLUSIVE does not work here; set it back to NORMAL",
            )
            .into());
        }
        match self.head.filter(|_| self.level >= Level::Reserved) {
            Some(head) => Ok(head),
            None => Err(Error::new(ErrorKind::Internal, "a write without a write lock").into()),
        }
    }

    /// Names the transaction's commit and stage.
    pub(super) fn commit_id(&mut self) -> CommitId {
        let ambient = self.namespace.namespaces().ambient();
        *self.commit_id.get_or_insert_with(|| ambient.commit_id())
    }

    /// Moves blocks from memory to the store's stage. Page 1 stays: it is read
    /// and changed at the commit.
    fn stage_blocks(&mut self) -> Result<(), Failure> {
        let id = self.commit_id();
        let namespace = Arc::clone(&self.namespace);
        let in_memory: Vec<u32> = self
            .pending
            .blocks
            .iter()
            .filter(|(block, what)| **block > 1 && matches!(what, Block::Memory { .. }))
            .map(|(block, _)| *block)
            .collect();
        for blocks in in_memory.chunks(STAGE_BLOCKS_MAX) {
            let writes = blocks.iter().filter_map(|block| {
                let Some(Block::Memory { bytes, .. }) = self.pending.blocks.get(block) else {
                    return None;
                };
                Some(PageWrite { page: PageNo::new(*block)?, image: bytes.clone(), patch: None })
            });
            let writes = writes.collect();
            self.wait(namespace.stage(id, writes))?;
            for block in blocks {
                self.pending.now_staged(*block);
            }
        }
        Ok(())
    }
}

fn lost(block: u32) -> Error {
    Error::new(ErrorKind::Internal, "the store lost a staged page").with("page", block)
}
