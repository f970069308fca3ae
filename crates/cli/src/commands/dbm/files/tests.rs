use std::io::{BufReader, Cursor, Read};

use proptest::collection::vec;
use proptest::prelude::*;

use super::text::{escape, hex, plain, unescape, unhex};
use super::*;

const FORMS: [Form; 3] = [Form::Flat, Form::Tsv { escaped: true }, Form::Tsv { escaped: false }];

fn record(key: &[u8], value: &[u8]) -> Record {
    Record { key: key.to_vec(), value: value.to_vec() }
}

fn written(form: Form, records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        write(form, record, &mut bytes).unwrap_or_else(|e| panic!("{e:?}"));
    }
    bytes
}

/// A whole file.
fn file(form: Form, records: &[Record]) -> Vec<u8> {
    let mut bytes = written(form, records);
    if let Some(last) = records.last() {
        end(form, last, &mut bytes).unwrap();
    }
    bytes
}

/// The records up to the end or to what is wrong.
fn read(form: Form, bytes: &[u8]) -> (Vec<Record>, Option<Damage>) {
    let mut reader = Reader::new(bytes, form);
    let mut records = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => {
                assert_eq!(reader.offset(), bytes.len() as u64);
                return (records, None);
            }
            Err(Stopped::Damaged(damage)) => return (records, Some(damage)),
            Err(Stopped::Io(e)) => panic!("{e}"),
        }
    }
}

fn damage(form: Form, bytes: &[u8]) -> Damage {
    read(form, bytes).1.unwrap_or_else(|| panic!("nothing wrong with {bytes:?}"))
}

#[test]
fn a_flat_file_is_byte_for_byte_what_tkrzw_writes() {
    // As tkrzw_dbm_util exports it.
    let theirs = b"\xff\x0aSouthKorea\xff\x05Seoul\xff\x05China\xff\x07Beijing\
        \xff\x03num\xff\x08\0\0\0\0\0\0\0n\xff\x01b\xff\x012\xff\x01c\xff\x013";
    let records = [
        record(b"SouthKorea", b"Seoul"),
        record(b"China", b"Beijing"),
        record(b"num", b"\0\0\0\0\0\0\0n"),
        record(b"b", b"2"),
        record(b"c", b"3"),
    ];
    assert_eq!(file(Form::Flat, &records), theirs);
    assert_eq!(read(Form::Flat, theirs), (records.to_vec(), None));
}

#[test]
fn lengths_have_seven_bits_in_a_byte_the_highest_first() {
    for (length, head) in [
        (0, &b"\xff\x00"[..]),
        (127, b"\xff\x7f"),
        (128, b"\xff\x81\x00"),
        (300, b"\xff\x82\x2c"),
        (16_384, b"\xff\x81\x80\x00"),
    ] {
        let bytes = written(Form::Flat, &[record(&vec![b'k'; length], b"")]);
        assert_eq!(&bytes[..head.len()], head);
        assert_eq!(bytes.len(), head.len() + length + 2);
    }
}

#[test]
fn metadata_and_padding_of_flat_files_are_passed_over() {
    let bytes = b"\xfe\x04meta\xff\x01a\xff\x01b\xfe\x00\xff\x81\x00";
    let mut bytes = bytes.to_vec();
    bytes.extend([b'k'; 128]);
    bytes.extend(b"\xff\x00\0\0\0\0");
    let records = vec![record(b"a", b"b"), record(&[b'k'; 128], b"")];
    assert_eq!(read(Form::Flat, &bytes), (records, None));
}

#[test]
fn a_file_does_not_end_in_an_empty_value() {
    // Tkrzw answers "odd number of records" to one that does.
    let records = [record(b"a", b""), record(b"b", b"")];
    assert_eq!(file(Form::Flat, &records), b"\xff\x01a\xff\x00\xff\x01b\xff\x00\0");
    assert_eq!(read(Form::Flat, &file(Form::Flat, &records)), (records.to_vec(), None));
}

#[test]
fn damage_says_which_record_and_where() {
    let whole = b"\xff\x01a\xff\x01b";
    for (tail, word) in [
        (&b"\xff"[..], "ends in the length of its key"),
        (b"\xff\x01", "ends after 0 of the 1 bytes of its key"),
        (b"\xff\x01k", "ends after its key"),
        (b"\xff\x01kv", "its value begins with the byte 0x76"),
        (b"\xff\x01k\xff", "ends in the length of its value"),
        (b"\xff\x01k\xff\x05val", "ends after 3 of the 5 bytes of its value"),
        (b"\xff\xff\xff\xff\xff\x7fab", "claims to have 34359738367 bytes"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "too many digits"),
        (b"\xff\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "too many digits"),
        (b"x", "the byte 0x78 instead of 0xff"),
        (b"\0\0\xff\x01a", "the byte 0x00 instead of 0xff"),
        (b"\xfe\x05meta", "ends after 4 of the 5 bytes of its metadata"),
    ] {
        let bytes = [&whole[..], tail].concat();
        let (records, found) = read(Form::Flat, &bytes);
        assert_eq!(records, [record(b"a", b"b")], "what came before is whole");
        let found = found.unwrap_or_else(|| panic!("nothing wrong with {tail:?}"));
        assert_eq!((found.record, found.offset), (2, 6), "{found}");
        assert!(found.what.contains(word), "{found}");
    }
    assert!(damage(Form::Flat, b"one\thop\n").what.contains("--tsv"));
}

#[test]
fn damage_in_lines_says_which_record_and_where() {
    let form = Form::Tsv { escaped: true };
    for (line, word) in [
        ("no tab here\n", "no tab"),
        ("k\tv\\", "single backslash"),
        ("k\\x\tv", "its key: \\x has no hex digit"),
        ("k\tv\\400\n", "more than a byte"),
        ("k\tv\\8\n", "\\8 is no escape"),
        ("k\tv\\z", "\\z is no escape"),
    ] {
        let found = damage(form, format!("a\tb\n\n{line}").as_bytes());
        assert_eq!((found.record, found.offset), (2, 5), "{found}");
        assert!(found.what.contains(word), "{found}");
    }
}

#[test]
fn lines_are_what_tkrzw_takes_them_for() {
    let plain = Form::Tsv { escaped: false };
    let bytes = b"k2\ta\tb\n\tempty\nx\ty\r\n\nb\\t\t\\n\nlast\tno end";
    let records = vec![
        record(b"k2", b"a\tb"),
        record(b"", b"empty"),
        record(b"x", b"y\r"),
        record(b"b\\t", b"\\n"),
        record(b"last", b"no end"),
    ];
    assert_eq!(read(plain, bytes), (records, None));
    let escaped = Form::Tsv { escaped: true };
    let bytes = b"k\\x01y\\0z\\09\\x7f\\a\\b\\v\\f\\r\\n\\tq\\\\\tval\tx\\x4\\xFFe\\101\\?\n";
    let key = b"k\x01y\0z\x009\x7f\x07\x08\x0b\x0c\r\n\tq\\";
    assert_eq!(read(escaped, bytes), (vec![record(key, b"val\tx\x04\xffeA?")], None));
}

#[test]
fn what_lines_cannot_say_is_not_written() {
    let form = Form::Tsv { escaped: false };
    for (record, word) in [
        (record(b"a\tb", b""), "key"),
        (record(b"a\nb", b""), "key"),
        (record(b"a", b"b\nc"), "value"),
    ] {
        let mut bytes = Vec::new();
        match write(form, &record, &mut bytes) {
            Err(Unfit::Form(why)) => assert!(why.contains(word), "{why}"),
            other => panic!("{other:?}"),
        }
        assert!(bytes.is_empty());
    }
}

#[test]
fn control_characters_are_escaped_as_tkrzw_does() {
    let all: Vec<u8> = (0..=255).chain(*b"\x000\x008\0").collect();
    let mut theirs = b"\\0\\x01\\x02\\x03\\x04\\x05\\x06\\a\\b\\t\\n\\v\\f\\r\\x0e\\x0f\\x10\\x11\
        \\x12\\x13\\x14\\x15\\x16\\x17\\x18\\x19\\x1a\\x1b\\x1c\\x1d\\x1e\\x1f"
        .to_vec();
    theirs.extend((0x20..=0x5b).chain(*b"\\\\").chain(0x5d..=0x7e).chain(*b"\\x7f"));
    theirs.extend((0x80..=0xff).chain(*b"\\x000\\08\\0"));
    assert_eq!(escape(&all).escape_ascii().to_string(), theirs.escape_ascii().to_string());
    assert_eq!(plain(b"a\tb\n\x7f\x1f\xe3", true), b"a\tb   \xe3");
    assert_eq!(plain(b"a\tb", false), b"a b");
}

#[test]
fn hex_digits_are_bytes() {
    assert_eq!(hex(b"\0\x7fA\xff"), "007f41ff");
    assert_eq!(unhex(b"007f 41FF"), Some(b"\0\x7fA\xff".to_vec()));
    assert_eq!(unhex(b""), Some(Vec::new()));
    assert_eq!(unhex(b"abc"), None);
    assert_eq!(unhex(b"0g"), None);
}

#[test]
fn a_claimed_length_costs_no_memory() {
    // The longest length that is believed, with nothing behind it: what is read
    // grows with what is there, or this test would need a gigabyte.
    let head = b"\xff\x84\x80\x80\x80\x00";
    let found = damage(Form::Flat, head);
    assert!(found.what.contains("after 0 of the 1073741824 bytes"), "{found}");
    let mut reader = Reader::new(&head[..], Form::Flat);
    assert!(matches!(reader.next(), Err(Stopped::Damaged(_))));
}

#[test]
fn an_error_of_the_disk_is_not_the_end_of_the_file() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    for form in FORMS {
        let whole = written(form, &[record(b"a", b"b")]);
        let mut reader = Reader::new(BufReader::new(Cursor::new(whole).chain(Broken)), form);
        assert_eq!(reader.next().unwrap(), Some(record(b"a", b"b")));
        assert!(matches!(reader.next(), Err(Stopped::Io(_))), "{form:?}");
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // Small alphabets make what matters frequent.
    prop_oneof![
        vec(any::<u8>(), 0..40),
        vec(prop::sample::select(&b"\\x0179an\t\n\0\xff\xfe"[..]), 0..40),
        vec(any::<u8>(), 120..400),
    ]
}

proptest! {
    #[test]
    fn records_come_back(records in vec((bytes(), bytes()), 0..12)) {
        let records: Vec<Record> =
            records.into_iter().map(|(key, value)| Record { key, value }).collect();
        for form in [Form::Flat, Form::Tsv { escaped: true }] {
            prop_assert_eq!(read(form, &file(form, &records)), (records.clone(), None));
        }
        let fit = |record: &Record| {
            write(Form::Tsv { escaped: false }, record, &mut Vec::new()).is_ok()
        };
        let fitting: Vec<Record> = records.into_iter().filter(fit).collect();
        let form = Form::Tsv { escaped: false };
        prop_assert_eq!(read(form, &file(form, &fitting)), (fitting, None));
    }

    #[test]
    fn any_bytes_are_records_or_an_error(bytes in bytes(), cut in any::<prop::sample::Index>()) {
        for form in FORMS {
            let (records, found) = read(form, &bytes);
            if let Some(found) = &found {
                prop_assert_eq!(found.record, records.len() as u64 + 1);
                prop_assert!(found.offset <= bytes.len() as u64);
            }
            // What was read before the damage is what the bytes before it say.
            let until = found.map_or(bytes.len(), |found| found.offset as usize);
            prop_assert_eq!(read(form, &bytes[..until]).0, records);
        }
        // A file that was cut off gives the same records as far as it goes.
        let whole = written(Form::Flat, &[record(b"k", &bytes), record(&bytes, b"v")]);
        let cut = cut.index(whole.len() + 1);
        let (records, _) = read(Form::Flat, &whole[..cut]);
        let all = [record(b"k", &bytes), record(&bytes, b"v")];
        prop_assert_eq!(&records[..], &all[..records.len()]);
        let ends = [0, whole.len() - written(Form::Flat, &all[1..]).len(), whole.len()];
        prop_assert_eq!(read(Form::Flat, &whole[..cut]).1.is_none(), ends.contains(&cut));
    }

    #[test]
    fn escapes_come_back(bytes in bytes()) {
        let text = escape(&bytes);
        prop_assert!(!text.iter().any(|byte| *byte < 0x20 || *byte == 0x7f));
        prop_assert_eq!(unescape(&text), Ok(bytes.clone()));
        prop_assert_eq!(unhex(hex(&bytes).as_bytes()), Some(bytes.clone()));
        // Any text is bytes or an error.
        let _ = (unescape(&bytes), unhex(&bytes));
    }
}
