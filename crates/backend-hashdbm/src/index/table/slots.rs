//! The slots of a page: ordered linear probing.
//!
//! A slot is `tag << 39 | granule`, or zero when it is empty (no record is at
//! granule zero). Entries are in the order of their tags; each is at its home
//! or after it, with no empty slot between. Where everything is follows from
//! the tags alone, so the order of insertions and removals leaves no trace.

use hozo_log::granule::{GRANULE_BITS, GRANULE_MASK};

use super::super::page::{PageMut, PageRef};
use super::{SLOTS, TAG_BITS};

/// Places that are a tag's home. The slots after them take what the last homes
/// cannot.
const HOMES: u64 = 484;
/// The scale's binary point.
const POINT: u32 = 40;

#[inline]
pub(super) fn tag(slot: u64) -> u32 {
    (slot >> GRANULE_BITS) as u32
}

#[inline]
pub(super) fn granule(slot: u64) -> u64 {
    slot & GRANULE_MASK
}

#[inline]
pub(super) fn slot(tag: u32, granule: u64) -> u64 {
    debug_assert!(granule != 0 && granule >> GRANULE_BITS == 0);
    (u64::from(tag) << GRANULE_BITS) | granule
}

#[inline]
pub(super) fn of<'a>(page: &PageRef<'a>) -> &'a [u64; SLOTS] {
    page.words().last_chunk().expect("a page has more words than slots")
}

/// What is wrong with the entries of a page that is for these tags: with how
/// they lie, not with what they say.
pub(super) fn wrong(page: &PageRef<'_>, homes: &Homes) -> Option<&'static str> {
    let (mut last, mut count) = (homes.first(), 0);
    let slots = of(page);
    for (at, &slot) in slots.iter().enumerate().filter(|entry| *entry.1 != 0) {
        let tag = tag(slot);
        if tag < last || tag >= homes.end() {
            return Some("an index page's entries are not in order");
        }
        let home = homes.home(tag);
        if home > at || slots[home..at].contains(&0) {
            return Some("an entry is where no search finds it");
        }
        (last, count) = (tag, count + 1);
    }
    (count != page.count()).then_some("an index page does not count its entries right")
}

#[inline]
pub(super) fn of_mut<'a>(page: &'a mut PageMut<'_>) -> &'a mut [u64; SLOTS] {
    page.words_mut().last_chunk_mut().expect("a page has more words than slots")
}

/// Where tags of a page's range are at home.
#[derive(Clone, Copy, Debug)]
pub(super) struct Homes {
    first: u32,
    tags: u32,
    scale: u64,
}

impl Homes {
    /// For a page of `width` cells from `cell` on, in a directory of this depth.
    /// The same tags have the same homes at every depth that can express them:
    /// ⌊⌊x/w⌋/2ˢ⌋ is ⌊x/(w·2ˢ)⌋.
    #[inline]
    pub(super) fn new(cell: usize, width: u32, depth: u32) -> Homes {
        let shift = TAG_BITS - depth;
        let scale = match SCALES.get(width as usize) {
            Some(scale) => *scale,
            None => (HOMES << POINT) / u64::from(width),
        };
        Homes { first: (cell as u32) << shift, tags: width << shift, scale: scale >> shift }
    }

    /// What the page's first word says: which tags it is for.
    #[inline]
    pub(super) fn label(&self) -> u64 {
        u64::from(self.first) | (u64::from(self.tags) << 32)
    }

    /// The first tag of the range.
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// The tag after the range's last.
    pub(super) fn end(&self) -> u32 {
        self.first + self.tags
    }

    #[inline]
    pub(super) fn home(&self, tag: u32) -> usize {
        debug_assert!(self.first <= tag && tag < self.end());
        ((u64::from(tag - self.first) * self.scale) >> POINT) as usize
    }
}

/// A division that every probe would do, done before.
static SCALES: [u64; 256] = {
    let mut scales = [0; 256];
    let mut width = 1;
    while width < scales.len() {
        scales[width] = (HOMES << POINT) / width as u64;
        width += 1;
    }
    scales
};

/// Where an entry goes that is not there: the slot, and the first empty one
/// from there on, up to which the others have to move.
#[derive(Clone, Copy)]
pub(super) struct Gap {
    at: usize,
    empty: usize,
}

impl Gap {
    /// Continues a search that ended at `at`; `None` if the rest of the page is
    /// full.
    #[inline]
    pub(super) fn from(slots: &[u64; SLOTS], at: usize) -> Option<Gap> {
        let empty = at + slots.get(at..)?.iter().position(|&slot| slot == 0)?;
        Some(Gap { at, empty })
    }

    #[inline]
    pub(super) fn fill(self, slots: &mut [u64; SLOTS], slot: u64) {
        slots.copy_within(self.at..self.empty, self.at + 1);
        slots[self.at] = slot;
    }
}

/// Empties the slot at `at`: what probed past it moves back.
pub(super) fn remove(slots: &mut [u64], homes: &Homes, at: usize) {
    let stays = |(i, &slot): (usize, &u64)| slot == 0 || homes.home(tag(slot)) == i;
    let moved = slots.iter().enumerate().skip(at + 1).position(stays);
    let end = moved.map_or(SLOTS, |n| at + 1 + n);
    slots.copy_within(at + 1..end, at);
    slots[end - 1] = 0;
}

/// Fills empty slots with sorted entries, and answers how many found room.
pub(super) fn fill(slots: &mut [u64], homes: &Homes, sorted: &[u64]) -> usize {
    let mut next = 0;
    for (placed, &slot) in sorted.iter().enumerate() {
        let at = next.max(homes.home(tag(slot)));
        let Some(place) = slots.get_mut(at) else { return placed };
        *place = slot;
        next = at + 1;
    }
    sorted.len()
}

/// Adds a page's entries to those of the pages before it.
pub(super) fn gather(slots: &[u64; SLOTS], sorted: &mut Vec<u64>) {
    let mut len = sorted.len();
    sorted.resize(len + SLOTS, 0);
    for &slot in slots {
        // Which slots are empty cannot be predicted: no branch.
        sorted[len] = slot;
        len += usize::from(slot != 0);
    }
    sorted.truncate(len);
}
