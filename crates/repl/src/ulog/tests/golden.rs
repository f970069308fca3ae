//! The files that docs/formats/ulog.md describes, byte for byte. They are
//! never written again for the same version of the format.

use std::path::PathBuf;

use hozo_log::disk::sim::golden;
use hozo_traits::{Role, SnapshotPlace};

use super::*;
use crate::loading::Loading;
use crate::role::RoleFile;

fn directory(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The golden files, with the space ahead that segments have.
pub(crate) fn golden_disk(name: &str) -> SimDisk {
    golden::disk(&directory(name), |name| if name.ends_with(".seg") { 4096 } else { 1 })
}

fn records(dbm: u32, effects: &[Effect], reduced: bool) -> What {
    What::Records { dbm, effects: effects.to_vec(), reduced }
}

fn sets(key: &'static str, value: impl Into<Bytes>) -> Effect {
    Effect::Set { key: key.into(), value: value.into() }
}

fn removes(key: &'static str) -> Effect {
    Effect::Remove { key: key.into() }
}

/// What server 1 does itself, in this order.
fn own_updates() -> Vec<What> {
    vec![
        records(0, &[sets("one", "first")], false),
        records(1, &[sets("", ""), removes("one"), sets("long", vec![0x4c; 300])], false),
        records(0, &[Effect::Clear], false),
        What::Epoch(300),
        What::Reset,
    ]
}

fn role() -> RoleFile {
    RoleFile { role: Role::DualMaster, source: Some("http://db2:1978".to_owned()) }
}

/// A log of server 1 with updates of all kinds, on segments of 64 KiB.
fn write(disk: &SimDisk) {
    role().write(&as_disk(disk)).expect("written");
    let ulog = open(disk);
    for (i, what) in own_updates().into_iter().enumerate() {
        own(&ulog, 1_700_000_000_000_000 + i as u64, what);
    }
    synced(&ulog);
    // Of server 2: one that is whole, one of which something was left out, and
    // those up to its number 200, which were server 2's own to know.
    let mut second = Other::new(2);
    let whole = second.made(1_700_000_000_000_100, set("two", "second"));
    let mut part = second.made(1_700_000_000_000_101, set("two", "third"));
    part.what = records(0, &[], true);
    let reach = Reach { seq: 200, digest: 0x1122_3344 };
    let nothing = Update { reach, what: What::Nothing, ..part.clone() };
    for update in [whole, part, nothing] {
        ulog.append_other(&update).expect("appended");
    }
    // Of server 9, which does not number its updates.
    let reach = Reach::default();
    let time = at(1_700_000_000_000_200);
    let what = records(1, &[removes("nine")], false);
    let foreign = Update { time, origin: server(9), reach, server: server(9), what };
    ulog.append_foreign(&foreign).expect("appended");
    checkpointed(&ulog, disk);
    // In the next segment.
    own(&ulog, 1_700_000_000_000_300, set("large", vec![0x41; 65_000]));
    // Server 2 gives all its records as a whole.
    let position = position(&[(server(2), Reach { seq: 201, digest: 0x5566_7788 })]);
    ulog.restart(position, at(1_700_000_000_000_400), 301).expect("restarted");
    own(&ulog, 1_700_000_000_000_500, set("last", ""));
    ulog.close().expect("closed");
}

/// The last key of the loading snapshot, and where it goes on.
fn loading() -> Loading {
    let from = position(&[(server(2), Reach { seq: 200, digest: 0x1122_3344 })]);
    Loading(Some((server(2), SnapshotPlace { from, dbm: 1, key: Some("last".into()) })))
}

#[track_caller]
fn same_as_golden(name: &str, disk: &SimDisk) {
    let is_ours = |name: &String| !name.ends_with(".spare");
    let written: Vec<String> = disk.list().expect("listed").into_iter().filter(is_ours).collect();
    let golden = golden::files(&directory(name));
    assert_eq!(golden.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), written);
    for (name, content) in golden {
        let written = golden::trimmed(disk.get(&name));
        let differs = written.iter().zip(&content).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{name} differs there");
        assert_eq!(written.len(), content.len(), "{name}");
    }
}

#[test]
fn what_is_written_is_what_the_golden_files_say() {
    let disk = SimDisk::new();
    write(&disk);
    same_as_golden("ulog", &disk);
    let disk = SimDisk::new();
    loading().write(&as_disk(&disk)).expect("written");
    same_as_golden("loading", &disk);
}

#[test]
fn the_golden_log_is_read() {
    let disk = golden_disk("ulog");
    assert_eq!(RoleFile::read(&as_disk(&disk)).expect("read"), Some(role()));
    let checkpoint = Checkpoint::read(&as_disk(&disk)).expect("read").expect("there");
    assert_eq!((checkpoint.boot, checkpoint.closed), ([7; 16], false));
    let mut replayed = Vec::new();
    let ulog = opened(&disk, &mut to(&mut replayed)).expect("opened").ulog;
    // From the checkpoint on.
    let keys = |update: &Update| match &update.what {
        What::Records { effects, .. } => effects.iter().map(|e| e.bytes()).sum::<usize>(),
        _ => 0,
    };
    assert_eq!(replayed.len(), 2);
    assert!(keys(&replayed[0]) >= 65_000 && replayed[1].what == set("last", ""), "{replayed:?}");
    let state = ulog.state();
    assert_eq!(state.position.to_string(), "1:8 2:201");
    assert_eq!(state.position.of(server(2)).digest, 0x5566_7788);
    assert_eq!((state.epoch, state.newest), (301, at(1_700_000_000_000_500)));
    assert_eq!(state.foreign_of(server(9)), Some(at(1_700_000_000_000_200)));
    assert_eq!(state.dbms, ["casket", "second"]);
    assert!(state.begins > 1 << 16, "the log begins anew in its second segment");

    let mut all = Vec::new();
    ulog.replay(0, to(&mut all)).expect("read");
    let (first, rest) = all.split_at(own_updates().len());
    assert_eq!(first.iter().map(|u| u.what.clone()).collect::<Vec<_>>(), own_updates());
    let mut digest = 0;
    for (i, update) in first.iter().enumerate() {
        assert_eq!(update.time, at(1_700_000_000_000_000 + i as u64));
        assert_eq!((update.origin, update.server), (server(1), server(1)));
        digest = codec::digest_of(digest, update);
        assert_eq!(update.reach, Reach { seq: i as u64 + 1, digest });
    }
    let said: Vec<_> = rest.iter().map(|u| (u.origin.get(), u.server.get(), u.reach.seq)).collect();
    assert_eq!(said, [(2, 2, 1), (2, 2, 2), (2, 2, 200), (1, 9, 6), (1, 1, 7), (1, 1, 8)]);
    assert_eq!(rest[0].what, set("two", "second"));
    assert_eq!(rest[1].what, records(0, &[], true));
    assert_eq!(rest[2].what, What::Nothing);
    assert_eq!(rest[3].what, records(1, &[removes("nine")], false));
}

#[test]
fn the_golden_loading_is_read() {
    let disk = golden_disk("loading");
    assert_eq!(Loading::read(&as_disk(&disk)).expect("read"), Some(loading()));
}

#[test]
#[ignore = "writes the golden files, once for a version of the format"]
fn write_the_golden_files() {
    let disk = SimDisk::new();
    write(&disk);
    golden::save(&directory("ulog"), &disk, |name| !name.ends_with(".spare"));
    let disk = SimDisk::new();
    loading().write(&as_disk(&disk)).expect("written");
    golden::save(&directory("loading"), &disk, |_| true);
}
