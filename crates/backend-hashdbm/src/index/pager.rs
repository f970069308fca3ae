//! Pages of the index file: mapped, copied on write between checkpoints.
//!
//! A page that a checkpoint refers to never changes again: who wants to write
//! to it gets a copy under another number, and the old number is used again
//! only when the roots of a later checkpoint are in place. So the file, as any
//! crash leaves it, holds the last checkpoint whole; what was written since is
//! in pages that nothing refers to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hozo_log::disk::DiskFile;
use hozo_traits::{Error, ErrorKind, Result};
use parking_lot::Mutex;

use super::page::{Kind, PAGE_BYTES, PageMut, PageRef};
use super::page_map::{CHUNK_BYTES, CHUNK_PAGES, Mappings, PAGES_MAX, PageMap};

mod freeze;
mod set;
#[cfg(test)]
mod tests;

pub(crate) use set::PageSet;

/// A small index grows by so many pages, and so does one on a full disk: 256 KiB.
const STEP_PAGES: u32 = 64;

/// How page 0's body begins.
const MAGIC: &[u8; 8] = b"HOZOIDX\x01";

/// The pages of one index file, shared by all that keep something in it.
///
/// Which pages belong to whom is not known here: whoever reads or writes a page
/// holds the lock that guards the structure it belongs to.
pub(crate) struct Pager {
    file: Arc<dyn DiskFile>,
    map: PageMap,
    epoch: AtomicU32,
    /// The epoch of the checkpoint that was opened: no older page is newer.
    opened_epoch: u32,
    /// A flush failed: what the file holds is not known any more.
    poisoned: AtomicBool,
    /// So many pages the file has. The last chunk is mapped beyond them, where
    /// touching it is a signal.
    ready: AtomicU32,
    space: Mutex<Space>,
}

/// Who may be written, guarded by one lock that no reader takes.
struct Space {
    mappings: Mappings,
    /// The first page that never was given out.
    next: u32,
    free: Vec<u32>,
    /// Pages given up, and in which epoch: a checkpoint may still need them.
    superseded: Vec<(u32, u32)>,
    /// Pages that became writable in this epoch.
    dirty: PageSet,
}

impl Pager {
    /// Makes an index of a new, empty file.
    pub(crate) fn create(file: Arc<dyn DiskFile>) -> Result<Pager> {
        let pager = Pager::new(file, 0);
        {
            let mut space = pager.space.lock();
            pager.grow(&mut space)?;
            space.next = 1;
            pager.begin_page(&mut space, 0, Kind::File).body_mut()[..MAGIC.len()]
                .copy_from_slice(MAGIC);
        }
        Ok(pager)
    }

    /// Opens the index as the checkpoint of this [epoch](freeze::Frozen::epoch) left
    /// it. Until [`Pager::reclaim`] is told what is in use, every page counts
    /// as used.
    pub(crate) fn open(file: Arc<dyn DiskFile>, epoch: u32) -> Result<Pager> {
        let pages = file.len()? / PAGE_BYTES as u64;
        if pages == 0 || pages > u64::from(PAGES_MAX) {
            return Err(damage("the index file's length is that of no index").with("pages", pages));
        }
        let pages = pages as u32;
        let pager = Pager::new(file, epoch);
        {
            let mut space = pager.space.lock();
            for _ in 0..pages.div_ceil(CHUNK_PAGES) {
                pager.map_next(&mut space)?;
            }
            pager.ready.store(pages, Ordering::Release);
            space.next = pages;
        }
        let first = pager.page(0)?;
        if first.kind() != Kind::File as u8 || !first.body().starts_with(MAGIC) {
            return Err(damage("the index file does not begin as one"));
        }
        Ok(pager)
    }

    fn new(file: Arc<dyn DiskFile>, opened_epoch: u32) -> Pager {
        Pager {
            file,
            map: PageMap::new(),
            epoch: AtomicU32::new(opened_epoch + 1),
            opened_epoch,
            poisoned: AtomicBool::new(false),
            ready: AtomicU32::new(0),
            space: Mutex::new(Space {
                mappings: Mappings::default(),
                next: 0,
                free: Vec::new(),
                superseded: Vec::new(),
                dirty: PageSet::default(),
            }),
        }
    }

    /// After opening: every page that is not in `used` is free. Chunks at the
    /// file's end that hold nothing are given back.
    pub(crate) fn reclaim(&self, used: &PageSet) -> Result<()> {
        let mut space = self.space.lock();
        let last = used.last().unwrap_or(0);
        let chunks = (last / CHUNK_PAGES + 1) as usize;
        if last >= space.next {
            return Err(
                damage("the roots name an index page beyond the file's end").with("page", last)
            );
        }
        if chunks < space.mappings.chunks() {
            self.map.cut(&mut space.mappings, chunks);
            self.ready.store(chunks as u32 * CHUNK_PAGES, Ordering::Release);
            self.file.truncate(chunks as u64 * CHUNK_BYTES)?;
        }
        space.next = last + 1;
        // The lowest are given out first, so that the file's end empties.
        space.free = (1..last).rev().filter(|&no| !used.contains(no)).collect();
        Ok(())
    }

    /// The page, to read: the caller holds its lock. A page that was not made
    /// by this process is verified the first time.
    #[inline]
    pub(crate) fn page(&self, no: u32) -> Result<PageRef<'_>> {
        self.page_as(no, |_| true)
    }

    /// The page, where it is known what it must be: asked only of a page that
    /// is verified, so it costs nothing after that. It finds what a checksum
    /// cannot: a page that was whole once, before a write that was lost.
    #[inline]
    pub(crate) fn page_as(
        &self,
        no: u32,
        is_right: impl FnOnce(&PageRef<'_>) -> bool,
    ) -> Result<PageRef<'_>> {
        let Some(page) = self.map.page(no) else { return Err(self.beyond(no)) };
        if !self.map.is_verified(no) {
            self.verify(no, page, is_right)?;
        }
        Ok(page)
    }

    #[cold]
    fn verify(
        &self,
        no: u32,
        page: PageRef<'_>,
        is_right: impl FnOnce(&PageRef<'_>) -> bool,
    ) -> Result<()> {
        if no >= self.ready() {
            return Err(self.beyond(no));
        }
        if page.checksum() != page.computed_checksum(no) {
            return Err(self.damaged(no, "an index page's checksum is wrong"));
        }
        if page.epoch() > self.opened_epoch {
            return Err(self.damaged(no, "an index page is newer than the roots that name it"));
        }
        if !is_right(&page) {
            return Err(self.damaged(no, "an index page is not what refers to it takes it for"));
        }
        self.map.mark_verified(no);
        Ok(())
    }

    /// The number under which this page may be written: its own, or that of a
    /// copy, and then the old number is given up.
    #[inline]
    pub(crate) fn writable(&self, no: u32) -> Result<u32> {
        self.writable_as(no, self.page(no)?)
    }

    /// The same for who has the page already.
    #[inline]
    pub(crate) fn writable_as(&self, no: u32, page: PageRef<'_>) -> Result<u32> {
        if page.epoch() == self.epoch() {
            return Ok(no);
        }
        self.copy(no, page)
    }

    #[cold]
    fn copy(&self, no: u32, page: PageRef<'_>) -> Result<u32> {
        let mut space = self.space.lock();
        let new = self.take(&mut space)?;
        self.map.page_mut(new).copy_from(&page, self.epoch());
        self.map.mark_verified(new);
        space.dirty.insert(new);
        let epoch = self.epoch();
        space.superseded.push((epoch, no));
        Ok(new)
    }

    /// The page, to change: it was made or made [`Pager::writable`] in this
    /// epoch, and the caller holds its lock for writing.
    #[inline]
    pub(crate) fn page_mut(&self, no: u32) -> PageMut<'_> {
        let page = self.map.page_mut(no);
        debug_assert_eq!(page.view().epoch(), self.epoch(), "page {no} may not be written");
        page
    }

    /// A new page with an empty header; its body holds anything.
    pub(crate) fn allocate(&self, kind: Kind) -> Result<u32> {
        let mut space = self.space.lock();
        let no = self.take(&mut space)?;
        self.begin_page(&mut space, no, kind);
        Ok(no)
    }

    /// Makes sure that so many pages can be taken without more of the disk, so
    /// far as nobody else takes them first.
    pub(crate) fn reserve(&self, pages: usize) -> Result<()> {
        let mut space = self.space.lock();
        loop {
            let new = self.ready() - space.next;
            if space.free.len() + new as usize >= pages {
                return Ok(());
            }
            self.grow(&mut space)?;
        }
    }

    /// Gives a page up. The caller holds its lock for writing.
    pub(crate) fn free(&self, no: u32) {
        let epoch = self.epoch();
        let made_in = self.map.page(no).filter(|_| no < self.ready()).map(|page| page.epoch());
        let mut space = self.space.lock();
        if made_in == Some(epoch) {
            // No checkpoint has seen it.
            space.dirty.remove(no);
            space.free.push(no);
        } else {
            space.superseded.push((epoch, no));
        }
    }

    /// Pages that hold something or that a checkpoint may still need.
    pub(crate) fn pages_used(&self) -> u64 {
        let space = self.space.lock();
        u64::from(space.next) - space.free.len() as u64
    }

    /// The epoch that pages are written in.
    #[inline]
    pub(crate) fn epoch(&self) -> u32 {
        // Relaxed: it changes only while every lock of a writer is held.
        self.epoch.load(Ordering::Relaxed)
    }

    fn begin_page(&self, space: &mut Space, no: u32, kind: Kind) -> PageMut<'_> {
        let mut page = self.map.page_mut(no);
        page.begin(self.epoch(), kind);
        self.map.mark_verified(no);
        space.dirty.insert(no);
        page
    }

    fn take(&self, space: &mut Space) -> Result<u32> {
        if let Some(no) = space.free.pop() {
            return Ok(no);
        }
        if space.next == self.ready() {
            self.grow(space)?;
        }
        space.next += 1;
        Ok(space.next - 1)
    }

    /// Space first, then the mapping: a full disk is an error here and never a
    /// signal at a write.
    fn grow(&self, space: &mut Space) -> Result<()> {
        let from = self.ready();
        if from >= PAGES_MAX {
            return Err(Error::new(ErrorKind::TooLarge, "the index has its most pages")
                .with("pages_max", PAGES_MAX));
        }
        let rest = CHUNK_PAGES - from % CHUNK_PAGES;
        let step = STEP_PAGES.min(rest);
        // All of a chunk at once where that is little beside what there is.
        let to = match from >= CHUNK_PAGES && self.allocate_pages(from, from + rest).is_ok() {
            true => from + rest,
            false => self.allocate_pages(from, from + step).map(|()| from + step)?,
        };
        if from.is_multiple_of(CHUNK_PAGES) {
            self.map_next(space)?;
        }
        self.ready.store(to, Ordering::Release);
        Ok(())
    }

    fn allocate_pages(&self, from: u32, to: u32) -> Result<()> {
        let at = |no: u32| u64::from(no) * PAGE_BYTES as u64;
        self.file.allocate(at(from), at(to)).inspect_err(|_| {
            // What there was of it is of use to others. If this fails too, the
            // next growth writes over it.
            let _ = self.file.truncate(at(from));
        })
    }

    fn ready(&self) -> u32 {
        self.ready.load(Ordering::Acquire)
    }

    fn map_next(&self, space: &mut Space) -> Result<()> {
        let at = space.mappings.chunks() as u64 * CHUNK_BYTES;
        let mapping = self.file.map(at, CHUNK_BYTES as usize)?;
        self.map.add(&mut space.mappings, mapping);
        Ok(())
    }

    #[cold]
    fn beyond(&self, no: u32) -> Error {
        self.damaged(no, "an index page is named that the file does not have")
    }

    /// What whoever finds nonsense in a page answers.
    #[cold]
    pub(crate) fn damaged(&self, no: u32, what: &'static str) -> Error {
        damage(what).with("page", no).with("offset", u64::from(no) * PAGE_BYTES as u64)
    }
}

fn damage(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what).with("file", "index")
}
