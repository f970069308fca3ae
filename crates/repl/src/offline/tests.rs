use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hozo_log::disk::sim::SimDisk;
use hozo_log::{Log, LogOptions};
use hozo_traits::{
    Durability, Effect, KvStoreExt, Reach, Replicator, SystemAmbient, exec::block_on,
};
use tempfile::TempDir;

use super::*;
use crate::repl::LOCK_FILE;
use crate::ulog::tests::golden::golden_disk;
use crate::ulog::tests::{at, checkpointed, fill, kind, open, own, server, set, synced};
use crate::{Config, Open, Repl};

fn of(disk: &SimDisk) -> UlogDir {
    UlogDir { dir: PathBuf::from("ulog"), disk: Arc::new(disk.again()) }
}

fn all(log: &UlogDir, filter: Filter) -> Vec<Update> {
    let mut updates = Vec::new();
    log.updates(&filter, &mut |update| {
        updates.push(update);
        Ok(true)
    })
    .expect("it can be read");
    updates
}

fn said(log: &UlogDir) -> Vec<String> {
    let verified = log.verify().expect("it can be read");
    assert_eq!(verified.problem_count, verified.problems.len() as u64);
    verified.problems.into_iter().map(|problem| problem.what).collect()
}

#[test]
fn segments_say_what_is_in_them() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 29);
    // It comes with a mark: all before it is durable.
    fill(&ulog, 1);
    let files = disk.list().unwrap();
    let segments = of(&disk).segments().unwrap();
    assert!(segments.len() > 5, "{segments:?}");
    let mut seq = 0;
    for (i, segment) in segments.iter().enumerate() {
        assert_eq!(segment.path, Path::new("ulog").join(format!("{i:016x}.seg")));
        assert_eq!(segment.first, i as u64 * 65536 + 64);
        assert_eq!(segment.bytes, 65536);
        assert!(segment.end <= segment.first + 65536 && !segment.damaged);
        assert_eq!(segment.oldest, Some(at((seq + 1) * 1000)));
        seq += segment.updates;
        assert_eq!(segment.newest, Some(at(seq * 1000)));
    }
    assert_eq!(seq, 30);
    assert_eq!(disk.list().unwrap(), files);
    disk.flip("0000000000000001.seg", 1000);
    let damaged: Vec<bool> = of(&disk).segments().unwrap().iter().map(|s| s.damaged).collect();
    assert_eq!(damaged.iter().filter(|damaged| **damaged).count(), 1);
    assert!(damaged[1]);
}

#[test]
fn updates_are_those_that_are_asked_for() {
    let log = of(&golden_disk("ulog"));
    let updates = all(&log, Filter::default());
    assert_eq!(updates.len(), 11);
    let times = updates.iter().map(|update| update.time.as_micros());
    for since in times.flat_map(|time| [time, time + 1]) {
        let since = at(since);
        let later: Vec<_> = updates.iter().filter(|u| u.time >= since).cloned().collect();
        assert_eq!(all(&log, Filter { since, ..Filter::default() }), later);
    }
    let seqs = |filter| all(&log, filter).iter().map(|u| u.reach.seq).collect::<Vec<_>>();
    let of_server = |id| Filter { server: Some(server(id)), ..Filter::default() };
    assert_eq!(seqs(of_server(9)), [6]);
    assert_eq!(seqs(of_server(2)), [1, 2, 200]);
    assert_eq!(seqs(Filter { dbm: Some(1), ..Filter::default() }), [2, 6]);
    assert_eq!(seqs(Filter { dbm: Some(1), ..of_server(9) }), [6]);
    let mut given = 0;
    log.updates(&Filter::default(), &mut |_| {
        given += 1;
        Ok(given < 3)
    })
    .unwrap();
    assert_eq!(given, 3);
}

#[test]
fn times_lead_to_the_right_segments() {
    let disk = SimDisk::new();
    fill(&open(&disk), 30);
    for i in 0..32 {
        let since = at(i * 1000 + 1);
        let updates = all(&of(&disk), Filter { since, ..Filter::default() });
        assert_eq!(updates.len() as u64, 30u64.saturating_sub(i));
    }
}

#[test]
fn a_log_that_is_whole_is_said_to_be() {
    let disk = golden_disk("ulog");
    let found = of(&disk).verify().unwrap();
    assert_eq!(found.problems, []);
    assert!(found.is_whole() && !found.loading);
    assert_eq!((found.segments, found.updates, found.epoch), (2, 11, 301));
    assert_eq!(
        (found.position.to_string(), found.newest.as_micros()),
        ("1:8 2:201".into(), 1_700_000_000_000_500)
    );
    assert_eq!(
        (found.dbms, found.checkpoint),
        (vec!["casket".into(), "second".into()], Some(0x2c0))
    );
    // Opened again, with what a crash has torn behind it.
    let ulog = open(&disk);
    own(&ulog, 1_800_000_000_000_000, set("more", "x"));
    synced(&ulog);
    let before = of(&disk).verify().unwrap();
    let end = before.range.1;
    own(&ulog, 1_800_000_000_000_001, set("torn", "y"));
    let name = "0000000000000001.seg";
    disk.flip(name, end - 65536 + 20);
    let after = of(&disk).verify().unwrap();
    assert_eq!((after.problems, after.updates), (vec![], before.updates));
    let disk = SimDisk::new();
    fill(&open(&disk), 30);
    assert_eq!(said(&of(&disk)), [""; 0]);
}

#[test]
fn what_was_damaged_is_found_where_it_is() {
    for (offset, count) in [(0x250, 1), (0x98, 1), (0x11, 1)] {
        let disk = golden_disk("ulog");
        disk.flip("0000000000000000.seg", offset);
        let found = of(&disk).verify().unwrap();
        assert_eq!(found.problem_count, count, "{:?}", found.problems);
        let problem = &found.problems[0];
        assert_eq!(problem.file, "0000000000000000.seg");
        assert!(problem.offset <= offset && offset < problem.offset + 0x200, "{problem:?}");
        let updates = of(&disk).updates(&Filter::default(), &mut |_| Ok(true));
        assert_eq!(kind(updates), ErrorKind::Corrupt);
    }
    for (name, words) in [("checkpoint", "cannot be read"), ("role", "remove it")] {
        let disk = golden_disk("ulog");
        disk.flip(name, 3);
        let found = of(&disk).verify().unwrap();
        assert_eq!(found.problems.iter().filter(|p| p.file == name).count(), 1);
        assert!(found.problems[0].what.contains(words), "{:?}", found.problems);
    }
    let disk = golden_disk("ulog");
    disk.put("loading", b"whatever");
    assert!(of(&disk).verify().unwrap().loading);
}

/// A log into which these records were written.
fn forged(records: &[(u8, Vec<u8>, Vec<u8>)]) -> UlogDir {
    let disk = SimDisk::new();
    let options = LogOptions { segment_bytes: 1 << 16, volume_id: 7 };
    let log = Log::create(Arc::new(disk.again()), options).unwrap();
    for (kind, key, value) in records {
        log.append(*kind, key, value).unwrap();
    }
    log.sync().unwrap();
    log.say_durable();
    let to: Arc<dyn Disk> = Arc::new(disk.again());
    Checkpoint { place: 64, ..Checkpoint::default() }.write(&to).unwrap();
    of(&disk)
}

#[test]
fn what_does_not_fit_together_is_found() {
    let update = |before: u32, seq, reduced| {
        let effects = vec![Effect::Set { key: Bytes::from_static(b"k"), value: Bytes::new() }];
        let what = What::Records { dbm: 0, effects, reduced };
        let reach = Reach { seq, digest: 0 };
        let mut update =
            Update { time: at(seq), origin: server(3), reach, server: server(3), what };
        update.reach.digest = codec::digest_of(before, &update);
        update
    };
    let record =
        |update: &Update| (UPDATE, codec::encode_key(update), codec::encode_what(&update.what));
    let state = |reaches: &[Reach], begins| {
        let position = reaches.iter().map(|reach| (server(3), *reach)).collect();
        let dbms = vec!["a".to_owned()];
        let newest = at(reaches.iter().map(|reach| reach.seq).max().unwrap_or(0));
        (STATE, vec![], State { position, begins, dbms, newest, ..State::default() }.encode())
    };
    let one = update(0, 1, false);
    let two = update(one.reach.digest, 2, false);
    let three = update(two.reach.digest, 3, false);
    let begin = state(&[], 0);
    let problems = |records: &[(u8, Vec<u8>, Vec<u8>)]| said(&forged(records));
    let whole = [begin.clone(), record(&one), record(&two), state(&[two.reach], 0), record(&three)];
    assert_eq!(problems(&whole), [""; 0]);
    // The log reaches back no further.
    assert_eq!(problems(&whole[2..]), [""; 0]);
    // It begins anew.
    assert_eq!(problems(&[begin.clone(), state(&[two.reach], 90), record(&three)]), [""; 0]);
    let wrong = |records: &[(u8, Vec<u8>, Vec<u8>)], words: &str| {
        let problems = problems(records);
        assert!(
            problems.first().is_some_and(|first| first.contains(words)),
            "{words}: {problems:?}"
        );
    };
    wrong(&[begin.clone(), record(&two)], "update 2 of server 3 comes after its update 0");
    wrong(&[begin.clone(), record(&one), record(&three)], "update 3 of server 3 comes after");
    wrong(&[begin.clone(), record(&one), record(&one)], "update 1 of server 3 comes after");
    let other = update(7, 2, false);
    wrong(&[begin.clone(), record(&one), record(&other)], "digest of update 2");
    // What is missing from it makes the digest another.
    assert_eq!(problems(&[begin.clone(), record(&one), record(&update(7, 2, true))]), [""; 0]);
    wrong(&[begin.clone(), record(&one), state(&[two.reach], 0)], "the state says 2");
    wrong(&[begin.clone(), record(&one), state(&[], 0)], "the state says 0");
    wrong(&[begin.clone(), state(&[one.reach], 0)], "of which there is nothing");
    wrong(&[record(&one), state(&[two.reach], 0)], "the state says 2");
    let mut elsewhere = one.clone();
    elsewhere.what = What::Records { dbm: 1, effects: vec![], reduced: false };
    elsewhere.reach.digest = codec::digest_of(0, &elsewhere);
    wrong(&[begin.clone(), record(&elsewhere)], "a DBM that there is not");
    wrong(&[begin.clone(), (9, vec![], vec![])], "no records of kind 9");
    wrong(&[begin.clone(), (UPDATE, vec![0x40], vec![])], "kind that is not known");
    wrong(&[state(&[two.reach], 90), state(&[two.reach], 0)], "less than the one before");
}

/// A directory with what is on a disk.
fn directory(disk: &SimDisk) -> TempDir {
    let dir = TempDir::new().unwrap();
    for name in disk.list().unwrap() {
        std::fs::write(dir.path().join(&name), disk.get(&name)).unwrap();
    }
    dir
}

fn seqs(log: &UlogDir) -> (u64, u64) {
    let updates = all(log, Filter::default());
    (updates[0].reach.seq, updates[updates.len() - 1].reach.seq)
}

#[test]
fn what_is_old_is_removed_in_whole_segments() {
    let disk = SimDisk::new();
    let ulog = open(&disk);
    fill(&ulog, 16);
    checkpointed(&ulog, &disk);
    fill(&ulog, 16);
    let dir = directory(&disk);
    let log = UlogDir::open(dir.path()).unwrap();
    let count = log.segments().unwrap().len();
    let none = log.prune(at(1000), 1).unwrap();
    assert_eq!((none.removed.len(), none.left as usize), (0, count));
    let would = log.prunable(at(6_500), 1).unwrap();
    assert_eq!(seqs(&log), (1, 32));
    let pruned = log.prune(at(6_500), 1).unwrap();
    assert_eq!(pruned, would);
    assert!(!pruned.removed.is_empty() && pruned.bytes() > 0);
    assert!(pruned.removed.iter().all(|segment| !segment.path.exists()));
    let (first, last) = seqs(&log);
    assert!((2..=7).contains(&first) && last == 32, "{first}");
    // Nothing that the records may lack, and not the latest.
    let left = log.segments().unwrap().len();
    assert_eq!(log.prune(at(1 << 60), left - 1).unwrap().removed.len(), 1);
    log.prune(at(1 << 60), 0).unwrap();
    let (first, last) = seqs(&log);
    assert!((first..=last).contains(&16) && last == 32, "{first}");
    assert_eq!(said(&log), [""; 0]);
    let lock = hozo_directory::Lock::acquire(dir.path(), LOCK_FILE, std::time::Duration::ZERO);
    assert_eq!(kind(log.prune(at(1 << 60), 1)), ErrorKind::Busy);
    assert!(log.prunable(at(1 << 60), 1).is_ok());
    drop(lock);
    std::fs::remove_file(dir.path().join("checkpoint")).unwrap();
    assert_eq!(log.prune(at(1 << 60), 1).unwrap().removed.len(), 0);
}

#[test]
fn where_there_is_no_log_nothing_is_made() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("missing");
    assert_eq!(kind(UlogDir::open(&missing)), ErrorKind::NotFound);
    assert!(!missing.exists());
    assert_eq!(kind(UlogDir::open(dir.path())), ErrorKind::NotFound);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_log_that_a_server_writes_to_is_whole() {
    let dir = TempDir::new().unwrap();
    let mut config = Config::new(server(1), dir.path());
    config.segment_bytes = 1 << 16;
    let ambient = Arc::new(SystemAmbient);
    let store = hozo_backend_memory::open(&Default::default(), ambient.clone()).unwrap();
    let dbms = vec![("casket".to_owned(), store.records("casket").unwrap())];
    let Open { repl, dbms } = Repl::open(config, dbms, ambient).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..3000u32 {
                let value = Bytes::from(vec![i as u8; 500]);
                let key = Bytes::from(i.to_string());
                let durability =
                    if i % 20 == 0 { Durability::Durable } else { Durability::Sequenced };
                block_on(dbms[0].set(key, value, true, durability)).unwrap();
                if i % 500 == 499 {
                    block_on(repl.prune(at(u64::MAX))).unwrap();
                }
            }
            over.store(true, Ordering::Release);
        });
        let mut last = false;
        while !last {
            last = over.load(Ordering::Acquire);
            let log = UlogDir::open(dir.path()).unwrap();
            let found = log.verify().unwrap();
            assert_eq!(found.problems, []);
            let segments = log.segments().unwrap();
            assert!(segments.iter().all(|segment| !segment.damaged), "{segments:?}");
            let updates = all(&log, Filter::default());
            assert!(updates.is_sorted_by_key(|update| update.reach.seq));
            assert!(!last || updates.last().unwrap().reach.seq == found.position.of(server(1)).seq);
        }
    });
}
