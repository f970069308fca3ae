//! Chains: where more entries have the same tag, or nearly so, than a page
//! takes, and no cut between pages can part them.
//!
//! With hashes worth the name this does not happen. Where it does, the table
//! gets slower, and nothing else.

use hozo_traits::Result;

use super::super::page::{Kind, PageRef};
use super::super::pager::Pager;
use super::cells::Range;
use super::{SLOTS, Shard, slots};

impl Shard {
    /// The page, slot number and slot of what `is_it` acknowledges in the chain
    /// that begins at a range's page.
    #[cold]
    pub(super) fn find_in_chain(
        &self,
        pager: &Pager,
        first: PageRef<'_>,
        tag: u32,
        is_it: &mut dyn FnMut(u64) -> Result<bool>,
    ) -> Result<Option<(u32, usize, u64)>> {
        let mut next = first.link();
        while next != 0 {
            let page = self.chain_page(pager, next)?;
            for (at, &slot) in slots::of(&page)[..page.count().into()].iter().enumerate() {
                if slots::tag(slot) == tag && is_it(slots::granule(slot))? {
                    return Ok(Some((next, at, slot)));
                }
            }
            next = page.link();
        }
        Ok(None)
    }

    /// A page of a chain.
    pub(super) fn chain_page<'p>(&self, pager: &'p Pager, no: u32) -> Result<PageRef<'p>> {
        pager.page_as(no, |page| {
            page.kind() == Kind::Overflow as u8
                && page.level() == self.no
                && usize::from(page.count()) <= SLOTS
        })
    }

    /// Adds the entries of a range's chain.
    pub(super) fn gather_chain(
        &self,
        pager: &Pager,
        range: &Range,
        entries: &mut Vec<u64>,
        pages: &mut Vec<u32>,
    ) -> Result<()> {
        let mut next = self.page(pager, range)?.link();
        while next != 0 {
            let page = self.chain_page(pager, next)?;
            let chained = &slots::of(&page)[..page.count().into()];
            let tags = range.homes.first()..range.homes.end();
            if chained.iter().any(|&slot| slot == 0 || !tags.contains(&slots::tag(slot))) {
                let what = "an index page's chain has entries of other pages";
                return Err(pager.damaged(next, what));
            }
            entries.extend_from_slice(chained);
            pages.push(next);
            next = page.link();
        }
        Ok(())
    }

    /// Makes a page of a chain writable, and so all before it: answers what the
    /// range is then, and the page's number.
    pub(super) fn writable_chain(
        &mut self,
        pager: &Pager,
        range: Range,
        target: u32,
    ) -> Result<(Range, u32)> {
        let first = self.page(pager, &range)?;
        let range = self.writable(pager, range, first)?;
        let (mut before, mut next) = (range.page, first.link());
        loop {
            let page = self.chain_page(pager, next)?;
            let after = page.link();
            let new = pager.writable(next)?;
            if new != next {
                pager.page_mut(before).set_link(new);
            }
            if next == target {
                return Ok((range, new));
            }
            (before, next) = (new, after);
        }
    }

    /// A page with room in the chain of a range that can be cut no further.
    pub(super) fn room_in_chain(&mut self, pager: &Pager, range: Range) -> Result<u32> {
        let mut next = self.page(pager, &range)?.link();
        while next != 0 {
            let page = self.chain_page(pager, next)?;
            if usize::from(page.count()) < SLOTS {
                return Ok(self.writable_chain(pager, range, next)?.1);
            }
            next = page.link();
        }
        let range = self.writable(pager, range, self.page(pager, &range)?)?;
        let new = pager.allocate(Kind::Overflow)?;
        let mut first = pager.page_mut(range.page);
        self.begin_chain_page(pager, new, first.view().link(), &[]);
        first.set_link(new);
        self.set_range(range.cell, range.width, range.page, true);
        Ok(new)
    }

    /// Fills a new page of a chain.
    pub(super) fn begin_chain_page(&self, pager: &Pager, no: u32, link: u32, entries: &[u64]) {
        let mut page = pager.page_mut(no);
        page.set_kind(Kind::Overflow);
        page.set_level(self.no);
        page.set_link(link);
        page.set_count(entries.len() as u16);
        page.words_mut()[0] = 0;
        let slots = slots::of_mut(&mut page);
        slots[..entries.len()].copy_from_slice(entries);
        slots[entries.len()..].fill(0);
    }

    /// Removes an entry of a chain, all of whose pages up to it are writable.
    pub(super) fn remove_from_chain(&mut self, pager: &Pager, range: Range, no: u32, at: usize) {
        let mut page = pager.page_mut(no);
        let last = usize::from(page.view().count()) - 1;
        let slots = slots::of_mut(&mut page);
        slots[at] = slots[last];
        slots[last] = 0;
        page.set_count(last as u16);
        if last > 0 {
            return;
        }
        let after = page.view().link();
        let mut before = range.page;
        loop {
            let mut page = pager.page_mut(before);
            match page.view().link() {
                link if link == no => {
                    page.set_link(after);
                    break;
                }
                link => before = link,
            }
        }
        pager.free(no);
        let chained = pager.page_mut(range.page).view().link() != 0;
        self.set_range(range.cell, range.width, range.page, chained);
    }
}
