//! Walking a shard in the order of its hashes.

use hozo_traits::Result;

use super::super::pager::Pager;
use super::{Shard, TAG_BITS, slots};

impl Shard {
    /// Adds the entries from `tag` on that are in the next page with any, as
    /// (tag, granule) in the order of tags, and answers the tag to go on from:
    /// `None` at the shard's end. Entries of one tag never are in two answers;
    /// their order among each other says nothing.
    ///
    /// A walk that goes on later, after any changes, meets every entry that was
    /// there all the time once.
    pub(crate) fn entries_from(
        &self,
        pager: &Pager,
        tag: u32,
        entries: &mut Vec<(u32, u64)>,
    ) -> Result<Option<u32>> {
        let before = entries.len();
        let mut from = tag;
        while from < 1 << TAG_BITS {
            let range = self.range(self.cell_of(from));
            if range.page != 0 {
                let page = self.page(pager, &range)?;
                let slots = slots::of(&page);
                let home = if from == range.homes.first() { 0 } else { range.homes.home(from) };
                let found = slots[home..].iter().filter(|&&slot| slot != 0);
                let found = found.map(|&slot| (slots::tag(slot), slots::granule(slot)));
                entries.extend(found.filter(|entry| entry.0 >= from));
                if range.chained {
                    let (mut chained, mut pages) = (Vec::new(), Vec::new());
                    self.gather_chain(pager, &range, &mut chained, &mut pages)?;
                    let chained =
                        chained.iter().map(|&slot| (slots::tag(slot), slots::granule(slot)));
                    entries.extend(chained.filter(|entry| entry.0 >= from));
                    entries[before..].sort_unstable();
                }
            }
            from = range.homes.end();
            if entries.len() > before {
                break;
            }
        }
        Ok((from < 1 << TAG_BITS).then_some(from))
    }
}
