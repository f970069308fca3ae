//! The tree in a file that is closed and opened again.

use std::sync::Arc;

use hozo_log::disk::{Disk, RealDisk};

use super::*;
use crate::index::pager::{PageSet, Pager};

fn used(tree: &Tree, pages: &Pager) -> PageSet {
    let mut used = PageSet::default();
    tree.page_numbers(pages, &mut |no| {
        assert!(used.insert(no), "page {no} is there twice");
        Ok(())
    })
    .unwrap();
    used
}

#[test]
fn opened_again_the_tree_is_as_at_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(dir.path()).unwrap());
    let file = disk.create("index").unwrap();
    let mut pages = Pager::create(file.clone()).unwrap();
    let mut tree = Tree::new();
    for round in 0..5u64 {
        for n in 0..3000u64 {
            let key = (n * 7919 % 10_007 + round).to_be_bytes();
            tree.insert(&pages, &key, round).unwrap();
        }
        tree.remove_range(&pages, &(1000 * round).to_be_bytes(), None, &mut |_, _| ()).unwrap();
        let frozen = pages.freeze();
        let root = tree.to_bytes();
        let shape = tree.check(&pages).unwrap();
        // What comes after the checkpoint is forgotten with the process.
        tree.insert(&pages, b"later", 1).unwrap();
        tree.remove_range(&pages, b"", Some(&[1]), &mut |_, _| ()).unwrap();
        pages.flush(&frozen).unwrap();
        let epoch = frozen.epoch();
        pages.release(frozen);
        drop(pages);

        pages = Pager::open(file.clone(), epoch).unwrap();
        tree = Tree::from_bytes(&root).unwrap();
        pages.reclaim(&used(&tree, &pages)).unwrap();
        assert_eq!(tree.check(&pages).unwrap(), shape);
        assert_eq!(tree.entries(), shape.entries);
        assert_eq!(pages.pages_used(), shape.pages + 1, "and the file's first page");
    }
    tree.remove_range(&pages, b"", None, &mut |_, _| ()).unwrap();
    let frozen = pages.freeze();
    pages.release(frozen);
    assert_eq!(pages.pages_used(), 1);
}

#[test]
fn a_page_of_another_kind_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let disk = RealDisk::open(dir.path()).unwrap();
    let pages = Pager::create(disk.create("index").unwrap()).unwrap();
    let tree = Tree { root: 0, levels: 1, entries: 1, changes: 0 };
    let error = tree.get(&pages, b"a").unwrap_err();
    assert_eq!(error.kind(), hozo_traits::ErrorKind::Corrupt);
    assert!(error.to_string().contains("page 0"), "{error}");
}
