//! Pages in memory, which notice what a keeper of pages must not be asked for.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};

use hozo_traits::{Error, ErrorKind, Result};

use super::super::pages::{Body, TreePages};
use crate::index::page::BODY_BYTES;

#[derive(Clone)]
pub(super) struct Pages {
    pages: Vec<RefCell<Box<Body>>>,
    space: RefCell<Space>,
    /// How many pages may still be given out: a disk that fills.
    pub(super) left: Cell<u32>,
}

#[derive(Clone, Default)]
struct Space {
    epoch: u32,
    next: u32,
    free: Vec<u32>,
    /// Pages in use, and in which epoch they became writable.
    used: BTreeMap<u32, u32>,
    /// Pages given up, by the epoch in which that was.
    superseded: BTreeSet<(u32, u32)>,
}

impl Pages {
    pub(super) fn new(most: usize) -> Self {
        Pages {
            pages: (0..most).map(|_| RefCell::new(Box::new([0xEE; BODY_BYTES]))).collect(),
            space: RefCell::default(),
            left: Cell::new(u32::MAX),
        }
    }

    /// Ends the epoch and gives its number.
    pub(super) fn freeze(&self) -> u32 {
        let mut space = self.space.borrow_mut();
        space.epoch += 1;
        space.epoch - 1
    }

    /// Pages given up in this epoch or before are used again.
    pub(super) fn release(&self, epoch: u32) {
        let space = &mut *self.space.borrow_mut();
        let later = space.superseded.split_off(&(epoch + 1, 0));
        for (_, no) in std::mem::replace(&mut space.superseded, later) {
            self.pages[no as usize].borrow_mut().fill(0xEE);
            space.free.push(no);
        }
    }

    /// Pages that were given out and neither given back nor copied.
    pub(super) fn in_use(&self) -> Vec<u32> {
        self.space.borrow().used.keys().copied().collect()
    }
}

impl TreePages for Pages {
    type Ref<'a> = Ref<'a, Body>;
    type Mut<'a> = RefMut<'a, Body>;

    fn page(&self, no: u32) -> Result<Self::Ref<'_>> {
        let page = self.pages.get(no as usize).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "there is no such page").with("page", no)
        })?;
        Ok(Ref::map(page.borrow(), |page| &**page))
    }

    fn page_mut(&self, no: u32) -> Self::Mut<'_> {
        let space = self.space.borrow();
        assert_eq!(space.used.get(&no), Some(&space.epoch), "page {no} may not be written");
        RefMut::map(self.pages[no as usize].borrow_mut(), |page| &mut **page)
    }

    fn writable(&self, no: u32) -> Result<u32> {
        if self.space.borrow().used[&no] == self.space.borrow().epoch {
            return Ok(no);
        }
        let copy = self.allocate(0)?;
        **self.pages[copy as usize].borrow_mut() = **self.pages[no as usize].borrow();
        self.free(no);
        Ok(copy)
    }

    fn allocate(&self, _level: u8) -> Result<u32> {
        let space = &mut *self.space.borrow_mut();
        let Some(left) = self.left.get().checked_sub(1) else {
            return Err(Error::new(ErrorKind::Unavailable, "no page is left"));
        };
        self.left.set(left);
        let no = space.free.pop().unwrap_or_else(|| {
            space.next += 1;
            space.next - 1
        });
        assert_eq!(space.used.insert(no, space.epoch), None);
        Ok(no)
    }

    fn free(&self, no: u32) {
        let space = &mut *self.space.borrow_mut();
        let made_in = space.used.remove(&no).expect("only a page that is in use is given back");
        if made_in == space.epoch {
            self.pages[no as usize].borrow_mut().fill(0xEE);
            space.free.push(no);
            self.left.set(self.left.get().saturating_add(1));
        } else {
            space.superseded.insert((space.epoch, no));
        }
    }
}
