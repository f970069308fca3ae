//! The hash table: from a key's hash to where its record is.
//!
//! The top six bits of a hash choose one of [`SHARDS`] independent tables, so
//! that threads rarely meet; the next [`TAG_BITS`] are the *tag*, and are all
//! that is kept of the hash. A shard's range of tags is cut into `2^depth`
//! equal *cells*; runs of neighbouring cells share a page. A page that is full
//! gives entries to its neighbours by moving the cuts between them, and only
//! when they are full too, one page is added among them: so pages stay four
//! fifths full on average, and however many there are, where halving would leave
//! them all half empty at once. No key is read for it, and entries stay in the
//! order of their hashes, however the table grows.
//!
//! Within a page the [slots] are an ordered linear probing: an entry is at the
//! place that its tag has in the page's range, or a little after.

use hozo_log::granule::GRANULE_BITS;
use hozo_traits::{Error, ErrorKind, Result};

use super::page::{BODY_BYTES, Kind, PageRef};
use super::pager::{PageSet, Pager};

mod cells;
mod chain;
mod check;
mod entry;
mod reshape;
mod roots;
mod slots;
#[cfg(test)]
mod tests;
mod walk;

use cells::Cell;
pub(crate) use entry::Entry;

/// Independent parts of the hash space.
pub(crate) const SHARDS: usize = 64;
/// Bits of a hash that a slot keeps, beside the granule of its record.
pub(crate) const TAG_BITS: u32 = 64 - GRANULE_BITS;

/// Slots of a page; before them, a word says which tags the page is for.
const SLOTS: usize = BODY_BYTES / 8 - 1;
/// A page with so many entries is full: beyond that, probing gets long.
const FULL: usize = 480;

/// The shard that a hash belongs to.
#[inline]
pub(crate) fn shard_of(hash: u64) -> usize {
    (hash >> (64 - SHARDS.trailing_zeros())) as usize
}

/// The tag of a hash: the part of it that orders entries within a shard.
#[inline]
pub(crate) fn tag_of(hash: u64) -> u32 {
    (hash << SHARDS.trailing_zeros() >> (64 - TAG_BITS)) as u32
}

/// One part of a table. The caller holds its lock: for reading, or for writing
/// where the method changes something.
pub(crate) struct Shard {
    /// Which part, to know its own pages by.
    no: u8,
    depth: u32,
    cells: Vec<Cell>,
    entries: u64,
}

impl Shard {
    /// A shard of nothing.
    pub(crate) fn new(no: usize) -> Shard {
        Shard { no: no as u8, depth: 0, cells: vec![Cell::EMPTY], entries: 0 }
    }

    /// How many entries it has.
    #[inline]
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// The granule of the entry with this hash for which `is_it` says so: it is
    /// asked about each entry that has the hash's tag.
    #[inline]
    pub(crate) fn find(
        &self,
        pager: &Pager,
        hash: u64,
        mut is_it: impl FnMut(u64) -> Result<bool>,
    ) -> Result<Option<u64>> {
        let tag = tag_of(hash);
        let cell = self.cell_of(tag);
        let cell = self.cells[cell].at(cell, self.depth);
        if cell.page == 0 {
            return Ok(None);
        }
        let page = self.page(pager, &cell)?;
        let slots = slots::of(&page);
        let mut at = cell.homes.home(tag);
        while let Some(&slot) = slots.get(at) {
            if slot == 0 || slots::tag(slot) > tag {
                break;
            }
            if slots::tag(slot) == tag && is_it(slots::granule(slot))? {
                return Ok(Some(slots::granule(slot)));
            }
            at += 1;
        }
        if !cell.chained {
            return Ok(None);
        }
        let found = self.find_in_chain(pager, page, tag, &mut is_it)?;
        Ok(found.map(|(_, _, slot)| slots::granule(slot)))
    }

    /// Adds an entry. The caller knows that there is none for the same key.
    #[cfg(test)]
    pub(crate) fn insert(&mut self, pager: &Pager, hash: u64, granule: u64) -> Result<()> {
        match self.entry(pager, hash, |_| Ok(false))? {
            Entry::Vacant(vacant) => vacant.insert(granule),
            Entry::Occupied(_) => unreachable!("no entry was acknowledged"),
        }
        Ok(())
    }

    /// Lets the entry of this hash that is at `old` be at `new`; false if there
    /// is none.
    pub(crate) fn replace(&mut self, pager: &Pager, hash: u64, old: u64, new: u64) -> Result<bool> {
        if self.find(pager, hash, |granule| Ok(granule == old))?.is_none() {
            return Ok(false);
        }
        match self.entry(pager, hash, |granule| Ok(granule == old))? {
            Entry::Occupied(mut occupied) => occupied.replace(new),
            Entry::Vacant(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Removes the entry of this hash that is at `granule`; false if there is
    /// none.
    pub(crate) fn remove(&mut self, pager: &Pager, hash: u64, granule: u64) -> Result<bool> {
        if self.find(pager, hash, |other| Ok(other == granule))?.is_none() {
            return Ok(false);
        }
        match self.entry(pager, hash, |other| Ok(other == granule))? {
            Entry::Occupied(occupied) => occupied.remove(),
            Entry::Vacant(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self, pager: &Pager) -> Result<()> {
        let mut used = PageSet::default();
        self.pages(pager, &mut used)?;
        for no in used.iter() {
            pager.free(no);
        }
        *self = Shard::new(self.no.into());
        Ok(())
    }

    /// Adds the pages of the shard; one that is in the set already is damage.
    pub(crate) fn pages(&self, pager: &Pager, used: &mut PageSet) -> Result<()> {
        for range in self.ranges() {
            if range.page == 0 {
                continue;
            }
            self.use_page(pager, range.page, used)?;
            if range.chained {
                let mut next = self.page(pager, &range)?.link();
                while next != 0 {
                    self.use_page(pager, next, used)?;
                    next = self.chain_page(pager, next)?.link();
                }
            }
        }
        Ok(())
    }

    fn use_page(&self, pager: &Pager, no: u32, used: &mut PageSet) -> Result<()> {
        if used.insert(no) {
            return Ok(());
        }
        Err(pager.damaged(no, "an index page has two owners"))
    }

    #[inline]
    fn cell_of(&self, tag: u32) -> usize {
        (tag >> (TAG_BITS - self.depth)) as usize
    }

    /// A range's own page. What was read from the disk must say of itself that
    /// it is that.
    #[inline]
    fn page<'p>(&self, pager: &'p Pager, range: &cells::Range) -> Result<PageRef<'p>> {
        pager.page_as(range.page, |page| {
            page.kind() == Kind::Table as u8
                && page.level() == self.no
                && page.words()[0] == range.homes.label()
                && usize::from(page.count()) <= SLOTS
                && (page.link() != 0) == range.chained
                && slots::wrong(page, &range.homes).is_none()
        })
    }
}

fn damage(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what).with("file", "index")
}
