//! Pages: what a namespace is made of.

use bytes::Bytes;

use crate::{Error, ErrorKind, PageNo, Result, Version};

/// The size of a page in bytes: a power of two from 512 to 65536, as SQLite has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageSize(u32);

impl PageSize {
    /// The smallest that SQLite knows.
    pub const MIN: PageSize = PageSize(512);
    /// What a namespace starts with unless told otherwise.
    pub const DEFAULT: PageSize = PageSize(4096);
    /// The largest that SQLite knows.
    pub const MAX: PageSize = PageSize(65536);

    /// A page size of `bytes`; an error unless SQLite knows it.
    pub fn new(bytes: u32) -> Result<Self> {
        if bytes.is_power_of_two() && (512..=65536).contains(&bytes) {
            Ok(PageSize(bytes))
        } else {
            Err(Error::new(
                ErrorKind::Invalid,
                "a page size is a power of two from 512 to 65536 bytes",
            )
            .with("given", bytes))
        }
    }

    /// Bytes in a page.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A page as it was committed: which commit wrote it, and its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageImage {
    /// The commit that wrote this image.
    pub version: Version,
    /// The whole page.
    pub bytes: Bytes,
}

/// A page to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageWrite {
    /// Which page.
    pub page: PageNo,
    /// The whole page. Its length is the page size of the version written.
    pub image: Bytes,
    /// How the image differs from an older one, where the writer knows. A
    /// store may keep this instead of the image.
    pub patch: Option<Patch>,
}

/// What of a page changed since an older image of the same length.
///
/// Invariant that the writer keeps: the base image with `ranges` written over
/// it is the new image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patch {
    /// The version of the image that this is against: a [`PageImage::version`]
    /// that the store gave for this page.
    pub base: Version,
    /// Offset and new bytes, ascending, not overlapping, none empty.
    pub ranges: Vec<(u32, Bytes)>,
}

impl Patch {
    /// The patch that makes `new` of `old`. Ranges less than `JOIN` equal bytes
    /// apart are joined, since each range costs a few bytes of its own.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn between(base: Version, old: &[u8], new: &Bytes) -> Self {
        const JOIN: usize = 8;
        const WORD: usize = 16;
        assert_eq!(old.len(), new.len(), "a patch is between images of one size");
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        while at < new.len() {
            // Skip equal stretches a word at a time: most of a page is equal.
            if at + WORD <= new.len() && old[at..at + WORD] == new[at..at + WORD] {
                at += WORD;
                continue;
            }
            let stop = (at + WORD).min(new.len());
            for i in at..stop {
                if old[i] != new[i] {
                    match ranges.last_mut() {
                        Some((_, end)) if i < *end + JOIN => *end = i + 1,
                        _ => ranges.push((i, i + 1)),
                    }
                }
            }
            at = stop;
        }
        let ranges =
            ranges.into_iter().map(|(start, end)| (start as u32, new.slice(start..end))).collect();
        Patch { base, ranges }
    }

    /// Bytes that the ranges carry.
    pub fn payload_len(&self) -> usize {
        self.ranges.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Writes the ranges over `image`, which is the base's bytes; an error if
    /// one lies outside it.
    pub fn apply(&self, image: &mut [u8]) -> Result<()> {
        for (offset, bytes) in &self.ranges {
            let start = *offset as usize;
            let target = start
                .checked_add(bytes.len())
                .and_then(|end| image.get_mut(start..end))
                .ok_or_else(|| {
                Error::new(ErrorKind::Corrupt, "a patch reaches beyond its page")
                    .with("offset", offset)
                    .with("length", bytes.len())
            })?;
            target.copy_from_slice(bytes);
        }
        Ok(())
    }
}
