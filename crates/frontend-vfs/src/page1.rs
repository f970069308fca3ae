//! The database header in page 1, as far as a VFS must understand it.
//!
//! SQLite counts commits in bytes 24 to 28 and repeats the count in 92 to 96.
//! Stored, both are zero, so that a commit which changes nothing else of page 1
//! does not write it. Read, both are the connection's virtual counter, which
//! moves when the database changed: SQLite compares it in
//! `sqlite3PagerSharedLock` and drops its cache when it moved.

use bytes::{Bytes, BytesMut};
use hozo_traits::PageSize;

/// Bytes of the header.
pub(crate) const HEADER_LEN: usize = 100;
const COUNTER: usize = 24;
const VALID_FOR: usize = 92;
/// File format versions for writing and reading: 1, or 2 in WAL mode.
const FORMATS: std::ops::Range<usize> = 18..20;

fn be32(page: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(page.get(at..at + 4)?.try_into().ok()?))
}

/// SQLite's change counter.
pub(crate) fn counter(page: &[u8]) -> Option<u32> {
    be32(page, COUNTER)
}

/// How many pages the header says there are, where it can be trusted (as
/// `lockBtree` judges).
pub(crate) fn page_count(page: &[u8]) -> Option<u32> {
    let count = be32(page, 28)?;
    (count != 0 && be32(page, COUNTER) == be32(page, VALID_FOR)).then_some(count)
}

/// The page size that the header says.
pub(crate) fn page_size(page: &[u8]) -> Option<PageSize> {
    let bytes: [u8; 2] = page.get(16..18)?.try_into().ok()?;
    let size = match u16::from_be_bytes(bytes) {
        1 => 65536,
        size => u32::from(size),
    };
    PageSize::new(size).ok()
}

/// Whether the header asks for WAL mode, as that of a copied file may. It could
/// not be opened here (`lockBtree`).
pub(crate) fn asks_for_wal(page: &[u8]) -> bool {
    page.get(FORMATS).is_some_and(|formats| formats.contains(&2))
}

/// The page as it is stored.
pub(crate) fn canonical(page: &Bytes) -> Bytes {
    let mut page = BytesMut::from(&page[..]);
    for format in page.get_mut(FORMATS).into_iter().flatten() {
        *format = (*format).min(1);
    }
    for at in [COUNTER, VALID_FOR] {
        if let Some(field) = page.get_mut(at..at + 4) {
            field.fill(0);
        }
    }
    page.freeze()
}

/// Puts the virtual counter into `buf`, which is what the file has at `offset`.
pub(crate) fn put_counter(counter: u32, offset: u64, buf: &mut [u8]) {
    if offset >= HEADER_LEN as u64 {
        return;
    }
    let offset = offset as usize;
    for at in [COUNTER, VALID_FOR] {
        for (i, byte) in counter.to_be_bytes().into_iter().enumerate() {
            if let Some(target) = (at + i).checked_sub(offset).and_then(|i| buf.get_mut(i)) {
                *target = byte;
            }
        }
    }
}

/// What an empty database answers to the read of the header with which
/// `sqlite3BtreeOpen` learns the page size.
pub(crate) fn empty_header(page_size: PageSize) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    let size = if page_size.get() == 65536 { 1 } else { page_size.get() as u16 };
    header[16..18].copy_from_slice(&size.to_be_bytes());
    header
}

#[cfg(test)]
mod tests;
