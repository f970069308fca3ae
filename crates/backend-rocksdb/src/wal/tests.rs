use std::fs;

use tempfile::TempDir;

use super::record::masked;
use super::*;

/// Writes log files as RocksDB does.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn record(&mut self, kind: u8, payload: &[u8]) {
        let sum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload);
        self.bytes.extend(masked(sum).to_le_bytes());
        self.bytes.extend(u16::try_from(payload.len()).unwrap().to_le_bytes());
        self.bytes.push(kind);
        self.bytes.extend(payload);
    }

    fn payload(&mut self, mut payload: &[u8]) {
        let mut first = true;
        loop {
            let left = BLOCK_BYTES - self.bytes.len() % BLOCK_BYTES;
            if left < 7 {
                self.bytes.extend(vec![0; left]);
                continue;
            }
            let size = payload.len().min(left - 7);
            let last = size == payload.len();
            let kind = match (first, last) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            self.record(kind, &payload[..size]);
            payload = &payload[size..];
            first = false;
            if last {
                return;
            }
        }
    }

    /// A batch of `count` entries with `filler` bytes, written when everything
    /// up to `synced` was on stable storage. Where it begins.
    fn batch(&mut self, sequence: u64, count: u32, synced: u64, filler: usize) -> usize {
        let start = self.bytes.len();
        let mut payload = sequence.to_le_bytes().to_vec();
        payload.extend(count.to_le_bytes());
        payload.extend([3, 9]);
        payload.extend(mark(synced));
        payload.extend(vec![0x5a; filler]);
        self.payload(&payload);
        start
    }

    fn predecessor(&mut self, number: u64, bytes: u64, last: u64) {
        let fields = [number, bytes, last].map(u64::to_le_bytes).concat();
        self.record(130, &fields);
    }
}

fn directory(files: &[(u64, &[u8])]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (number, bytes) in files {
        fs::write(dir.path().join(format!("{number:06}.log")), bytes).unwrap();
    }
    dir
}

fn contents(dir: &TempDir) -> Vec<Vec<u8>> {
    log_files(dir.path()).unwrap().iter().map(|(_, path)| fs::read(path).unwrap()).collect()
}

/// `n` batches of two entries each, from sequence 1 on, each synced before the
/// next, and where they begin.
fn synced_log(n: u64, filler: usize) -> (Vec<u8>, Vec<usize>) {
    let mut log = Writer::default();
    let starts = (0..n).map(|i| log.batch(1 + 2 * i, 2, 2 * i, filler)).collect();
    (log.bytes, starts)
}

/// The same, but nothing was ever synced.
fn unsynced_log(n: u64, filler: usize) -> (Vec<u8>, Vec<usize>) {
    let mut log = Writer::default();
    let starts = (0..n).map(|i| log.batch(1 + 2 * i, 2, 0, filler)).collect();
    (log.bytes, starts)
}

#[test]
fn a_sound_log_stays_as_it_is() {
    for filler in [0, 300, 32_750, 32_761, 100_000] {
        let (bytes, _) = synced_log(9, filler);
        let dir = directory(&[(4, &bytes)]);
        let log = check(dir.path(), 0).unwrap();
        let expected = Log { files: 1, bytes: bytes.len() as u64, torn: false };
        assert_eq!(log, expected, "filler {filler}");
        assert_eq!(contents(&dir), [bytes]);
    }
}

#[test]
fn no_log_is_sound() {
    let dir = directory(&[]);
    assert_eq!(check(dir.path(), 0).unwrap(), Log::default());
    let dir = directory(&[(4, &[]), (7, &[])]);
    assert_eq!(check(dir.path(), 0).unwrap(), Log { files: 2, bytes: 0, torn: false });
}

#[test]
fn zeros_ahead_of_the_end_are_cut_off() {
    for filler in [0, 32_740, 32_741, 32_742] {
        let (bytes, _) = synced_log(3, filler);
        let mut ahead = bytes.clone();
        ahead.extend(vec![0; 200_000]);
        let dir = directory(&[(4, &ahead)]);
        let log = check(dir.path(), 0).unwrap();
        assert!(!log.torn, "zeros are no torn end");
        assert_eq!(contents(&dir), [bytes]);
    }
}

#[test]
fn a_torn_end_is_cut_at_every_byte() {
    let (bytes, starts) = synced_log(3, 40);
    for length in 0..bytes.len() {
        let dir = directory(&[(4, &bytes[..length])]);
        // The last batch's own durability is in no later mark.
        let sealed = 2 * starts.iter().filter(|s| **s < length).count().saturating_sub(1) as u64;
        check(dir.path(), sealed).unwrap();
        let whole = starts.iter().copied().filter(|s| *s <= length).max().unwrap();
        assert_eq!(contents(&dir), [bytes[..whole].to_vec()], "cut from {length}");
    }
}

#[test]
fn damage_before_a_mark_that_covers_it_is_refused_and_nothing_changes() {
    let (bytes, starts) = synced_log(6, 40);
    for damaged in 0..starts[5] {
        let mut bytes = bytes.clone();
        bytes[damaged] ^= 0x10;
        let dir = directory(&[(4, &bytes)]);
        let error = check(dir.path(), 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {damaged}");
        assert!(error.to_string().contains("000004.log"), "{error}");
        assert_eq!(contents(&dir), [bytes]);
    }
}

#[test]
fn damage_is_found_however_large_the_batches() {
    let (bytes, starts) = synced_log(4, 70_000);
    for damaged in [0, 40_000, starts[1], starts[1] + 5, starts[2] + 69_000] {
        let mut bytes = bytes.clone();
        bytes[damaged] ^= 1;
        let dir = directory(&[(4, &bytes)]);
        assert_eq!(check(dir.path(), 0).unwrap_err().kind(), ErrorKind::Corrupt, "{damaged}");
    }
}

#[test]
fn zeroed_blocks_are_damage_too() {
    // RocksDB itself skips a block that begins with zeros, and goes on behind it.
    let (bytes, _) = synced_log(400, 400);
    for block in 0..bytes.len() / 4096 - 1 {
        let mut bytes = bytes.clone();
        bytes[block * 4096..][..4096].fill(0);
        let dir = directory(&[(4, &bytes)]);
        assert_eq!(check(dir.path(), 0).unwrap_err().kind(), ErrorKind::Corrupt, "block {block}");
    }
}

#[test]
fn damage_that_no_mark_covers_is_a_torn_end() {
    let (bytes, starts) = unsynced_log(6, 40);
    for damaged in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[damaged] ^= 0x10;
        let dir = directory(&[(4, &bytes)]);
        let log = check(dir.path(), 0).unwrap();
        assert!(log.torn);
        let whole = starts.iter().copied().filter(|s| *s <= damaged).max().unwrap();
        assert_eq!(contents(&dir), [bytes[..whole].to_vec()], "byte {damaged}");
    }
}

#[test]
fn a_lost_block_takes_what_comes_after_with_it() {
    // What a power cut may leave of a log that was never synced.
    let (bytes, starts) = unsynced_log(400, 400);
    for block in 0..bytes.len() / 4096 - 1 {
        let mut left = bytes.clone();
        left[block * 4096..][..4096].fill(0);
        let dir = directory(&[(4, &left), (9, &[])]);
        check(dir.path(), 0).unwrap();
        let whole = starts.iter().copied().filter(|s| *s <= block * 4096).max().unwrap();
        assert_eq!(contents(&dir), [bytes[..whole].to_vec(), Vec::new()], "block {block}");
    }
}

#[test]
fn a_hole_in_one_file_takes_the_next_file_with_it() {
    let (mut first, starts) = unsynced_log(3, 40);
    first.truncate(starts[2] + 20);
    let mut second = Writer::default();
    second.predecessor(4, 1000, 5);
    second.batch(7, 2, 0, 40);
    let dir = directory(&[(4, &first), (9, &second.bytes)]);
    let log = check(dir.path(), 0).unwrap();
    assert!(log.torn);
    assert_eq!(contents(&dir), [first[..starts[2]].to_vec(), Vec::new()]);
}

#[test]
fn a_file_that_lost_its_end_at_a_batch_is_noticed_by_the_next() {
    let (first, starts) = unsynced_log(3, 40);
    let mut second = Writer::default();
    second.predecessor(4, first.len() as u64, 5);
    second.batch(7, 2, 0, 40);
    let whole = directory(&[(4, &first), (9, &second.bytes)]);
    assert!(!check(whole.path(), 0).unwrap().torn);
    assert_eq!(contents(&whole), [first.clone(), second.bytes.clone()]);

    let short = &first[..starts[2]];
    let dir = directory(&[(4, short), (9, &second.bytes)]);
    assert!(check(dir.path(), 0).unwrap().torn);
    assert_eq!(contents(&dir), [short.to_vec(), Vec::new()]);

    // Had it been durable, the next file would have said so.
    second.batch(9, 2, 6, 40);
    let dir = directory(&[(4, short), (9, &second.bytes)]);
    assert_eq!(check(dir.path(), 0).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn files_that_rocksdb_deleted_leave_a_gap_that_is_none() {
    let (first, _) = synced_log(3, 40);
    let mut third = Writer::default();
    third.predecessor(9, 4711, 18);
    third.batch(20, 2, 19, 40);
    third.batch(22, 2, 21, 40);
    let dir = directory(&[(4, &first), (12, &third.bytes)]);
    assert!(!check(dir.path(), 6).unwrap().torn);
    assert_eq!(contents(&dir), [first, third.bytes]);
}

#[test]
fn a_file_that_was_made_and_passed_over_goes() {
    let (first, _) = synced_log(3, 40);
    let mut unused = Writer::default();
    unused.predecessor(4, first.len() as u64, 6);
    let mut third = Writer::default();
    third.predecessor(4, first.len() as u64, 6);
    third.batch(7, 2, 6, 40);
    for between in [&[][..], &unused.bytes] {
        let dir = directory(&[(4, &first), (7, between), (9, &third.bytes)]);
        assert_eq!(check(dir.path(), 6).unwrap().files, 2);
        assert_eq!(contents(&dir), [first.clone(), third.bytes.clone()]);
    }
    // One that holds something is not ours to judge.
    let mut used = Writer::default();
    used.predecessor(4, first.len() as u64, 6);
    used.batch(7, 2, 6, 40);
    let dir = directory(&[(4, &first), (7, &used.bytes), (9, &third.bytes)]);
    assert_eq!(check(dir.path(), 6).unwrap().files, 3);
}

#[test]
fn the_seal_covers_what_no_later_mark_does() {
    let (bytes, starts) = synced_log(3, 40);
    let mut damaged = bytes.clone();
    damaged[starts[2] + 30] ^= 1;
    let dir = directory(&[(4, &damaged)]);
    assert_eq!(check(dir.path(), 6).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(check(dir.path(), 5).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(contents(&dir), [damaged]);
    assert!(check(dir.path(), 4).unwrap().torn);
    assert_eq!(contents(&dir), [bytes[..starts[2]].to_vec()]);
}

#[test]
fn an_empty_batch_at_the_beginning_says_nothing() {
    let mut log = Writer::default();
    log.batch(7, 0, 0, 0);
    log.batch(8, 1, 0, 40);
    let dir = directory(&[(4, &log.bytes)]);
    assert!(!check(dir.path(), 7).unwrap().torn);
    assert_eq!(contents(&dir), [log.bytes]);
}

#[test]
fn a_log_of_other_settings_is_refused() {
    let mut log = Writer::default();
    log.record(9, &[7, 0, 0, 0]);
    let dir = directory(&[(4, &log.bytes)]);
    assert_eq!(check(dir.path(), 0).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn any_bytes_are_judged_without_a_panic_and_twice_alike() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..300 {
        let (mut bytes, _) =
            if round % 2 == 0 { synced_log(40, 900) } else { unsynced_log(40, 900) };
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                1 => bytes.truncate(at.max(1)),
                2 => {
                    let size = random(bytes.len() - at);
                    bytes[at..at + size].fill(0);
                }
                _ => {
                    let size = random((bytes.len() - at).min(5000));
                    bytes[at..at + size]
                        .iter_mut()
                        .for_each(|b| *b = u8::try_from(random(256)).unwrap());
                }
            }
        }
        let dir = directory(&[(4, &bytes)]);
        if check(dir.path(), 0).is_ok() {
            let kept = contents(&dir);
            assert!(bytes.starts_with(&kept[0]), "round {round}: a cut keeps a beginning");
            assert!(!check(dir.path(), 0).unwrap().torn, "round {round}: cut to what is sound");
            assert_eq!(contents(&dir), kept);
        }
    }
}

#[test]
fn zeros_where_a_file_should_begin_are_damage() {
    // Batches of exactly one block, so that nothing else is out of place.
    let (first, _) = synced_log(3, 40);
    let mut log = Writer::default();
    for i in 3..9 {
        log.batch(1 + 2 * i, 2, 2 * i, BLOCK_BYTES - 7 - 12 - 11);
    }
    let dir = directory(&[(4, &first), (9, &log.bytes)]);
    assert!(!check(dir.path(), 0).unwrap().torn);
    log.bytes[..BLOCK_BYTES].fill(0);
    let dir = directory(&[(4, &first), (9, &log.bytes)]);
    assert_eq!(check(dir.path(), 0).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_batch_that_is_missing_without_a_trace_is_noticed() {
    let with_gap = |synced: u64| {
        let mut log = Writer::default();
        log.batch(1, 2, 0, 40);
        let gap = log.bytes.len();
        log.batch(5, 2, synced, 40);
        (log.bytes, gap)
    };
    let (bytes, _) = with_gap(4);
    let dir = directory(&[(4, &bytes)]);
    assert_eq!(check(dir.path(), 0).unwrap_err().kind(), ErrorKind::Corrupt);
    let (bytes, gap) = with_gap(2);
    let dir = directory(&[(4, &bytes)]);
    assert!(check(dir.path(), 0).unwrap().torn);
    assert_eq!(contents(&dir), [bytes[..gap].to_vec()]);
}
