use hozo_traits::ErrorKind;

use super::*;

fn numbered(n: u64) -> Vec<u8> {
    let mut key = b"a namespace's ".to_vec();
    key.extend(n.to_be_bytes());
    key
}

/// The same order every time, without order.
fn scattered(n: u64) -> u64 {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (n >> 3)
}

#[test]
fn an_empty_tree_has_nothing_and_no_page() {
    let (mut tree, pages) = (Tree::new(), Pages::new(0));
    assert_eq!(tree.get(&pages, b"a").unwrap(), None);
    assert_eq!(tree.remove(&pages, b"a").unwrap(), None);
    assert!(!tree.update(&pages, b"a", 0, 1).unwrap());
    tree.remove_range(&pages, b"", None, &mut |_, _| panic!("there was nothing")).unwrap();
    assert_eq!(tree.last_at_or_below(&pages, b"z", b"", &mut Vec::new()).unwrap(), None);
    assert_same(&tree, &pages, &Model::new());
    assert_eq!(Tree::from_bytes(&tree.to_bytes()).unwrap().entries(), 0);
}

#[test]
fn keys_of_no_byte_and_of_too_many_are_refused() {
    let (mut tree, pages) = (Tree::new(), Pages::new(4));
    for key in [&[][..], &[7; KEY_BYTES_MAX + 1]] {
        assert_eq!(tree.insert(&pages, key, 1).unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(tree.get(&pages, key).unwrap(), None);
        assert_eq!(tree.remove(&pages, key).unwrap(), None);
    }
    assert_eq!(tree.insert(&pages, &[7; KEY_BYTES_MAX], 1).unwrap(), None);
    assert_eq!(tree.entries(), 1);
}

#[test]
fn heads_that_only_padding_makes_equal_are_told_apart() {
    let (mut tree, pages) = (Tree::new(), Pages::new(64));
    let mut model = Model::new();
    for len in (1..30).rev() {
        for last in [0, 1] {
            let mut key = vec![0; len];
            key[len - 1] = last;
            assert_eq!(tree.insert(&pages, &key, len as u64).unwrap(), None);
            model.insert(key, len as u64);
        }
    }
    assert_same(&tree, &pages, &model);
    for (key, value) in &model {
        assert_eq!(tree.get(&pages, key).unwrap(), Some(*value));
    }
}

#[test]
fn keys_that_ascend_leave_full_leaves() {
    let (mut tree, pages) = (Tree::new(), Pages::new(2000));
    for n in 0..50_000 {
        tree.insert(&pages, &numbered(n), n).unwrap();
    }
    let shape = tree.check(&pages).unwrap();
    assert!(shape.fill() > 95, "{shape:?}");
    assert_no_leak(&tree, &pages);
}

#[test]
fn several_ascending_sequences_leave_full_leaves() {
    let (mut tree, pages) = (Tree::new(), Pages::new(4000));
    for n in 0..100_000u64 {
        let mut key = vec![0; 5];
        key.extend((scattered(n) % 10).to_be_bytes());
        key.extend([0, 0]);
        key.extend(n.to_be_bytes());
        tree.insert(&pages, &key, n).unwrap();
    }
    let shape = tree.check(&pages).unwrap();
    assert!(shape.fill() > 85, "{} percent of {shape:?}", shape.fill());
}

#[test]
fn scattered_keys_go_in_and_out_and_leave_no_page() {
    let (mut tree, pages) = (Tree::new(), Pages::new(2000));
    for n in 0..40_000 {
        tree.insert(&pages, &scattered(n).to_be_bytes(), n).unwrap();
    }
    let shape = tree.check(&pages).unwrap();
    assert!(shape.fill() > 60, "{} percent of {shape:?}", shape.fill());
    for n in 0..36_000 {
        assert_eq!(tree.remove(&pages, &scattered(n).to_be_bytes()).unwrap(), Some(n));
    }
    let shape = tree.check(&pages).unwrap();
    assert!(shape.fill() > 33, "what is left is merged: {} percent of {shape:?}", shape.fill());
    assert_no_leak(&tree, &pages);
    for n in 36_000..40_000 {
        assert_eq!(tree.remove(&pages, &scattered(n).to_be_bytes()).unwrap(), Some(n));
    }
    assert!(pages.in_use().is_empty());
}

#[test]
fn a_range_goes_with_its_pages() {
    let (mut tree, pages) = (Tree::new(), Pages::new(2000));
    for n in 0..50_000 {
        tree.insert(&pages, &numbered(n), n).unwrap();
    }
    let mut gone = 0;
    let mut show = |key: &[u8], value| {
        assert_eq!(key, numbered(value));
        gone += 1;
    };
    tree.remove_range(&pages, &numbered(100), Some(&numbered(49_900)), &mut show).unwrap();
    assert_eq!((gone, tree.entries()), (49_800, 200));
    let shape = tree.check(&pages).unwrap();
    assert!(shape.pages <= 4, "{shape:?}");
    assert_no_leak(&tree, &pages);
}

#[test]
fn damage_is_an_error_and_ends() {
    let pages = Pages::new(2000);
    let mut tree = Tree::new();
    for n in 0..800 {
        tree.insert(&pages, &numbered(n), n).unwrap();
    }
    let (first, last) = (numbered(0), numbered(799));
    for damaged in numbers(&tree, &pages) {
        let before = *pages.page(damaged).unwrap();
        for at in (0..20).chain(90..120).chain(4070..4080) {
            for bit in 0..8 {
                pages.page_mut(damaged)[at] ^= 1 << bit;
                // What is right elsewhere may still be answered.
                for key in [&first, &last] {
                    let _ = tree.get(&pages, key);
                    let _ = tree.last_at_or_below(&pages, key, b"", &mut Vec::new());
                }
                let _ = tree.check(&pages);
                *pages.page_mut(damaged) = before;
            }
        }
    }
    tree.check(&pages).unwrap();
    let root = numbers(&tree, &pages).len() as u32;
    let wrong = Tree { levels: tree.levels + 1, ..tree.clone() };
    assert_eq!(wrong.get(&pages, &first).unwrap_err().kind(), ErrorKind::Corrupt);
    let wrong = Tree { entries: 7, ..tree.clone() };
    let error = wrong.check(&pages).unwrap_err().to_string();
    assert!(error.contains("800") && error.contains('7'), "{error}");
    let wrong = Tree { root: root + 1000, ..tree };
    assert_eq!(wrong.check(&pages).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn an_impossible_root_is_refused() {
    let (mut tree, pages) = (Tree::new(), Pages::new(4));
    tree.insert(&pages, b"a", 1).unwrap();
    let good = tree.to_bytes();
    assert_eq!(Tree::from_bytes(&good).unwrap().get(&pages, b"a").unwrap(), Some(1));
    for (at, byte) in [(4, 0), (4, 99), (5, 1), (8, 0)] {
        let mut bytes = good;
        bytes[at] = byte;
        assert_eq!(Tree::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn changes_in_a_damaged_leaf_end() {
    let pages = Pages::new(40);
    let mut tree = Tree::new();
    for n in 0..400 {
        let mut key = numbered(n);
        // Some have more than their head.
        key.extend(vec![7; n as usize % 3 * 9]);
        tree.insert(&pages, &key, n).unwrap();
    }
    let root = tree.root;
    for damaged in numbers(&tree, &pages).into_iter().filter(|no| *no != root) {
        for at in (0..150).chain(4000..4080) {
            for bit in [0, 3, 7] {
                let (pages, mut tree) = (pages.clone(), tree.clone());
                pages.page_mut(damaged)[at] ^= 1 << bit;
                for n in (0..400).step_by(37) {
                    let _ = tree.insert(&pages, &numbered(n)[..21], n);
                    let _ = tree.insert(&pages, &[n as u8; 300], n);
                    let _ = tree.remove(&pages, &numbered(n));
                }
                let _ = tree.remove_range(&pages, b"", None, &mut |_, _| ());
            }
        }
    }
}
