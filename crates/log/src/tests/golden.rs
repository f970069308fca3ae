//! The files that docs/formats/log.md describes, byte for byte. They are
//! never written again for the same version of the format.

use std::path::PathBuf;

use super::run::Said;
use super::*;
use crate::disk::sim::{SimDisk, golden};

const OPTIONS: LogOptions =
    LogOptions { segment_bytes: 64 << 10, volume_id: 0x1122_3344_5566_7788 };

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/log")
}

/// What is appended, in this order; the segments are 64 KiB.
fn write(disk: SimDisk) -> Vec<Said> {
    let log = Log::create(Arc::new(disk), OPTIONS).expect("created");
    let mut said = Vec::new();
    let mut append = |entries: &[Entry<'_>]| {
        let positions = match entries {
            [one] => vec![log.append(one.kind, one.key, one.value).expect("appended")],
            many => log.append_batch(many).expect("appended"),
        };
        said.extend(positions.iter().zip(entries).map(|(position, entry)| Said {
            position: *position,
            kind: entry.kind,
            key: entry.key.to_vec(),
            value: entry.value.to_vec(),
        }));
    };
    let entry = |kind, key, value| Entry { kind, key, value };
    append(&[entry(2, b"key-0001", b"value-01")]);
    append(&[entry(3, b"key-0001", b"")]);
    append(&[entry(2, b"", b"")]);
    log.sync().expect("synced");
    append(&[
        entry(16, b"first of three", &[0xa5; 127]),
        entry(33, b"second", b""),
        entry(48, b"from", b"to"),
    ]);
    append(&[entry(4, b"", b"")]);
    append(&[entry(2, &[0x6b; 200], &[0x76; 300])]);
    log.sync().expect("synced");
    // Does not fit any more: the next segment.
    append(&[entry(2, b"long", &[0x4c; 65_000])]);
    // Fits into none: one of two spans.
    append(&[entry(2, b"a", &[0x41; 40_000]), entry(2, b"b", &[0x42; 40_000])]);
    append(&[entry(2, b"last", b"")]);
    said
}

#[test]
fn what_is_written_is_what_the_golden_files_say() {
    let disk = SimDisk::new();
    write(disk.again());
    let written: Vec<_> = disk.list().expect("listed");
    let golden = golden::files(&directory());
    assert_eq!(golden.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), written);
    for (name, content) in golden {
        let written = golden::trimmed(disk.get(&name));
        let differs = written.iter().zip(&content).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{name} differs there");
        assert_eq!(written.len(), content.len(), "{name}");
    }
}

#[test]
fn the_golden_files_are_read() {
    let disk = golden::disk(&directory(), |_| 4096);
    let (log, opened, replayed) = open(Arc::new(disk), None).expect("opened");
    let said = write(SimDisk::new());
    assert_eq!(replayed, said);
    assert_eq!((opened.tail, opened.torn_bytes), (64, 0));
    assert_eq!(log.volume_id(), OPTIONS.volume_id);
    assert_eq!(log.segment_bytes(), OPTIONS.segment_bytes);
}

#[test]
#[ignore = "writes the golden files, once for a version of the format"]
fn write_the_golden_files() {
    let disk = SimDisk::new();
    write(disk.again());
    golden::save(&directory(), &disk, |name| !name.ends_with(".spare"));
}
