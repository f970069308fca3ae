use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

fn page_size() -> impl Strategy<Value = PageSize> {
    (9_u32..=16).prop_map(|power| PageSize::new(1 << power).expect("a power of two in range"))
}

fn version() -> impl Strategy<Value = Version> {
    any::<[u8; 10]>().prop_map(Version::from_bytes)
}

proptest! {
    // The `rest` is what a later Hozo appended: it must survive being read and
    // written by this one.
    #[test]
    fn a_name_record_round_trips(id: u64, rest in bytes(40)) {
        let record = NameRecord { id: NamespaceId(id), rest };
        prop_assert_eq!(NameRecord::decode(&record.encode())?, record);
    }

    #[test]
    fn an_id_record_round_trips(
        created_version in version(),
        created: u64,
        page_size in page_size(),
        rest in bytes(40),
    ) {
        let created = Timestamp::from_micros(created);
        let record = IdRecord { created_version, created, page_size, rest };
        let encoded = record.encode();
        prop_assert_eq!(&encoded[IdRecord::VERSION_AT..][..10], created_version.as_bytes());
        prop_assert_eq!(IdRecord::decode(&encoded)?, record);
    }

    #[test]
    fn settings_round_trip(optimistic: bool, rest in bytes(40)) {
        let concurrency = if optimistic { Concurrency::Optimistic } else { Concurrency::Serial };
        let record = Settings { concurrency, rest };
        prop_assert_eq!(Settings::decode(&record.encode())?, record);
    }

    #[test]
    fn a_tombstone_round_trips(
        deleted_version in version(),
        deleted: u64,
        name in bytes(300),
        id_record in bytes(100),
        settings in bytes(100),
        rest in bytes(40),
    ) {
        let deleted = Timestamp::from_micros(deleted);
        let record = Tombstone { deleted_version, deleted, name, id_record, settings, rest };
        let encoded = record.encode();
        prop_assert_eq!(&encoded[Tombstone::VERSION_AT..][..10], deleted_version.as_bytes());
        prop_assert_eq!(Tombstone::decode(&encoded)?, record);
    }

    // The first byte is mostly the known format, so that the fields are reached.
    #[test]
    fn arbitrary_bytes_never_panic(format in prop_oneof![Just(FORMAT), any::<u8>()], rest in bytes(80)) {
        let record = [&[format], &rest[..]].concat();
        let _ = NameRecord::decode(&record);
        let _ = IdRecord::decode(&record);
        let _ = Settings::decode(&record);
        let _ = Tombstone::decode(&record);
        let _ = decode_next_id(Some(&record));
    }
}

#[test]
fn a_truncated_record_is_corrupt() {
    let record = IdRecord {
        created_version: Version::from_seq(7),
        created: Timestamp::from_micros(8),
        page_size: PageSize::DEFAULT,
        rest: Bytes::new(),
    };
    let encoded = record.encode();
    for len in 0..encoded.len() {
        let error = IdRecord::decode(&encoded[..len]).expect_err("it is cut off");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[test]
fn a_newer_format_is_refused_as_such() {
    let error = NameRecord::decode(&[FORMAT + 1, 0, 0]).expect_err("it is newer");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("newer Hozo"), "{error}");
}

#[test]
fn a_length_beyond_the_record_is_corrupt() {
    let mut tombstone = vec![FORMAT];
    tombstone.extend_from_slice(&[0; 18]);
    tombstone.extend_from_slice(&u32::MAX.to_be_bytes());
    let error = Tombstone::decode(&tombstone).expect_err("the name is not that long");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
