use std::sync::Arc;

use hozo_log::disk::sim::SimDisk;
use hozo_log::disk::{Disk, RealDisk};
use hozo_traits::ErrorKind;

use super::*;

fn disk() -> (tempfile::TempDir, Arc<dyn Disk>) {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(dir.path()).unwrap());
    (dir, disk)
}

fn checkpoint(pager: &Pager) -> u32 {
    let frozen = pager.freeze();
    pager.flush(&frozen).unwrap();
    let epoch = frozen.epoch();
    pager.release(frozen);
    epoch
}

fn set(pager: &Pager, no: u32, value: u64) {
    pager.page_mut(no).words_mut()[7] = value;
}

fn get(pager: &Pager, no: u32) -> u64 {
    pager.page(no).unwrap().words()[7]
}

#[test]
fn a_frozen_page_is_copied_and_comes_back_after_two_checkpoints() {
    let (_dir, disk) = disk();
    let pager = Pager::create(disk.create("index").unwrap()).unwrap();
    let first = pager.allocate(Kind::Leaf).unwrap();
    set(&pager, first, 1);
    assert_eq!(pager.writable(first).unwrap(), first, "it is of this epoch");
    checkpoint(&pager);

    let second = pager.writable(first).unwrap();
    assert_ne!(second, first);
    set(&pager, second, 2);
    assert_eq!((get(&pager, first), get(&pager, second)), (1, 2));
    let third = pager.allocate(Kind::Leaf).unwrap();
    assert_ne!(third, first, "the checkpoint still needs it");
    pager.free(third);
    assert_eq!(pager.allocate(Kind::Leaf).unwrap(), third, "no checkpoint knows it");

    checkpoint(&pager);
    assert_eq!(pager.allocate(Kind::Leaf).unwrap(), first);
}

#[test]
fn opened_again_it_is_as_at_the_checkpoint() {
    let (_dir, disk) = disk();
    let file = disk.create("index").unwrap();
    let pager = Pager::create(file.clone()).unwrap();
    let mut pages: Vec<u32> = (0..3000).map(|_| pager.allocate(Kind::Branch).unwrap()).collect();
    for &no in &pages {
        set(&pager, no, u64::from(no) * 3);
    }
    for no in pages.split_off(1000) {
        pager.free(no);
    }
    let epoch = checkpoint(&pager);
    let copy = pager.writable(pages[5]).unwrap();
    set(&pager, copy, 99);
    drop(pager);

    let pager = Pager::open(file.clone(), epoch).unwrap();
    let mut used = PageSet::default();
    for &no in &pages {
        assert!(used.insert(no));
    }
    pager.reclaim(&used).unwrap();
    assert_eq!(file.len().unwrap(), CHUNK_BYTES, "the empty end is given back");
    assert_eq!(pager.pages_used(), 1001);
    for &no in &pages {
        assert_eq!(get(&pager, no), u64::from(no) * 3);
    }
    let new = pager.allocate(Kind::Leaf).unwrap();
    assert!(!pages.contains(&new));
}

#[test]
fn a_file_grows_little_while_it_is_small_and_on_a_full_disk() {
    let disk = SimDisk::new();
    let file = disk.create("index").unwrap();
    let pager = Pager::create(file.clone()).unwrap();
    let step = u64::from(STEP_PAGES) * PAGE_BYTES as u64;
    assert_eq!(file.len().unwrap(), step);
    while file.len().unwrap() <= 2 * CHUNK_BYTES {
        pager.allocate(Kind::Leaf).unwrap();
    }
    assert_eq!(file.len().unwrap(), 3 * CHUNK_BYTES, "by chunks when it is larger");
    disk.set_budget(Some(disk.used() + step + step / 2));
    let before = pager.pages_used();
    let full = loop {
        if let Err(full) = pager.allocate(Kind::Leaf) {
            break full;
        }
    };
    assert_eq!(full.kind(), ErrorKind::Unavailable);
    assert_eq!(pager.pages_used() - before, u64::from(CHUNK_PAGES - 1 + STEP_PAGES));
    assert_eq!(file.len().unwrap(), 3 * CHUNK_BYTES + step, "what was too much is given back");
    pager.reserve(1).expect_err("still full");
    disk.set_budget(None);
    let pages: Vec<u32> =
        (0..2 * CHUNK_PAGES).map(|_| pager.allocate(Kind::Leaf).unwrap()).collect();
    pages.iter().for_each(|&no| set(&pager, no, u64::from(no)));
    pages.iter().for_each(|&no| assert_eq!(get(&pager, no), u64::from(no)));
}

#[test]
fn damage_is_found_once_and_named() {
    let (_dir, disk) = disk();
    let file = disk.create("index").unwrap();
    let pager = Pager::create(file.clone()).unwrap();
    let pages: Vec<u32> = (0..4).map(|_| pager.allocate(Kind::Leaf).unwrap()).collect();
    for &no in &pages {
        pager.page_mut(no).body_mut().fill(no as u8);
    }
    let epoch = checkpoint(&pager);
    drop(pager);

    // A flipped bit, a page in another's place, an older page.
    let mut page = vec![0; PAGE_BYTES];
    file.read_at(u64::from(pages[0]) * PAGE_BYTES as u64, &mut page).unwrap();
    file.write_at(u64::from(pages[1]) * PAGE_BYTES as u64, &page).unwrap();
    file.write_at(u64::from(pages[2]) * PAGE_BYTES as u64 + 4095, &[0x55]).unwrap();
    let pager = Pager::open(file.clone(), epoch).unwrap();
    assert!(pager.page(pages[0]).is_ok());
    for &no in &pages[1..3] {
        let error = pager.page(no).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&format!("page {no}")), "{error}");
        assert_eq!(pager.writable(no).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    for no in [STEP_PAGES, 5000, PAGES_MAX, u32::MAX] {
        assert_eq!(pager.page(no).err().unwrap().kind(), ErrorKind::Corrupt);
    }

    // Written by somebody who went on after the epoch that are opened.
    let copy = pager.writable(pages[3]).unwrap();
    let _newer = checkpoint(&pager);
    drop(pager);
    let pager = Pager::open(file.clone(), epoch).unwrap();
    assert!(pager.page(pages[3]).is_ok());
    assert_eq!(pager.page(copy).err().unwrap().kind(), ErrorKind::Corrupt);

    file.truncate(0).unwrap();
    assert_eq!(Pager::open(file, epoch).err().unwrap().kind(), ErrorKind::Corrupt);
}
