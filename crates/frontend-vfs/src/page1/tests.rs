use bytes::Bytes;
use hozo_traits::PageSize;
use proptest::prelude::*;

use super::*;

#[test]
fn page_sizes_are_read_as_sqlite_writes_them() {
    for size in [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536] {
        let size = PageSize::new(size).unwrap();
        assert_eq!(page_size(&empty_header(size)), Some(size));
    }
    assert_eq!(page_size(&[0; 100]), None);
    assert_eq!(page_size(&[]), None);
}

#[test]
fn the_count_is_trusted_only_with_equal_counters() {
    let mut page = [0; 100];
    page[28..32].copy_from_slice(&7u32.to_be_bytes());
    assert_eq!(page_count(&page), Some(7));
    page[27] = 1;
    assert_eq!(page_count(&page), None);
    page[95] = 1;
    assert_eq!(page_count(&page), Some(7));
    page[28..32].fill(0);
    assert_eq!(page_count(&page), None);
}

#[test]
fn stored_pages_have_no_counter_and_no_wal() {
    let mut page = vec![0xee; 512];
    page[18..20].fill(2);
    assert!(asks_for_wal(&page));
    let stored = canonical(&Bytes::from(page.clone()));
    assert!(!asks_for_wal(&stored));
    page[18..20].fill(1);
    page[24..28].fill(0);
    page[92..96].fill(0);
    assert_eq!(stored, page);
}

proptest! {
    #[test]
    fn the_counter_is_put_where_it_is_read(offset in 0usize..120, len in 0usize..120, counter: u32) {
        let mut whole = [0x55; 240];
        whole[24..28].copy_from_slice(&counter.to_be_bytes());
        whole[92..96].copy_from_slice(&counter.to_be_bytes());
        let mut part = vec![0x55; len];
        put_counter(counter, offset as u64, &mut part);
        prop_assert_eq!(&part[..], &whole[offset..offset + len]);
    }
}
