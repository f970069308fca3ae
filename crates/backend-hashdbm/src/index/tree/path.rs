//! The way from the root to a leaf, for changes.

use hozo_traits::Result;

use super::pages::TreePages;
use super::{Tree, edit};

/// Most levels a tree can have: with keys of the greatest length it then has
/// more pages than numbers for pages.
pub(super) const LEVELS_MAX: usize = 32;

#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) no: u32,
    /// Which child comes next.
    pub(super) child: u16,
}

/// Nodes from the root to a leaf.
pub(super) struct Path {
    steps: [Step; LEVELS_MAX],
    len: usize,
}

impl Path {
    pub(super) fn new() -> Self {
        Path { steps: [Step { no: 0, child: 0 }; LEVELS_MAX], len: 0 }
    }

    pub(super) fn push(&mut self, no: u32, child: usize) {
        // A node has fewer children than its page has bytes.
        self.steps[self.len] = Step { no, child: child as u16 };
        self.len += 1;
    }

    pub(super) fn pop(&mut self) {
        self.len -= 1;
    }

    /// The steps, the root's first.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps[..self.len]
    }

    /// The page at the lower end.
    pub(super) fn leaf(&self) -> u32 {
        self.steps[self.len - 1].no
    }

    /// The lower end and what is above it.
    pub(super) fn ends(&self) -> (Step, Option<Step>) {
        let above = self.len.checked_sub(2).map(|i| self.steps[i]);
        (self.steps[self.len - 1], above)
    }

    /// Makes every page on the way writable, from the root down, so that after
    /// a failure the tree is whole and means the same.
    pub(super) fn make_writable<P: TreePages>(&mut self, tree: &mut Tree, pages: &P) -> Result<()> {
        for i in 0..self.len {
            let old = self.steps[i].no;
            let no = pages.writable(old)?;
            if no == old {
                continue;
            }
            // A cursor may know the leaf by its number.
            tree.changes += 1;
            match i.checked_sub(1).map(|above| self.steps[above]) {
                None => tree.root = no,
                Some(above) => {
                    edit::set_child(&mut pages.page_mut(above.no), usize::from(above.child), no);
                }
            }
            self.steps[i].no = no;
        }
        Ok(())
    }
}
