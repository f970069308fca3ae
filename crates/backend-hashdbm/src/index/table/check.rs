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
            if page.words()[0] != range.homes.label() || (page.link() != 0) != range.chained {
                return Err(wrong("an index page is for other hashes than the roots say"));
            }
            if let Some(what) = slots::wrong(&page, &range.homes) {
                return Err(wrong(what));
            }
            entries += u64::from(page.count());
            if range.chained {
                let (mut chained, mut pages) = (Vec::new(), Vec::new());
                self.gather_chain(pager, &range, &mut chained, &mut pages)?;
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
