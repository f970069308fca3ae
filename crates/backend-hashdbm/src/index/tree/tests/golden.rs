//! The bytes that docs/formats/hashdbm.md describes. The golden file, which is
//! never written again for the same version of the format, is a root and then
//! the bodies of all pages from number 0 on.

use std::path::PathBuf;

use super::*;
use crate::index::page::BODY_BYTES;

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tree")
}

/// What is in the golden file.
fn model() -> Model {
    let mut model = Model::new();
    for n in 0..400u64 {
        let mut key = b"\x02versions".to_vec();
        key.extend(n.to_be_bytes());
        key.extend(vec![b'x'; n as usize % 5 * 3]);
        model.insert(key, n << 39 | (n * 8 + 1));
    }
    for len in [1, 8, 9, 300, KEY_BYTES_MAX] {
        model.insert(vec![b'L'; len], len as u64);
    }
    model
}

#[test]
fn the_golden_tree_is_read() {
    let bytes = std::fs::read(golden()).expect("the golden file");
    let (root, bodies) = bytes.split_first_chunk().expect("a root");
    let tree = Tree::from_bytes(root).unwrap();
    let (bodies, rest) = bodies.as_chunks::<BODY_BYTES>();
    assert!(rest.is_empty() && bodies.len() > 2);
    let pages = Pages::new(bodies.len());
    for (no, body) in bodies.iter().enumerate() {
        assert_eq!(pages.allocate(0).unwrap(), no as u32);
        *pages.page_mut(no as u32) = *body;
    }
    assert_same(&tree, &pages, &model());
    assert_no_leak(&tree, &pages);
    for (key, value) in model() {
        assert_eq!(tree.get(&pages, &key).unwrap(), Some(value));
    }
}

#[test]
fn a_leaf_is_written_as_documented() {
    let (mut tree, pages) = (Tree::new(), Pages::new(1));
    for (key, value) in [(&b"prefix and then"[..], 0x0102), (b"prefix and then some", 0x0304)] {
        tree.insert(&pages, key, value).unwrap();
    }
    assert_eq!(tree.to_bytes(), [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    let mut leaf = vec![0, 1, 2, 0, 7, 0, 0xEB, 0x0F, 0, 0, 1, 0, 0, 0, 0, 0];
    leaf.extend(b"and then".repeat(7));
    leaf.extend(b"prefix ");
    leaf.extend(b"and then\x02\x01\0\0\0\0\0\0\xF0\x0F\x08\0");
    leaf.extend(b"and then\x04\x03\0\0\0\0\0\0\xEB\x0F\x0D\0");
    assert_eq!(&pages.page(0).unwrap()[4075..], b" some");
    assert_eq!(pages.page(0).unwrap()[..leaf.len()], leaf);
}

#[test]
#[ignore = "writes the golden file, once for a version of the format"]
fn write_the_golden_tree() {
    let (mut tree, pages) = (Tree::new(), Pages::new(100));
    for (key, value) in model() {
        tree.insert(&pages, &key, value).unwrap();
    }
    let mut bytes = tree.to_bytes().to_vec();
    let in_use = pages.in_use();
    assert!(in_use.iter().enumerate().all(|(i, no)| i == *no as usize), "no page in between");
    for no in in_use {
        bytes.extend(*pages.page(no).unwrap());
    }
    std::fs::write(golden(), bytes).unwrap();
}
