//! A typed view of one mapped index page.
//!
//! Bytes 0..16 are the header (checksum, epoch, kind, and three small fields
//! that mean what the kind says), the rest is the body. The checksum is the
//! only part that somebody who does not hold the page's lock ever writes, so
//! it alone is atomic and lies outside of everything that is handed out as a
//! slice.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(target_endian = "big")]
compile_error!("hashdbm maps its files, which are little-endian, and does not convert them");

/// Size of an index page.
pub(crate) const PAGE_BYTES: usize = 4096;
/// Size of what precedes a page's body.
pub(crate) const HEADER_BYTES: usize = 16;
/// Size of a page's body.
pub(crate) const BODY_BYTES: usize = PAGE_BYTES - HEADER_BYTES;

const EPOCH_AT: usize = 4;
const KIND_AT: usize = 8;
const LEVEL_AT: usize = 9;
const COUNT_AT: usize = 10;
const LINK_AT: usize = 12;

/// What a page is used for: its byte in the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Page 0: says that the file is an index.
    File = 1,
    /// Sorted slots of a hash table.
    Table = 2,
    /// Slots that found no room in the table's page of their hash.
    Overflow = 3,
    /// A leaf of the tree.
    Leaf = 4,
    /// A branch of the tree.
    Branch = 5,
}

/// A page that may be read: whoever has it holds the lock that guards it.
#[derive(Clone, Copy)]
pub(crate) struct PageRef<'a> {
    base: NonNull<u8>,
    mapping: PhantomData<&'a [u8]>,
}

impl<'a> PageRef<'a> {
    /// # Safety
    /// `base` is the start of a page, aligned to [`PAGE_BYTES`], that stays
    /// mapped for `'a`; but for its checksum nobody writes to it meanwhile.
    pub(super) unsafe fn new(base: NonNull<u8>) -> Self {
        PageRef { base, mapping: PhantomData }
    }

    fn field<T: Copy>(&self, at: usize) -> T {
        debug_assert!(at >= EPOCH_AT && at + size_of::<T>() <= HEADER_BYTES);
        // SAFETY: inside the page's header and aligned there by the constants
        // above; every bit pattern is a value of the integers it is used for.
        unsafe { self.base.as_ptr().add(at).cast::<T>().read() }
    }

    fn checksum_cell(&self) -> &'a AtomicU32 {
        // SAFETY: the first four bytes of a mapped page, aligned, which are
        // never part of a slice or of a plain read.
        unsafe { AtomicU32::from_ptr(self.base.as_ptr().cast()) }
    }

    /// The checkpoint interval in which the page was last writable.
    #[inline]
    pub(crate) fn epoch(&self) -> u32 {
        self.field(EPOCH_AT)
    }

    /// The kind's byte, which in a page that was verified is a [`Kind`].
    #[inline]
    pub(crate) fn kind(&self) -> u8 {
        self.field(KIND_AT)
    }

    /// A small number for the page's kind: a shard, a level.
    #[inline]
    pub(crate) fn level(&self) -> u8 {
        self.field(LEVEL_AT)
    }

    /// How many entries the page holds.
    #[inline]
    pub(crate) fn count(&self) -> u16 {
        self.field(COUNT_AT)
    }

    /// The number of another page, or zero.
    #[inline]
    pub(crate) fn link(&self) -> u32 {
        self.field(LINK_AT)
    }

    /// What follows the header.
    #[inline]
    pub(crate) fn body(&self) -> &'a [u8] {
        // SAFETY: inside the page; not written while this view exists (`new`).
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(HEADER_BYTES), BODY_BYTES) }
    }

    /// The body as 64-bit words.
    #[inline]
    pub(crate) fn words(&self) -> &'a [u64; BODY_BYTES / 8] {
        // SAFETY: as `body`; the header's length keeps the words aligned, and
        // every bit pattern is a u64.
        unsafe { &*self.base.as_ptr().add(HEADER_BYTES).cast() }
    }

    /// Begins to fetch the header, for who first looks at the body and may then
    /// need both: two waits for memory become one.
    #[inline]
    pub(crate) fn fetch_header(&self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint, which reads nothing; every x86-64 has it.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.base.as_ptr().cast());
        }
    }

    /// The checksum that the page carries.
    pub(super) fn checksum(&self) -> u32 {
        self.checksum_cell().load(Ordering::Relaxed)
    }

    /// The checksum that it should carry as page number `no`: a page that is
    /// whole but in a wrong place is damage too.
    pub(super) fn computed_checksum(&self, no: u32) -> u32 {
        // SAFETY: everything in the page but its checksum, which nobody
        // writes while this view exists (`new`).
        let bytes = unsafe {
            std::slice::from_raw_parts(self.base.as_ptr().add(EPOCH_AT), PAGE_BYTES - EPOCH_AT)
        };
        crc32c::crc32c_append(no, bytes)
    }

    /// Fills in the checksum. The page may have readers, not writers.
    pub(super) fn seal(&self, no: u32) {
        self.checksum_cell().store(self.computed_checksum(no), Ordering::Relaxed);
    }
}

/// A page that may be changed: whoever has it holds its lock for writing, and
/// the page is of the current epoch.
pub(crate) struct PageMut<'a>(PageRef<'a>);

impl<'a> PageMut<'a> {
    /// # Safety
    /// As for [`PageRef::new`], and nobody else reads or writes the page.
    pub(super) unsafe fn new(base: NonNull<u8>) -> Self {
        // SAFETY: promised by the caller.
        PageMut(unsafe { PageRef::new(base) })
    }

    /// The page as one that is only read.
    #[inline]
    pub(crate) fn view(&self) -> PageRef<'_> {
        self.0
    }

    fn set_field<T: Copy>(&mut self, at: usize, value: T) {
        debug_assert!(at >= EPOCH_AT && at + size_of::<T>() <= HEADER_BYTES);
        // SAFETY: inside the header, aligned there, and ours alone (`new`).
        unsafe { self.0.base.as_ptr().add(at).cast::<T>().write(value) }
    }

    /// Makes the page an empty one of this kind. The body keeps what it held.
    pub(super) fn begin(&mut self, epoch: u32, kind: Kind) {
        self.set_field(EPOCH_AT, epoch);
        self.set_field(KIND_AT, kind as u8);
        self.set_field(LEVEL_AT, 0u8);
        self.set_field(COUNT_AT, 0u16);
        self.set_field(LINK_AT, 0u32);
    }

    /// Makes the page what another one is, but of this epoch.
    pub(super) fn copy_from(&mut self, from: &PageRef<'_>, epoch: u32) {
        // SAFETY: both are whole pages, and they differ, since this one is
        // ours alone (`new`). The checksum is not read: it may be being filled.
        unsafe {
            let from = from.base.as_ptr().add(KIND_AT);
            let to = self.0.base.as_ptr().add(KIND_AT);
            std::ptr::copy_nonoverlapping(from, to, PAGE_BYTES - KIND_AT);
        }
        self.set_field(EPOCH_AT, epoch);
    }

    /// Changes the kind; the rest of the page is left as it is.
    pub(crate) fn set_kind(&mut self, kind: Kind) {
        self.set_field(KIND_AT, kind as u8);
    }

    /// Sets [`PageRef::level`].
    pub(crate) fn set_level(&mut self, level: u8) {
        self.set_field(LEVEL_AT, level);
    }

    /// Sets [`PageRef::count`].
    #[inline]
    pub(crate) fn set_count(&mut self, count: u16) {
        self.set_field(COUNT_AT, count);
    }

    /// Sets [`PageRef::link`].
    pub(crate) fn set_link(&mut self, link: u32) {
        self.set_field(LINK_AT, link);
    }

    /// What follows the header, to change it.
    #[inline]
    pub(crate) fn body_mut(&mut self) -> &mut [u8] {
        // SAFETY: inside the page, and ours alone (`new`).
        unsafe {
            std::slice::from_raw_parts_mut(self.0.base.as_ptr().add(HEADER_BYTES), BODY_BYTES)
        }
    }

    /// The body as 64-bit words, to change them.
    #[inline]
    pub(crate) fn words_mut(&mut self) -> &mut [u64; BODY_BYTES / 8] {
        // SAFETY: as `body_mut`, aligned as in `words`.
        unsafe { &mut *self.0.base.as_ptr().add(HEADER_BYTES).cast() }
    }
}
