mod cases;
mod checkpoints;
mod double;
mod golden;
mod measure;
mod model;

use std::collections::BTreeMap;

use super::*;
use double::Pages;

type Model = BTreeMap<Vec<u8>, u64>;
type Pairs = Vec<(Vec<u8>, u64)>;

/// Everything in the tree, once from each end.
fn content(tree: &Tree, pages: &Pages) -> (Pairs, Pairs) {
    let all = |direction| {
        let mut cursor = Cursor::new(b"", None, direction);
        let mut all = Vec::new();
        while let Some((key, value)) = cursor.next(tree, pages).unwrap() {
            all.push((key.to_vec(), value));
        }
        all
    };
    (all(Direction::Up), all(Direction::Down))
}

/// The tree holds what the model does and breaks none of its rules.
fn assert_same(tree: &Tree, pages: &Pages, model: &Model) {
    let shape = tree.check(pages).unwrap();
    assert_eq!(shape.entries, model.len() as u64);
    assert_eq!(tree.entries(), model.len() as u64);
    let (up, mut down) = content(tree, pages);
    assert!(up.iter().map(|(k, v)| (k, v)).eq(model.iter()), "upwards it is something else");
    down.reverse();
    assert!(up == down, "downwards it is something else than upwards");
}

/// The pages of the tree, each once.
fn numbers(tree: &Tree, pages: &Pages) -> Vec<u32> {
    let mut numbers = Vec::new();
    tree.page_numbers(pages, &mut |no| {
        numbers.push(no);
        Ok(())
    })
    .unwrap();
    numbers.sort_unstable();
    let len = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), len, "a page is in the tree twice");
    numbers
}

/// No page of the newest tree is lost and none is in it that was given back.
fn assert_no_leak(tree: &Tree, pages: &Pages) {
    assert_eq!(numbers(tree, pages), pages.in_use());
}
