//! Roots and index pages that say anything at all, under checksums that are
//! right.

use hozo_conformance::Rng;
use hozo_log::disk::Disk;
use hozo_log::disk::sim::SimDisk;

use crate::index::PAGE_BYTES;

/// Bytes of the roots file before its body.
const ROOTS_HEADER: usize = 20;
/// Of these pages some are changed.
const PAGES_MAX: usize = 200;

/// A disk with the same files.
fn copy(of: &SimDisk) -> SimDisk {
    let disk = SimDisk::new();
    let names = of.list().expect("listed");
    names.iter().for_each(|name| disk.put(name, &of.get(name)));
    disk
}

fn number(rng: &mut Rng) -> [u8; 8] {
    let number = match rng.below(5) {
        0 => 0,
        1 => u64::MAX,
        2 => rng.below(300) as u64,
        3 => 1 << rng.below(64),
        _ => rng.next(),
    };
    number.to_le_bytes()
}

/// Puts a number of some width anywhere in `bytes`, most often near their
/// beginning, where what means most is.
fn change(bytes: &mut [u8], near: usize, rng: &mut Rng) {
    let most = if rng.one_in(3) { bytes.len() } else { near.min(bytes.len()) };
    let width = [1, 2, 4, 8][rng.below(4)];
    let at = rng.below(most - width);
    bytes[at..at + width].copy_from_slice(&number(rng)[..width]);
}

/// A copy of the disk whose volume has other roots.
pub(crate) fn with_other_roots(of: &SimDisk, rng: &mut Rng) -> SimDisk {
    let disk = copy(of);
    let mut roots = disk.get("roots");
    let body = u64::from_le_bytes(roots[12..20].try_into().expect("8 bytes")) as usize;
    for _ in 0..1 + rng.below(3) {
        change(&mut roots[ROOTS_HEADER..ROOTS_HEADER + body], 60, rng);
    }
    let crc = crc32c::crc32c(&roots[12..ROOTS_HEADER + body]);
    roots[8..12].copy_from_slice(&crc.to_le_bytes());
    disk.put("roots", &roots);
    disk
}

/// A copy of the disk whose volume has other index pages.
pub(crate) fn with_other_pages(of: &SimDisk, rng: &mut Rng) -> SimDisk {
    let disk = copy(of);
    let mut index = disk.get("index");
    let pages = (index.len() / PAGE_BYTES).min(PAGES_MAX);
    for _ in 0..1 + rng.below(80) {
        let no = rng.below(pages);
        let page = &mut index[no * PAGE_BYTES..][..PAGE_BYTES];
        for _ in 0..1 + rng.below(4) {
            change(&mut page[4..], 28, rng);
        }
        let checksum = crc32c::crc32c_append(no as u32, &page[4..]);
        page[..4].copy_from_slice(&checksum.to_le_bytes());
    }
    disk.put("index", &index);
    disk
}
