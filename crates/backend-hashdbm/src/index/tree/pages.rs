//! What the tree asks of whoever keeps its pages.

use std::ops::{Deref, DerefMut};

use hozo_traits::Result;

use super::super::page::BODY_BYTES;

/// What a page holds behind its header: one node.
pub(crate) type Body = [u8; BODY_BYTES];

/// Pages, copied on write between checkpoints.
///
/// All methods take `&self`: the caller holds the lock that guards the tree,
/// for writing where one of its methods takes `&mut self`.
pub(crate) trait TreePages {
    /// A page that is being read.
    type Ref<'a>: Deref<Target = Body>
    where
        Self: 'a;
    /// A page that is being written.
    type Mut<'a>: DerefMut<Target = Body>
    where
        Self: 'a;

    /// The page, checked for damage.
    fn page(&self, no: u32) -> Result<Self::Ref<'_>>;
    /// A page that [`Self::writable`] or [`Self::allocate`] gave out since the
    /// last checkpoint.
    fn page_mut(&self, no: u32) -> Self::Mut<'_>;
    /// A page with this content that may be written: this one, or a copy, and
    /// then this one counts as freed.
    fn writable(&self, no: u32) -> Result<u32>;
    /// A new page for a node of this level. What is in it does not matter.
    fn allocate(&self, level: u8) -> Result<u32>;
    /// Gives a page back: at once when no checkpoint knows it, otherwise when
    /// none does any more.
    fn free(&self, no: u32);
}
