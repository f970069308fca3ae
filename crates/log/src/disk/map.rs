//! Mapped parts of files.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::{Advice, MmapOptions, MmapRaw, UncheckedAdvice};

/// Below this a sync takes care of each page.
const MANY_BYTES: usize = 256 << 10;
/// What advice is about begins at a multiple of this.
const UNIT_BYTES: usize = 4096;

/// A part of a file in memory, shared and writable: writes through it are
/// writes to the file. It is unmapped when dropped.
///
/// It hands out a raw pointer, so that each user says by himself why nobody
/// writes what somebody else reads. Only bytes below the file's end may be
/// touched; the kernel kills the process for others.
pub struct Mapping {
    map: MmapRaw,
}

impl Mapping {
    /// Maps `len` bytes of `file` from `at`.
    pub(super) fn new(file: &File, at: u64, len: usize) -> io::Result<Mapping> {
        // `map_raw` is a safe call: a raw mapping gives out no references.
        Ok(Mapping { map: MmapOptions::new().offset(at).len(len).map_raw(file)? })
    }

    /// The first byte. Valid until the mapping is dropped.
    #[inline]
    pub fn ptr(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    /// How many bytes are mapped.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "nobody maps nothing")]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Before a sync of the file: if much was written from `at` on, lets the
    /// process forget where those pages are; the next look finds them again.
    ///
    /// A sync takes the right to write away from each page by itself, and
    /// interrupts every processor that runs a thread of the process for each.
    /// This does it for all at once. Only a hint, also beyond the end, where
    /// nothing happens.
    pub fn before_sync(&self, at: usize, len: usize) {
        if len < MANY_BYTES || !self.has(at, len) {
            return;
        }
        let at = at / UNIT_BYTES * UNIT_BYTES;
        // SAFETY: the range lies in the mapping, which is shared and of a file, so what was written is in
        // the file's cache, and nothing is lost: "do not need" is about this
        // process's page table only.
        let _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, at, len) };
    }

    /// Makes the pages from `at` on writable ahead of their use, which costs
    /// less than one fault for each. Only a hint: kernels before 5.14 do not
    /// know it.
    pub fn populate(&self, at: usize, len: usize) {
        if self.has(at, len) {
            let _ = self.map.advise_range(Advice::PopulateWrite, at, len);
        }
    }

    /// Whether this range is mapped. The system is told addresses, and would not
    /// know whose they are.
    fn has(&self, at: usize, len: usize) -> bool {
        at.checked_add(len).is_some_and(|end| end <= self.len())
    }
}
