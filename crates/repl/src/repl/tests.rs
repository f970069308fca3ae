use bytes::Bytes;
use hozo_backend_memory as memory;
use hozo_conformance::TestAmbient;
use hozo_log::disk::sim::SimDisk;
use hozo_traits::exec::block_on;
use hozo_traits::{Reader, SnapshotPlace};

use super::*;
use crate::ulog::tests::{Other, server, set};

/// Server 1 on a disk, in this run of the system; its records are in memory.
pub(crate) fn open(disk: &SimDisk, role: Role, boot: u8) -> Open {
    let mut config = Config::new(server(1), "sim");
    config.role = role;
    config.follow = (role != Role::Master).then(|| "two".to_owned());
    config.sync_lag = Duration::MAX;
    let running = Running { boot: [boot; 16], thread: false, ..Running::default() };
    let ambient = Arc::new(TestAmbient::new(7));
    let store = memory::open(&memory::Config::default(), ambient.clone()).expect("opened");
    let records = store.records("casket").expect("records");
    let dbms = vec![("casket".to_owned(), records)];
    let disk: Arc<dyn Disk> = Arc::new(disk.again());
    Repl::open_on(disk, config, dbms, ambient, running, None).expect("opened")
}

fn own(open: &Open) -> u64 {
    open.repl.shared.ulog.reach_of(server(1)).seq
}

fn loads(open: &Open) -> bool {
    Loading::read(open.repl.shared.ulog.disk()).expect("read").is_some()
}

/// What a power cut has left of a master that made one update, for which nobody
/// waited.
fn cut(role: Role) -> SimDisk {
    let disk = SimDisk::new();
    let master = open(&disk, role, 1);
    let key = Bytes::from_static(b"key");
    if role == Role::Master {
        let set = master.dbms[0].set(key.clone(), key, true, Durability::Sequenced);
        block_on(set).expect("set");
    }
    // Nothing of what was not synced is left.
    let seeds = 0..1000;
    let left = |seed| disk.crash(seed);
    let lost = |image: &SimDisk| own(&open(&image.killed(), Role::Follower, 1)) == 0;
    seeds.map(left).find(lost).expect("lost by some")
}

#[test]
fn a_master_that_lost_all_of_its_updates_says_so() {
    let image = cut(Role::Master);
    let again = open(&image, Role::Master, 2);
    let mut updates = Vec::new();
    let each = |update: &Update| {
        updates.push(update.what.clone());
        Ok(())
    };
    again.repl.shared.ulog.replay(0, each).expect("read");
    assert_eq!(updates.first(), Some(&What::Reset));
}

#[test]
fn who_was_a_master_and_is_a_follower_loads_all_after_a_power_cut() {
    assert!(loads(&open(&cut(Role::Master), Role::Follower, 2)));
    assert!(!loads(&open(&cut(Role::Follower), Role::Follower, 2)));
    let killed = cut(Role::Master);
    assert!(!loads(&open(&killed, Role::Follower, 1)), "it was no power cut");
}

#[test]
fn a_promotion_is_newer_than_who_fenced() {
    let Open { repl, .. } = open(&SimDisk::new(), Role::Master, 1);
    let _ = repl.shared.fence(7);
    assert_eq!(block_on(repl.promote()).expect("promoted"), 8);
}

#[test]
fn a_snapshot_is_given_by_who_has_all_of_it() {
    let Open { repl, .. } = open(&SimDisk::new(), Role::Master, 1);
    let feed = repl.feed().expect("a feed");
    let mut two = Other::new(2);
    let from: Position = [(server(2), two.made(1000, set("k", "v")).reach)].into_iter().collect();
    let place = SnapshotPlace { from, dbm: 0, key: None };
    let refused = block_on(feed.snapshot(Some(place), Reader::default()));
    assert_eq!(refused.err().map(|e| e.kind()), Some(ErrorKind::VersionGone));
    assert!(block_on(feed.snapshot(None, Reader::default())).is_ok());
    Loading::default().write(repl.shared.ulog.disk()).expect("written");
    let refused = block_on(feed.snapshot(None, Reader::default()));
    assert_eq!(refused.err().map(|e| e.kind()), Some(ErrorKind::Busy));
}
