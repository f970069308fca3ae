//! What must hold of a shard, for tests and for `hozo check`.

use hozo_traits::{Error, Result};

use super::super::pager::Pager;
use super::{Shard, slots};

impl Shard {
    /// Reads every page: entries are where a search finds them, and as many as
    /// the roots say.
    pub(crate) fn check(&self, pager: &Pager) -> Result<()> {
        let mut entries = 0;
        for range in self.ranges().filter(|range| range.page != 0) {
            let page = self.page(pager, &range)?;
            let wrong = |what| -> Error { pager.damaged(range.page, what) };
            let (mut last, mut count) = (0, 0);
            let slots = slots::of(&page);
            for (at, &slot) in slots.iter().enumerate().filter(|entry| *entry.1 != 0) {
                let tag = slots::tag(slot);
                if tag < last || tag < range.homes.first() || tag >= range.homes.end() {
                    return Err(wrong("an index page's entries are not in order"));
                }
                let home = range.homes.home(tag);
                if home > at || slots[home..at].contains(&0) {
                    return Err(wrong("an entry is where no search finds it"));
                }
                (last, count) = (tag, count + 1);
            }
            if page.words()[0] != range.homes.label() || (page.link() != 0) != range.chained {
                return Err(wrong("an index page is for other hashes than the roots say"));
            }
            if count != page.count() {
                return Err(wrong("an index page does not count its entries right"));
            }
            entries += u64::from(count);
            if range.chained {
                let (mut chained, mut pages) = (Vec::new(), Vec::new());
                self.gather_chain(pager, &range, &mut chained, &mut pages)?;
                let tags = range.homes.first()..range.homes.end();
                if chained.iter().any(|&slot| slot == 0 || !tags.contains(&slots::tag(slot))) {
                    return Err(wrong("an index page's chain has entries of other pages"));
                }
                entries += chained.len() as u64;
            }
        }
        if entries != self.entries {
            return Err(super::damage("a directory does not count its entries right")
                .with("shard", self.no)
                .with("entries", self.entries)
                .with("found", entries));
        }
        Ok(())
    }
}
