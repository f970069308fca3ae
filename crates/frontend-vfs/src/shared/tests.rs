use hozo_traits::{PageNo, PageRuns, Version};

use super::{CHANGED_PAGES_MAX, Changes};

fn version(n: u64) -> Version {
    Version::from_seq(n)
}

fn page(n: u32) -> PageNo {
    PageNo::new(n).unwrap()
}

#[test]
fn a_gap_is_not_bridged() {
    let changes = Changes::default();
    changes.add(version(1), version(1), Some(&PageRuns::default()));
    // Somebody's own commit, with others in between that nobody looked at.
    changes.add(version(5), version(6), Some(&PageRuns::of([page(9)])));
    assert!(!changes.unchanged(page(1), version(1), version(6)));
    changes.add(version(1), version(6), Some(&PageRuns::of([page(1)])));
    assert!(!changes.unchanged(page(1), version(1), version(6)));
    assert!(changes.unchanged(page(2), version(1), version(6)));
    // What is known already does not go back.
    changes.add(version(1), version(3), None);
    assert!(changes.unchanged(page(2), version(1), version(6)));
}

#[test]
fn an_unknown_stretch_forgets_all_before_it() {
    let changes = Changes::default();
    changes.add(version(1), version(1), Some(&PageRuns::default()));
    changes.add(version(1), version(2), Some(&PageRuns::default()));
    changes.add(version(2), version(3), None);
    assert!(!changes.unchanged(page(1), version(2), version(3)));
    assert!(!changes.unchanged(page(1), version(1), version(2)));
    changes.add(version(3), version(4), Some(&PageRuns::default()));
    assert!(changes.unchanged(page(1), version(3), version(4)));
}

#[test]
fn what_is_remembered_is_bounded() {
    let changes = Changes::default();
    changes.add(version(1), version(1), Some(&PageRuns::default()));
    let many = PageRuns::of((1..=CHANGED_PAGES_MAX as u32 + 1).filter_map(PageNo::new));
    changes.add(version(1), version(2), Some(&many));
    assert!(changes.lock().last.is_empty());
    assert!(!changes.unchanged(page(1), version(1), version(2)));
    assert!(changes.unchanged(page(1), version(2), version(2)));
}
