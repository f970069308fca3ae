//! The pager as the keeper of the tree's pages.

use std::ops::{Deref, DerefMut};

use hozo_traits::Result;

use super::super::page::{Kind, PageMut};
use super::super::pager::Pager;
use super::node::Node;
use super::pages::{Body, TreePages};

impl TreePages for Pager {
    type Ref<'a> = &'a Body;
    type Mut<'a> = BodyMut<'a>;

    #[inline]
    fn page(&self, no: u32) -> Result<&Body> {
        let page = self.page_as(no, |page| {
            let body = page.body().first_chunk();
            body.and_then(Node::of).is_some_and(|node| node.is_sound())
        })?;
        if page.kind() != Kind::Leaf as u8 && page.kind() != Kind::Branch as u8 {
            return Err(self.damaged(no, "an index page that the tree names is not the tree's"));
        }
        Ok(page.body().first_chunk().expect("a body has the length of a body"))
    }

    #[inline]
    fn page_mut(&self, no: u32) -> BodyMut<'_> {
        BodyMut(Pager::page_mut(self, no))
    }

    #[inline]
    fn writable(&self, no: u32) -> Result<u32> {
        Pager::writable(self, no)
    }

    fn allocate(&self, level: u8) -> Result<u32> {
        Pager::allocate(self, if level == 0 { Kind::Leaf } else { Kind::Branch })
    }

    fn free(&self, no: u32) {
        Pager::free(self, no);
    }
}

/// A node's page that is being written.
pub(crate) struct BodyMut<'a>(PageMut<'a>);

impl Deref for BodyMut<'_> {
    type Target = Body;

    fn deref(&self) -> &Body {
        self.0.view().body().first_chunk().expect("a body has the length of a body")
    }
}

impl DerefMut for BodyMut<'_> {
    fn deref_mut(&mut self) -> &mut Body {
        self.0.body_mut().first_chunk_mut().expect("a body has the length of a body")
    }
}
