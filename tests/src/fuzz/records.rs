//! Files of records, as `hozo dbm import` takes them.

use hozo_cli::{RecordForm, count_records};

const FORMS: [RecordForm; 3] =
    [RecordForm::Flat, RecordForm::Tsv { escaped: true }, RecordForm::Tsv { escaped: false }];

/// The same bytes in each form.
pub(super) fn records(bytes: &[u8]) {
    for form in FORMS {
        match count_records(bytes, form) {
            Ok(count) => assert!(count <= bytes.len() as u64),
            Err(why) => assert!(!why.is_empty()),
        }
    }
}

pub(super) fn record_seeds() -> Vec<Vec<u8>> {
    vec![
        b"\xff\x03key\xff\x05value\xff\x00\xff\x00".to_vec(),
        [&b"\xfe\x04meta\xff\x81\x48"[..], &[7; 200], b"\xff\x01v\0\0\0"].concat(),
        b"key\tvalue\na\\tb\t\\x00\\n\n".to_vec(),
        b"one\t1\r\ntwo\n\n\t\n".to_vec(),
    ]
}
