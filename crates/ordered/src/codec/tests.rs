use bytes::Bytes;
use hozo_traits::{
    CommitId, CommitOutcome, Conflict, ErrorKind, NamespaceChange, NamespaceId, PageNo, PageRuns,
    PageSize, Version,
};
use proptest::prelude::*;

use super::record::{Delta, Record};
use super::{Reader, log, outcome, put_varint};
use crate::keys;

fn pages() -> impl Strategy<Value = PageNo> {
    prop_oneof![1u32..200, u32::MAX - 3..=u32::MAX].prop_filter_map("not 0", PageNo::new)
}

fn versions() -> impl Strategy<Value = Version> {
    any::<[u8; 10]>().prop_map(Version::from_bytes)
}

fn conflicts() -> impl Strategy<Value = Conflict> {
    prop_oneof![
        (any::<u64>(), pages(), versions()).prop_map(|(namespace, page, version)| {
            Conflict::Page { namespace: NamespaceId(namespace), page, version }
        }),
        (any::<u64>(), versions()).prop_map(|(namespace, version)| Conflict::Namespace {
            namespace: NamespaceId(namespace),
            version
        }),
        prop::collection::vec(any::<u8>(), 1..100)
            .prop_map(|key| Conflict::Meta { key: key.into() }),
    ]
}

/// An image, and one of the same length that differs from it in a few places.
fn images() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let edits = prop::collection::vec((0..512usize, any::<u8>()), 0..40);
    (prop::collection::vec(any::<u8>(), 512), edits).prop_map(|(old, edits)| {
        let mut new = old.clone();
        edits.into_iter().for_each(|(at, byte)| new[at] = byte);
        (old, new)
    })
}

proptest! {
    #[test]
    fn varints_come_back(n: u64) {
        let mut out = Vec::new();
        put_varint(&mut out, n);
        let mut reader = Reader(&out);
        prop_assert_eq!(reader.varint().unwrap(), n);
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn records_come_back(image: Vec<u8>, id: [u8; 16]) {
        let id = CommitId::from_bytes(id);
        prop_assert_eq!(Record::decode(Record::staged(id)).unwrap(), Record::Staged(id));
        prop_assert_eq!(Record::decode(Record::gone()).unwrap(), Record::Gone);
        let full = Record::decode(Record::full(&image)).unwrap();
        prop_assert_eq!(full, Record::Full(image.into()));
    }

    #[test]
    fn deltas_make_the_new_image_of_the_old(
        (old, new) in images(), base in versions(), spent in 0usize..600,
    ) {
        let new = Bytes::from(new);
        if let Some(value) = Delta::encode(base, spent, &old, &new) {
            prop_assert!(value.len() < 512 / 4 + 20, "{} bytes", value.len());
            let Record::Delta(delta) = Record::decode(value.clone()).unwrap() else {
                panic!("a delta is a delta");
            };
            prop_assert_eq!(delta.base, base);
            prop_assert_eq!(delta.apply(&old).unwrap(), new);
            prop_assert!(delta.spent() >= spent && delta.spent() <= 512);
        } else {
            let differ = old.iter().zip(&new).filter(|(a, b)| a != b).count();
            prop_assert!(differ > 6 || spent > 400, "{differ} bytes are worth a delta");
        }
    }

    #[test]
    fn no_bytes_are_a_record_that_panics(bytes: Vec<u8>, tag in 0u8..6, image: Vec<u8>) {
        let value = [bytes, vec![tag]].concat();
        if let Ok(Record::Delta(delta)) = Record::decode(value.into()) {
            let _ = delta.apply(&image);
        }
    }

    #[test]
    fn log_entries_come_back(
        pages in prop::collection::vec(pages(), 0..50),
        id: [u8; 16], time: u64, count: u32, power in 9u32..=16, version in versions(),
    ) {
        let runs = PageRuns::of(pages);
        let pages: Vec<PageNo> = runs.pages().collect();
        let change = NamespaceChange {
            namespace: NamespaceId(1),
            writes: Vec::new(),
            page_size: PageSize::new(1 << power).unwrap(),
            page_count: count,
        };
        let template = log::encode(CommitId::from_bytes(id), &change, &pages);
        prop_assert_eq!(template.version_at, None);
        let mut value = template.bytes.to_vec();
        let at = template.time_at.unwrap();
        value[at..at + 8].copy_from_slice(&time.to_be_bytes());
        let entry = log::decode(version, &value.into()).unwrap();
        prop_assert_eq!(entry.version, version);
        prop_assert_eq!(entry.time.as_micros(), time);
        prop_assert_eq!(*entry.commit_id.as_bytes(), id);
        prop_assert_eq!(entry.pages_written as usize, pages.len());
        prop_assert_eq!(entry.pages, Some(runs));
        prop_assert_eq!((entry.page_size, entry.page_count), (change.page_size, count));
    }

    #[test]
    fn no_bytes_are_a_log_entry_that_panics(bytes: Vec<u8>, listed: bool, rest: Vec<u8>) {
        let _ = log::decode(Version::ZERO, &bytes.into());
        // As far as the page list, at least.
        let mut value = vec![0; 26];
        (value[0], value[1]) = (1, u8::from(listed));
        put_varint(&mut value, 4096);
        value.extend(rest);
        let _ = log::decode(Version::ZERO, &value.into());
    }

    #[test]
    fn outcomes_come_back(conflict in conflicts(), version in versions(), time: u64) {
        let recorded = outcome::conflict(&conflict);
        let decoded = outcome::decode(&recorded.bytes).unwrap();
        prop_assert_eq!(decoded, CommitOutcome::Conflict(conflict));

        let template = outcome::committed();
        let mut value = template.bytes.to_vec();
        let (v, t) = (template.version_at.unwrap(), template.time_at.unwrap());
        value[v..v + 10].copy_from_slice(version.as_bytes());
        value[t..t + 8].copy_from_slice(&time.to_be_bytes());
        let CommitOutcome::Committed(made) = outcome::decode(&value.into()).unwrap() else {
            panic!("what was made was made");
        };
        prop_assert_eq!((made.version, made.time.as_micros()), (version, time));
    }

    #[test]
    fn no_bytes_are_an_outcome_that_panics(kind in 0u8..6, bytes: Vec<u8>) {
        let _ = outcome::decode(&[vec![1, kind], bytes.clone()].concat().into());
        let _ = outcome::decode(&bytes.into());
    }

    #[test]
    fn keys_sort_as_what_they_name(
        a in (any::<u64>(), pages(), versions()), b in (any::<u64>(), pages(), versions()),
    ) {
        let key = |(n, page, version): (u64, PageNo, Version)| keys::page(NamespaceId(n), page, version);
        prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        prop_assert_eq!(keys::page_version(&key(a)).unwrap(), a.2);
    }

    #[test]
    fn staged_keys_say_what_they_were_made_of(id: [u8; 16], n: u64, page in pages(), count: u32) {
        let (id, n) = (CommitId::from_bytes(id), NamespaceId(n));
        let open = keys::staged::open(id);
        prop_assert_eq!(keys::staged::open_id(&open).unwrap(), id);
        let (first, end) = keys::staged::ALL_OPEN;
        prop_assert!(first < &open[..] && &open[..] < end);
        let run = keys::staged::run(id, n, page, count);
        prop_assert_eq!(keys::staged::parse_run(&run).unwrap(), (n, page, count));
        let (first, end) = keys::staged::all_runs(id);
        prop_assert!(first < run && run < end);
        let image = keys::staged::image(id, n, page);
        for (first, end) in [keys::staged::all_images(id), keys::staged::images_of(id, n)] {
            prop_assert!(first < image && image < end);
        }
    }

    #[test]
    fn no_bytes_are_a_key_that_panics(key: Vec<u8>) {
        let _ = keys::page_version(&key);
        let _ = keys::log_version(&key);
        let _ = keys::times_version(&key);
        let _ = keys::staged::open_id(&key);
        let _ = keys::staged::parse_run(&key);
    }

    #[test]
    fn after_a_prefix_is_what_follows_it(
        prefix in prop::collection::vec(prop_oneof![0u8..2, 254..=255u8], 0..5),
        rest in prop::collection::vec(prop_oneof![0u8..2, 254..=255u8], 0..5),
    ) {
        let with = [prefix.clone(), rest.clone()].concat();
        match keys::after_prefix(&prefix) {
            Some(after) => {
                prop_assert!(with < after);
                prop_assert_eq!(rest < after, rest.starts_with(&prefix) || rest < prefix);
            }
            None => prop_assert!(prefix.iter().all(|byte| *byte == 0xff)),
        }
    }
}

#[test]
fn a_varint_too_long_is_corrupt() {
    for bytes in [&[0xff; 10][..], &[0x80; 11], &[0x80], &[]] {
        assert_eq!(Reader(bytes).varint().unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_log_entry_lists_no_more_than_it_has_room_for() {
    let change = NamespaceChange {
        namespace: NamespaceId(1),
        writes: Vec::new(),
        page_size: PageSize::DEFAULT,
        page_count: 1,
    };
    let entry = |pages: &[PageNo]| {
        let template = log::encode(CommitId::from_bytes([0; 16]), &change, pages);
        log::decode(Version::ZERO, &template.bytes).unwrap()
    };
    let all: Vec<PageNo> = (1..=1 << 20).filter_map(PageNo::new).collect();
    let whole = entry(&all);
    assert_eq!(whole.pages.unwrap().runs(), [(PageNo::ONE, 1 << 20)]);
    let scattered: Vec<PageNo> = all.iter().copied().step_by(2).take(5000).collect();
    let entry = entry(&scattered);
    assert_eq!((entry.pages_written, entry.pages), (5000, None));
}
