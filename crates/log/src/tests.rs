//! The log on real files, on files that crash, and on files full of nonsense.

use super::*;
use crate::disk::RealDisk;

mod crash;
mod damage;
mod golden;
mod nonsense;
mod room;
mod run;
mod threads;
mod view;

const OPTIONS: LogOptions =
    LogOptions { segment_bytes: 64 << 10, volume_id: 0x0123_4567_89ab_cdef };

/// Opens the log and says what it replays.
fn open(disk: Arc<dyn Disk>, from: Option<Position>) -> Result<(Log, Opened, Vec<run::Said>)> {
    let mut replayed = Vec::new();
    let (log, opened) = Log::open(disk, from, &mut |record| {
        replayed.push(run::Said::from(record));
        Ok(())
    })?;
    Ok((log, opened, replayed))
}

#[test]
fn appended_records_are_read_walked_and_replayed() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(dir.path()).expect("a disk"));
    let log = Log::create(Arc::clone(&disk), OPTIONS).expect("a log");
    let mut written = Vec::new();
    for i in 0..5000u64 {
        let value = vec![i as u8; (i % 300) as usize];
        let position = log.append(2, &i.to_le_bytes(), &value).expect("appended");
        let record = log.read(position).expect("read");
        assert_eq!((record.kind, record.key, record.value), (2, &i.to_le_bytes()[..], &value[..]));
        let peek = log.peek(position).expect("peeked");
        assert_eq!((peek.kind, peek.key, peek.bytes), (2, record.key, record.bytes));
        assert_eq!(peek.value_len as usize, value.len());
        if i % 100 == 0 {
            assert!(log.sync().expect("synced") > position);
        }
        written.push(position);
    }
    let big = vec![7; 300_000];
    let entry = Entry { kind: 3, key: b"big", value: &big };
    written.extend(log.append_batch(&[entry, entry]).expect("appended"));
    assert_eq!(log.read(written[5001]).expect("read").value, big);
    written.push(log.append(2, b"", b"").expect("appended"));
    assert!(log.append_batch(&[]).expect("nothing to do").is_empty());
    let walked: Vec<_> = log.records_from(log.tail()).collect::<Result<_>>().expect("walked");
    assert_eq!(walked.iter().map(|record| record.position).collect::<Vec<_>>(), written);
    let walked: Vec<_> = walked.iter().map(run::Said::from).collect();
    let head = log.head();
    drop(log);
    let (log, opened, replayed) = open(Arc::clone(&disk), None).expect("opened");
    assert_eq!(replayed, walked);
    assert_eq!(opened, Opened { tail: 64, head, torn_bytes: 0 });
    let middle = written[2500];
    drop(log);
    let (_, opened, replayed) = open(disk, Some(middle)).expect("opened");
    assert_eq!(replayed, walked[2500..]);
    assert_eq!(opened.tail, 64);
}

#[test]
fn what_was_discarded_is_gone_and_its_files_are_used_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(dir.path()).expect("a disk"));
    let log = Log::create(Arc::clone(&disk), OPTIONS).expect("a log");
    let fill = |log: &Log, segments: u64| {
        let until = log.head() + segments * OPTIONS.segment_bytes;
        while log.head() < until {
            log.append(2, b"key", &[7; 1000]).expect("appended");
        }
    };
    fill(&log, 10);
    let files = disk.list().expect("listed").len();
    let position = log.head() - 3 * OPTIONS.segment_bytes;
    let first = log.tail();
    log.discard_before(position).expect("discarded");
    assert!(log.tail() <= position && log.tail() + OPTIONS.segment_bytes > position);
    assert_eq!(log.read(first).err().map(|e| e.kind()), Some(ErrorKind::Corrupt));
    let spares = disk.list().expect("listed").iter().filter(|n| n.ends_with(".spare")).count();
    assert_eq!(spares, 2);
    assert!(disk.list().expect("listed").len() < files - 3);
    fill(&log, 2);
    assert!(!disk.list().expect("listed").iter().any(|n| n.ends_with(".spare")));
    let walked: Vec<_> = log.records_from(log.tail()).collect::<Result<_>>().expect("walked");
    let walked: Vec<_> = walked.iter().map(run::Said::from).collect();
    let tail = log.tail();
    log.discard_before(log.head()).expect("the last segment stays");
    log.append(2, b"key", b"value").expect("appended");
    drop(log);
    let (log, opened, replayed) = open(disk, None).expect("opened");
    assert!(opened.tail > tail && replayed.len() < walked.len());
    assert_eq!(log.tail(), opened.tail);
}

#[test]
fn segment_sizes_that_are_none_are_refused() {
    for segment_bytes in [0, 1, 4096, 100_000, 1 << 31] {
        let disk = Arc::new(crate::disk::sim::SimDisk::new());
        let error = Log::create(disk, LogOptions { segment_bytes, volume_id: 1 }).err();
        assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Invalid));
    }
}
