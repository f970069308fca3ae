use bytes::Bytes;
use hozo_traits::{NamespaceId, PageImage, PageNo, Version};

use super::{IMAGES_OF_A_PAGE_MAX, PageCache};
use crate::shared::{Changes, NamespaceKey};

const KEY: NamespaceKey = NamespaceKey { store: 1, namespace: NamespaceId(1) };

fn image(seq: u64) -> PageImage {
    PageImage { version: Version::from_seq(seq), bytes: Bytes::from(vec![seq as u8; 512]) }
}

fn insert(cache: &PageCache, seq: u64) {
    cache.insert(KEY, PageNo::ONE, image(seq), Version::from_seq(seq));
}

fn get(cache: &PageCache, seq: u64) -> Option<PageImage> {
    cache.get(KEY, PageNo::ONE, Version::from_seq(seq), &Changes::default())
}

#[test]
fn an_old_image_that_is_read_stays_while_the_head_moves() {
    let cache = PageCache::new(1 << 20);
    for seq in 10..20 {
        insert(&cache, seq);
    }
    insert(&cache, 1);
    for seq in 20..40 {
        assert_eq!(get(&cache, 1), Some(image(1)), "before the head is at {seq}");
        insert(&cache, seq);
        assert_eq!(get(&cache, seq), Some(image(seq)));
    }
}

#[test]
fn a_page_has_no_more_images_than_allowed() {
    let cache = PageCache::new(1 << 20);
    for seq in 1..100 {
        insert(&cache, seq);
    }
    let kept = (1..100).filter(|seq| get(&cache, *seq).is_some()).count();
    assert_eq!(kept, IMAGES_OF_A_PAGE_MAX);
}

#[test]
fn the_cache_stays_within_its_bytes() {
    let cache = PageCache::new(64 << 10);
    for page in 1..10_000 {
        let page = PageNo::new(page).unwrap();
        cache.insert(KEY, page, image(1), Version::from_seq(1));
    }
    let held: usize = cache.shards.iter().map(|shard| shard.lock().unwrap().bytes).sum();
    assert!(held <= 64 << 10, "{held} bytes");
    assert!(held > 32 << 10, "{held} bytes: it keeps what it may");
}
