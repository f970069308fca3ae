//! Where the pages of a file are in memory, and which of them were verified.
//!
//! What makes views of pages out of addresses is here and in [`page`](super::page),
//! so that nothing else of the index needs `unsafe`.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use hozo_log::disk::Mapping;

use super::page::{PAGE_BYTES, PageMut, PageRef};

/// Pages of a chunk, which is mapped in one piece: 4 MiB.
pub(super) const CHUNK_PAGES: u32 = 1024;
/// Bytes of a chunk.
pub(super) const CHUNK_BYTES: u64 = CHUNK_PAGES as u64 * PAGE_BYTES as u64;
/// The most pages that there can be: 1 TiB.
pub(super) const PAGES_MAX: u32 = 1 << 28;

/// Finds pages by their numbers, without locks.
pub(super) struct PageMap {
    /// Where each chunk is mapped; null beyond the end.
    chunks: Box<[AtomicPtr<u8>]>,
    /// A bit per page: its checksum was found right, or it was made, by us.
    verified: Box<[AtomicU64]>,
}

/// The mappings that a [`PageMap`] points into. They go only with [`PageMap::cut`].
#[derive(Default)]
pub(super) struct Mappings(Vec<Mapping>);

impl Mappings {
    /// A chunk that is mapped.
    pub(super) fn chunk(&self, chunk: usize) -> &Mapping {
        &self.0[chunk]
    }

    /// Chunks that are mapped.
    pub(super) fn chunks(&self) -> usize {
        self.0.len()
    }
}

impl PageMap {
    pub(super) fn new() -> PageMap {
        PageMap {
            chunks: zeroed((PAGES_MAX / CHUNK_PAGES) as usize),
            verified: zeroed(PAGES_MAX as usize / 64),
        }
    }

    /// Adds the next chunk.
    pub(super) fn add(&self, mappings: &mut Mappings, mapping: Mapping) {
        let aligned = mapping.ptr().align_offset(PAGE_BYTES) == 0;
        assert!(mapping.len() as u64 == CHUNK_BYTES && aligned, "not a chunk that was mapped");
        self.chunks[mappings.0.len()].store(mapping.ptr(), Ordering::Release);
        mappings.0.push(mapping);
    }

    /// Unmaps all but the first chunks: nobody may have a page of the others.
    pub(super) fn cut(&self, mappings: &mut Mappings, chunks: usize) {
        for chunk in &self.chunks[chunks..mappings.0.len()] {
            chunk.store(std::ptr::null_mut(), Ordering::Release);
        }
        mappings.0.truncate(chunks);
    }

    /// The page, if it is mapped. The caller holds the lock that guards it, or
    /// knows that nobody writes to it.
    #[inline]
    pub(super) fn page(&self, no: u32) -> Option<PageRef<'_>> {
        // SAFETY: mapped until the map goes, with its mappings (`base`, `cut`);
        // the caller's lock keeps writers away.
        self.base(no).map(|base| unsafe { PageRef::new(base) })
    }

    /// The page, to change. The caller holds its lock for writing.
    #[inline]
    pub(super) fn page_mut(&self, no: u32) -> PageMut<'_> {
        let base = self.base(no).expect("a page that is writable is mapped");
        // SAFETY: mapped as in `page`; the caller's lock keeps everybody else
        // away.
        unsafe { PageMut::new(base) }
    }

    #[inline]
    fn base(&self, no: u32) -> Option<NonNull<u8>> {
        let chunk = self.chunks.get((no / CHUNK_PAGES) as usize)?.load(Ordering::Acquire);
        let chunk = NonNull::new(chunk)?;
        // SAFETY: a chunk's mapping has CHUNK_PAGES pages (`add`).
        Some(unsafe { chunk.add((no % CHUNK_PAGES) as usize * PAGE_BYTES) })
    }

    /// Whether a page below [`PAGES_MAX`] was marked.
    #[inline]
    pub(super) fn is_verified(&self, no: u32) -> bool {
        self.verified[no as usize / 64].load(Ordering::Relaxed) & (1 << (no % 64)) != 0
    }

    /// Marks a page as verified.
    pub(super) fn mark_verified(&self, no: u32) {
        self.verified[no as usize / 64].fetch_or(1 << (no % 64), Ordering::Relaxed);
    }
}

/// Zeros that cost no memory until they are touched.
fn zeroed<T: Zeroable>(len: usize) -> Box<[T]> {
    // SAFETY: `Zeroable` says that zeros are a value.
    unsafe { Box::new_zeroed_slice(len).assume_init() }
}

/// # Safety
/// All zeros is a value of the type.
unsafe trait Zeroable {}
// SAFETY: zero is an integer.
unsafe impl Zeroable for AtomicU64 {}
// SAFETY: zero is a null pointer.
unsafe impl Zeroable for AtomicPtr<u8> {}
