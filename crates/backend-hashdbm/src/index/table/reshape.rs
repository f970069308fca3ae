//! Moving the cuts between pages: when one is full, and when some are nearly
//! empty.

use hozo_log::granule::GRANULE_MASK;
use hozo_traits::Result;

use super::super::page::Kind;
use super::super::pager::Pager;
use super::cells::{Cell, Range};
use super::{FULL, SLOTS, Shard, TAG_BITS, slots};

/// Neighbouring pages among which entries are spread when one of them is full.
/// When all are, there is one more: so the fullness that this leaves is about
/// WINDOW/(WINDOW+1) of what a full page holds.
const WINDOW: usize = 6;
/// Neighbours take over as long as the average of all is below this. Higher
/// saves a little space and rebuilds far more pages.
const CROWDED: usize = FULL * 7 / 8;
/// Entries for each page when pages are merged.
const MERGED: usize = FULL * 3 / 4;

/// Cells `cell..end` and their entries, `from..to` of those sorted.
#[derive(Clone, Copy)]
struct Part {
    cell: usize,
    end: usize,
    from: usize,
    to: usize,
}

/// What becomes one page.
struct Draft {
    part: Part,
    homes: slots::Homes,
    /// Nothing is there, nor about to be: it gets no page.
    empty: bool,
    /// Entries in the page itself.
    count: usize,
    /// Those for its chain, of the sorted ones.
    chain: std::ops::Range<usize>,
}

/// Pages as they will be.
#[derive(Default)]
struct Plan {
    drafts: Vec<Draft>,
    /// The slots of each draft, in order.
    slots: Vec<u64>,
}

impl Shard {
    /// Makes room for one more entry with this tag: in its page, or in the page
    /// answered, which is one of the page's chain.
    pub(super) fn make_room(&mut self, pager: &Pager, tag: u32) -> Result<Option<u32>> {
        self.deepen_for_entries();
        let mut range = self.range(self.cell_of(tag));
        if range.width == 1 && range.page != 0 {
            if !self.deepen_for_cell() {
                return self.room_in_chain(pager, range).map(Some);
            }
            range = self.range(self.cell_of(tag));
        }
        let window = self.window(range);
        let mut old = Vec::new();
        let mut sorted = self.gather(pager, &window, &mut old)?;
        // The entry that is to come takes part in the planning, so that there
        // is surely room for it afterwards. It comes behind others of its tag.
        let to_come = slots::slot(tag, GRANULE_MASK);
        let place = sorted.partition_point(|&slot| slot < to_come);
        sorted.insert(place, to_come);
        let pages = window.iter().filter(|range| range.page != 0).count();
        let spread = sorted.len() <= pages * CROWDED;
        let pages = if spread { pages } else { pages + 1 }.max(sorted.len().div_ceil(FULL));
        let cells = window[0].cell..window[window.len() - 1].end();
        let mut plan = self.plan(&sorted, cells, pages);
        plan.leave_out(&mut sorted, place);
        self.rebuild(pager, &old, &sorted, &plan)?;
        let range = self.range(self.cell_of(tag));
        if range.chained {
            return self.room_in_chain(pager, range).map(Some);
        }
        Ok(None)
    }

    /// Joins what is around a cell into fewer pages, if it fits.
    pub(super) fn merge(&mut self, pager: &Pager, cell: usize) -> Result<()> {
        if self.entries == 0 {
            return self.clear(pager);
        }
        if self.is_too_deep() {
            return self.begin_again(pager);
        }
        let window = self.window(self.range(cell));
        let mut old = Vec::new();
        let sorted = self.gather(pager, &window, &mut old)?;
        let pages = sorted.len().div_ceil(MERGED);
        if pages >= old.len() {
            return Ok(());
        }
        let cells = window[0].cell..window[window.len() - 1].end();
        let plan = self.plan(&sorted, cells, pages);
        self.rebuild(pager, &old, &sorted, &plan)
    }

    /// Makes the shard anew with a directory that fits its few entries.
    fn begin_again(&mut self, pager: &Pager) -> Result<()> {
        let window: Vec<Range> = self.ranges().collect();
        let mut old = Vec::new();
        let sorted = self.gather(pager, &window, &mut old)?;
        let depth = self.depth;
        self.depth = self.depth_for_entries();
        let cells = std::mem::replace(&mut self.cells, vec![Cell::EMPTY; 1 << self.depth]);
        let plan = self.plan(&sorted, 0..1 << self.depth, sorted.len().div_ceil(MERGED));
        let done = self.rebuild(pager, &old, &sorted, &plan);
        if done.is_err() {
            (self.depth, self.cells) = (depth, cells);
        }
        done
    }

    /// The range and its neighbours, without chains but its own.
    fn window(&self, range: Range) -> Vec<Range> {
        let mut window = Vec::with_capacity(WINDOW);
        window.push(range);
        let (mut left, mut right) = (true, true);
        while window.len() < WINDOW && (left || right) {
            let (first, end) = (window[0].cell, window[window.len() - 1].end());
            right = end < self.cells.len() && !self.range(end).chained;
            if right {
                window.push(self.range(end));
            }
            left = first > 0 && !self.range(first - 1).chained;
            if left && window.len() < WINDOW {
                window.insert(0, self.range(first - 1));
            }
        }
        window
    }

    /// The entries of these ranges, sorted, and the pages that they are in.
    fn gather(&self, pager: &Pager, window: &[Range], pages: &mut Vec<u32>) -> Result<Vec<u64>> {
        let mut sorted = Vec::with_capacity((window.len() + 1) * SLOTS);
        for range in window.iter().filter(|range| range.page != 0) {
            slots::gather(slots::of(&self.page(pager, range)?), &mut sorted);
            pages.push(range.page);
            if range.chained {
                self.gather_chain(pager, range, &mut sorted, pages)?;
                sorted.sort_unstable();
            }
        }
        Ok(sorted)
    }

    /// Cuts cells and their entries into about so many pages of about the same
    /// fill; more where some would not fit.
    fn plan(&self, sorted: &[u64], cells: std::ops::Range<usize>, pages: usize) -> Plan {
        let mut plan = Plan::default();
        plan.slots.reserve_exact((pages + 1) * SLOTS);
        let mut rest = Part { cell: cells.start, end: cells.end, from: 0, to: sorted.len() };
        for page in 1..pages {
            let target = sorted.len() * page / pages;
            if let Some((first, second)) = self.cut(sorted, rest, target) {
                self.fit(sorted, first, &mut plan);
                rest = second;
            }
        }
        self.fit(sorted, rest, &mut plan);
        plan
    }

    /// Cuts a part at the end of a cell, as near to `target` entries as can be.
    fn cut(&self, sorted: &[u64], part: Part, target: usize) -> Option<(Part, Part)> {
        if part.cell + 1 >= part.end {
            return None;
        }
        let shift = TAG_BITS - self.depth;
        let before = |cell: usize| {
            let tag = (cell as u64) << shift;
            let entries = &sorted[part.from..part.to];
            part.from + entries.partition_point(|&slot| u64::from(slots::tag(slot)) < tag)
        };
        let cell = match sorted.get(target) {
            Some(&slot) => (slots::tag(slot) >> shift) as usize,
            None => part.end - 1,
        };
        let (low, high) = (part.cell + 1, part.end - 1);
        let (below, above) = (cell.clamp(low, high), (cell + 1).clamp(low, high));
        let distance = |cell: usize| before(cell).abs_diff(target);
        let cut = if distance(below) <= distance(above) { below } else { above };
        let at = before(cut);
        Some((Part { end: cut, to: at, ..part }, Part { cell: cut, from: at, ..part }))
    }

    /// Adds a part, cut further if its entries are too many for a page or lie
    /// too near to each other.
    fn fit(&self, sorted: &[u64], part: Part, plan: &mut Plan) {
        let width = part.end - part.cell;
        let entries = &sorted[part.from..part.to];
        if !Shard::width_fits(width) {
            let end = part.cell + width / 2;
            let tag = (end as u64) << (TAG_BITS - self.depth);
            let at = entries.partition_point(|&slot| u64::from(slots::tag(slot)) < tag);
            self.fit(sorted, Part { end, to: part.from + at, ..part }, plan);
            self.fit(sorted, Part { cell: end, from: part.from + at, ..part }, plan);
            return;
        }
        let homes = slots::Homes::new(part.cell, width as u32, self.depth);
        let begin = plan.slots.len();
        plan.slots.resize(begin + SLOTS, 0);
        let count = slots::fill(&mut plan.slots[begin..], &homes, entries);
        let cut = (count < entries.len())
            .then(|| self.cut(sorted, part, part.from.midpoint(part.to)))
            .flatten();
        if let Some((first, second)) = cut {
            plan.slots.truncate(begin);
            self.fit(sorted, first, plan);
            self.fit(sorted, second, plan);
            return;
        }
        let (empty, chain) = (entries.is_empty(), part.from + count..part.to);
        plan.drafts.push(Draft { part, homes, empty, count, chain });
    }

    /// Writes what was planned, in place of the pages `old`. An error changes
    /// nothing.
    fn rebuild(&mut self, pager: &Pager, old: &[u32], sorted: &[u64], plan: &Plan) -> Result<()> {
        let needed = plan.drafts.iter().map(Draft::pages).sum::<usize>();
        let epoch = pager.epoch();
        let (mut pages, mut given_up) = (Vec::with_capacity(needed), Vec::new());
        for &no in old {
            let reusable = pages.len() < needed && pager.page(no)?.epoch() == epoch;
            if reusable { &mut pages } else { &mut given_up }.push(no);
        }
        let kept = pages.len();
        while pages.len() < needed {
            match pager.allocate(Kind::Table) {
                Ok(no) => pages.push(no),
                Err(error) => {
                    for &no in &pages[kept..] {
                        pager.free(no);
                    }
                    return Err(error);
                }
            }
        }
        for (draft, slots) in plan.drafts.iter().zip(plan.slots.chunks_exact(SLOTS)) {
            self.write(pager, sorted, draft, slots, &mut pages);
        }
        for no in given_up {
            pager.free(no);
        }
        Ok(())
    }

    fn write(
        &mut self,
        pager: &Pager,
        sorted: &[u64],
        draft: &Draft,
        slots: &[u64],
        pages: &mut Vec<u32>,
    ) {
        let (cell, width) = (draft.part.cell, (draft.part.end - draft.part.cell) as u32);
        if draft.empty {
            return self.set_range(cell, width, 0, false);
        }
        let mut take = || pages.pop().expect("as many as the drafts need were taken");
        let mut link = 0;
        for entries in sorted[draft.chain.clone()].chunks(SLOTS) {
            let no = take();
            self.begin_chain_page(pager, no, link, entries);
            link = no;
        }
        let no = take();
        let mut page = pager.page_mut(no);
        page.set_kind(Kind::Table);
        page.set_level(self.no);
        page.set_count(draft.count as u16);
        page.set_link(link);
        page.words_mut()[0] = draft.homes.label();
        slots::of_mut(&mut page).copy_from_slice(slots);
        self.set_range(cell, width, no, link != 0);
    }
}

impl Draft {
    fn pages(&self) -> usize {
        if self.empty { 0 } else { 1 + self.chain.len().div_ceil(SLOTS) }
    }
}

impl Plan {
    /// Takes out one of the sorted entries: the room that it had stays.
    fn leave_out(&mut self, sorted: &mut [u64], place: usize) {
        let at = self.drafts.iter().position(|draft| place < draft.part.to);
        let at = at.expect("every entry is planned for");
        let draft = &mut self.drafts[at];
        if draft.chain.contains(&place) {
            // There is no order in a chain.
            draft.chain.end -= 1;
            sorted.swap(place, draft.chain.end);
            return;
        }
        let slots = &mut self.slots[at * SLOTS..][..SLOTS];
        let home = draft.homes.home(slots::tag(sorted[place]));
        let found = slots[home..].iter().position(|&slot| slot == sorted[place]);
        slots::remove(slots, &draft.homes, home + found.expect("it was placed"));
        draft.count -= 1;
    }
}
