use bytes::Bytes;
use hozo_traits::{NamespaceId, PageImage, PageNo, PageRuns, Version};

use super::{IMAGES_OF_A_PAGE_MAX, PageCache, SHARDS};
use crate::shared::{Changes, NamespaceKey};

const KEY: NamespaceKey = NamespaceKey { store: 1, namespace: NamespaceId(1) };

fn version(n: u64) -> Version {
    Version::from_seq(n)
}

fn page(n: u32) -> PageNo {
    PageNo::new(n).unwrap()
}

fn image(written: u64, byte: u8) -> PageImage {
    PageImage { version: version(written), bytes: Bytes::from(vec![byte; 512]) }
}

/// Knows versions 10 to 20; page 1 was written at 15.
fn changes() -> Changes {
    let changes = Changes::default();
    changes.add(version(10), version(10), Some(&PageRuns::default()));
    changes.add(version(10), version(15), Some(&PageRuns::of([page(1)])));
    changes.add(version(15), version(20), Some(&PageRuns::default()));
    changes
}

#[test]
fn an_image_holds_where_it_was_read_and_not_before_it_was_written() {
    let (cache, changes) = (PageCache::new(1 << 20), Changes::default());
    cache.insert(KEY, page(1), image(5, 1), version(8));
    assert_eq!(cache.get(KEY, page(1), version(8), &changes), Some(image(5, 1)));
    assert_eq!(cache.get(KEY, page(1), version(5), &changes), Some(image(5, 1)));
    assert_eq!(cache.get(KEY, page(1), version(4), &changes), None);
    assert_eq!(cache.get(KEY, page(1), version(9), &changes), None, "nobody knows");
    assert_eq!(cache.get(KEY, page(2), version(8), &changes), None);
    let other = NamespaceKey { store: 2, ..KEY };
    assert_eq!(cache.get(other, page(1), version(8), &changes), None);
}

#[test]
fn an_image_holds_on_while_its_page_is_not_written() {
    let (cache, changes) = (PageCache::new(1 << 20), changes());
    for n in [1, 2] {
        cache.insert(KEY, page(n), image(5, 1), version(12));
    }
    assert_eq!(cache.get(KEY, page(1), version(20), &changes), None, "written at 15");
    assert_eq!(cache.get(KEY, page(2), version(20), &changes), Some(image(5, 1)));
    assert_eq!(cache.get(KEY, page(2), version(21), &changes), None, "beyond what is known");
    cache.insert(KEY, page(1), image(15, 2), version(15));
    assert_eq!(cache.get(KEY, page(1), version(20), &changes), Some(image(15, 2)));
    assert_eq!(cache.get(KEY, page(1), version(12), &changes), Some(image(5, 1)));
    // Between what was read and the write nobody looked.
    assert_eq!(cache.get(KEY, page(1), version(14), &changes), None);
}

#[test]
fn an_image_from_before_what_is_known_does_not_hold_on() {
    let (cache, changes) = (PageCache::new(1 << 20), changes());
    cache.insert(KEY, page(2), image(5, 1), version(9));
    assert_eq!(cache.get(KEY, page(2), version(20), &changes), None);
}

#[test]
fn the_cache_stays_within_its_limit_and_spares_what_is_used() {
    let (cache, changes) = (PageCache::new(SHARDS * 4 * 640), Changes::default());
    for n in 1..=2000 {
        cache.insert(KEY, page(n), image(5, 1), version(5));
        assert!(cache.get(KEY, page(n), version(5), &changes).is_some(), "the newest stays");
    }
    let bytes: usize = cache.shards.iter().map(|s| s.lock().unwrap().bytes).sum();
    assert!(bytes <= SHARDS * 4 * 640, "{bytes}");
    let counted: usize = cache
        .shards
        .iter()
        .map(|s| {
            s.lock().unwrap().pages.values().flatten().map(|e| super::cost(&e.image)).sum::<usize>()
        })
        .sum();
    assert_eq!(bytes, counted);
}

#[test]
fn a_page_written_often_does_not_fill_the_queue() {
    let (cache, changes) = (PageCache::new(1 << 20), Changes::default());
    for v in 1..=20_000 {
        cache.insert(KEY, page(1), image(v, 1), version(v));
    }
    let queued: usize = cache.shards.iter().map(|s| s.lock().unwrap().queue.len()).sum();
    assert!(queued < 2000, "{queued}");
    assert!(cache.get(KEY, page(1), version(20_000), &changes).is_some());
}

#[test]
fn an_old_image_that_is_read_stays_while_the_head_moves() {
    let (cache, changes) = (PageCache::new(1 << 20), Changes::default());
    let insert = |v: u64| cache.insert(KEY, page(1), image(v, v as u8), version(v));
    let get = |v: u64| cache.get(KEY, page(1), version(v), &changes);
    for v in 10..20 {
        insert(v);
    }
    insert(1);
    for v in 20..40 {
        assert_eq!(get(1), Some(image(1, 1)), "before the head is at {v}");
        insert(v);
        assert_eq!(get(v), Some(image(v, v as u8)));
    }
}

#[test]
fn a_page_has_no_more_images_than_allowed() {
    let (cache, changes) = (PageCache::new(1 << 20), Changes::default());
    for v in 1..100 {
        cache.insert(KEY, page(1), image(v, 1), version(v));
    }
    let kept = (1..100).filter(|v| cache.get(KEY, page(1), version(*v), &changes).is_some());
    assert_eq!(kept.count(), IMAGES_OF_A_PAGE_MAX);
}
