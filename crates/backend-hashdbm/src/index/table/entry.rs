//! Changing one entry, in two steps: first everything that can fail, then, when
//! the log has taken the record, what cannot.

use hozo_traits::Result;

use super::super::page::PageRef;
use super::super::pager::Pager;
use super::cells::Range;
use super::slots::Gap;
use super::{FULL, Shard, slots, tag_of};

/// An emptying page looks for neighbours to merge with below this many entries.
const SPARSE: u16 = (FULL / 2) as u16;
/// It looks once in so many removals.
const SPARSE_STEP: u16 = 32;

/// The place of a key in the table.
pub(crate) enum Entry<'s> {
    /// There is an entry.
    Occupied(Occupied<'s>),
    /// There is none, and there is room for one.
    Vacant(Vacant<'s>),
}

/// An entry in a page that may be written.
pub(crate) struct Occupied<'s> {
    shard: &'s mut Shard,
    pager: &'s Pager,
    range: Range,
    page: u32,
    at: usize,
    tag: u32,
}

/// Room for an entry in a page that may be written.
pub(crate) struct Vacant<'s> {
    shard: &'s mut Shard,
    pager: &'s Pager,
    page: u32,
    tag: u32,
    /// `None` in a chain, where there is no order.
    gap: Option<Gap>,
}

impl Shard {
    /// The place of the key with this hash, made ready to be written. `is_it`
    /// is asked as in [`find`](Self::find). After an error the table holds what
    /// it held.
    #[inline]
    pub(crate) fn entry<'s>(
        &'s mut self,
        pager: &'s Pager,
        hash: u64,
        mut is_it: impl FnMut(u64) -> Result<bool>,
    ) -> Result<Entry<'s>> {
        let tag = tag_of(hash);
        let range = self.range(self.cell_of(tag));
        if range.page == 0 {
            return self.vacant_after_reshaping(pager, tag);
        }
        let page = self.page(pager, &range)?;
        page.fetch_header();
        let slots = slots::of(&page);
        let mut at = range.homes.home(tag);
        while let Some(&slot) = slots.get(at) {
            if slot == 0 || slots::tag(slot) > tag {
                break;
            }
            if slots::tag(slot) == tag && is_it(slots::granule(slot))? {
                let range = self.writable(pager, range, page)?;
                let page = range.page;
                let shard = self;
                return Ok(Entry::Occupied(Occupied { shard, pager, range, page, at, tag }));
            }
            at += 1;
        }
        if range.chained
            && let Some((no, at, _)) = self.find_in_chain(pager, page, tag, &mut is_it)?
        {
            let (range, page) = self.writable_chain(pager, range, no)?;
            let shard = self;
            return Ok(Entry::Occupied(Occupied { shard, pager, range, page, at, tag }));
        }
        let room = usize::from(page.count()) < FULL;
        let Some(gap) = room.then(|| Gap::from(slots, at)).flatten() else {
            return self.vacant_after_reshaping(pager, tag);
        };
        let page = self.writable(pager, range, page)?.page;
        Ok(Entry::Vacant(Vacant { shard: self, pager, page, tag, gap: Some(gap) }))
    }

    /// The same where the tag's page is full, or there is none.
    #[cold]
    fn vacant_after_reshaping<'s>(&'s mut self, pager: &'s Pager, tag: u32) -> Result<Entry<'s>> {
        let found = self.make_room(pager, tag)?;
        let (page, gap) = match found {
            None => {
                let range = self.range(self.cell_of(tag));
                let page = self.page(pager, &range)?;
                let range = self.writable(pager, range, page)?;
                let slots = slots::of(&page);
                let mut at = range.homes.home(tag);
                while slots.get(at).is_some_and(|&slot| slot != 0 && slots::tag(slot) <= tag) {
                    at += 1;
                }
                match Gap::from(slots, at) {
                    Some(gap) => (range.page, Some(gap)),
                    // Just full, and it cannot be cut.
                    None => (self.room_in_chain(pager, range)?, None),
                }
            }
            Some(in_chain) => (in_chain, None),
        };
        Ok(Entry::Vacant(Vacant { shard: self, pager, page, tag, gap }))
    }

    /// Makes a range's page writable: it may get another number.
    #[inline]
    pub(super) fn writable(
        &mut self,
        pager: &Pager,
        mut range: Range,
        page: PageRef<'_>,
    ) -> Result<Range> {
        let no = pager.writable_as(range.page, page)?;
        if no != range.page {
            range.page = no;
            self.set_range(range.cell, range.width, no, range.chained);
        }
        Ok(range)
    }
}

impl Occupied<'_> {
    /// Lets the entry be at another granule.
    #[inline]
    pub(crate) fn replace(&mut self, granule: u64) {
        let mut page = self.pager.page_mut(self.page);
        slots::of_mut(&mut page)[self.at] = slots::slot(self.tag, granule);
    }

    /// Removes the entry.
    #[inline]
    pub(crate) fn remove(self) {
        let Occupied { shard, pager, range, page: no, at, .. } = self;
        // Not checked: a damaged number must not end the process.
        shard.entries = shard.entries.saturating_sub(1);
        if no != range.page {
            shard.remove_from_chain(pager, range, no, at);
            return;
        }
        let mut page = pager.page_mut(no);
        slots::remove(slots::of_mut(&mut page), &range.homes, at);
        let count = page.view().count() - 1;
        page.set_count(count);
        if count < SPARSE && count.is_multiple_of(SPARSE_STEP) {
            // Only to save space: where that fails, it stays as it is.
            let _ = shard.merge(pager, range.cell);
        }
    }
}

impl Vacant<'_> {
    /// Adds the entry.
    #[inline]
    pub(crate) fn insert(self, granule: u64) {
        let mut page = self.pager.page_mut(self.page);
        let slot = slots::slot(self.tag, granule);
        let count = page.view().count();
        match self.gap {
            Some(gap) => gap.fill(slots::of_mut(&mut page), slot),
            None => slots::of_mut(&mut page)[usize::from(count)] = slot,
        }
        page.set_count(count + 1);
        self.shard.entries += 1;
    }
}
