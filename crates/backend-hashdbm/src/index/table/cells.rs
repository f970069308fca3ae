//! The directory: which page each cell of a shard's tags is in.

use super::slots::Homes;
use super::{Shard, TAG_BITS};

/// The most cells that one page can be for.
const WIDTH_MAX: u32 = (1 << 15) - 1;
/// The directory doubles when there are more entries than this for each cell.
/// The cuts between pages can be only between cells: more cells make pages of
/// more equal fill, and cost memory.
const ENTRIES_PER_CELL: u64 = 64;
/// Entries for each cell below which a directory is made anew, smaller.
const ENTRIES_PER_CELL_MIN: u64 = 2;
/// Where hashes are so unequal that one cell overflows, a directory may have
/// this many cells whatever its entries, before pages get chains.
const CELLS_FREE: usize = 1024;

/// What the directory knows of a cell: the page (0: none), how many cells before
/// it the page has, how many it has in all, and whether it has a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cell(u64);

impl Cell {
    pub(super) const EMPTY: Cell = Cell(1 << 48);

    #[inline]
    fn new(page: u32, back: u32, width: u32, chained: bool) -> Cell {
        debug_assert!(back < width && width <= WIDTH_MAX);
        Cell(
            u64::from(page)
                | (u64::from(back) << 32)
                | (u64::from(width) << 48)
                | (u64::from(chained) << 63),
        )
    }

    #[inline]
    fn page(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    fn back(self) -> u32 {
        (self.0 >> 32) as u32 & 0xffff
    }

    #[inline]
    fn width(self) -> u32 {
        (self.0 >> 48) as u32 & WIDTH_MAX
    }

    #[inline]
    fn chained(self) -> bool {
        self.0 >> 63 != 0
    }

    /// The range that the cell at `at` belongs to.
    #[inline]
    pub(super) fn at(self, at: usize, depth: u32) -> Range {
        let first = at - self.back() as usize;
        Range {
            page: self.page(),
            cell: first,
            width: self.width(),
            chained: self.chained(),
            homes: Homes::new(first, self.width(), depth),
        }
    }
}

/// The cells that share a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// The page, or 0 where there are no entries.
    pub(super) page: u32,
    pub(super) cell: usize,
    pub(super) width: u32,
    pub(super) chained: bool,
    pub(super) homes: Homes,
}

impl Range {
    /// The cell after the range.
    pub(super) fn end(&self) -> usize {
        self.cell + self.width as usize
    }
}

impl Shard {
    /// The range of a cell.
    pub(super) fn range(&self, cell: usize) -> Range {
        self.cells[cell].at(cell, self.depth)
    }

    /// All ranges, in order.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range> + '_ {
        let mut cell = 0;
        std::iter::from_fn(move || {
            let range = (cell < self.cells.len()).then(|| self.range(cell))?;
            cell = range.end();
            Some(range)
        })
    }

    /// Lets a run of cells share a page.
    pub(super) fn set_range(&mut self, cell: usize, width: u32, page: u32, chained: bool) {
        for (back, entry) in self.cells[cell..][..width as usize].iter_mut().enumerate() {
            *entry = Cell::new(page, back as u32, width, chained);
        }
    }

    /// Whether a page may be for so many cells.
    pub(super) fn width_fits(width: usize) -> bool {
        width <= WIDTH_MAX as usize
    }

    /// Doubles the directory as often as its entries ask for.
    pub(super) fn deepen_for_entries(&mut self) {
        while self.entries > self.cells.len() as u64 * ENTRIES_PER_CELL && self.deepen() {}
    }

    /// Doubles the directory because one cell alone overflows, if that is worth
    /// its memory.
    pub(super) fn deepen_for_cell(&mut self) -> bool {
        let limit = CELLS_FREE.max((self.entries / 8) as usize);
        self.cells.len() * 2 <= limit && self.deepen()
    }

    /// Whether the directory has far more cells than its entries need.
    pub(super) fn is_too_deep(&self) -> bool {
        self.cells.len() > CELLS_FREE
            && self.entries < self.cells.len() as u64 * ENTRIES_PER_CELL_MIN
    }

    /// The depth of a new directory for the entries there are.
    pub(super) fn depth_for_entries(&self) -> u32 {
        let cells = self.entries.div_ceil(ENTRIES_PER_CELL).max(1).next_power_of_two();
        cells.trailing_zeros().min(TAG_BITS)
    }

    fn deepen(&mut self) -> bool {
        let too_wide = |cell: &Cell| cell.width() * 2 > WIDTH_MAX;
        if self.depth == TAG_BITS || self.cells.iter().any(|c| c.page() != 0 && too_wide(c)) {
            return false;
        }
        let mut cells = Vec::with_capacity(self.cells.len() * 2);
        for cell in &self.cells {
            let (page, chained) = (cell.page(), cell.chained());
            // Where nothing is, two ranges serve as well as one too wide.
            let width = if too_wide(cell) { cell.width() } else { cell.width() * 2 };
            for half in 0..2 {
                let back = (cell.back() * 2 + half) % width;
                cells.push(Cell::new(page, back, width, chained));
            }
        }
        self.cells = cells;
        self.depth += 1;
        true
    }
}
