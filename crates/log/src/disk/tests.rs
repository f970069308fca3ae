//! Both disks do what the traits say; the simulated one also crashes as it
//! should, or it proves nothing.

use std::sync::Arc;

use hozo_conformance::Rng;
use hozo_traits::ErrorKind;
use rustix::io::Errno;

use super::sim::SimDisk;
use super::{Disk, RealDisk, error};

fn write(disk: &dyn Disk, name: &str, at: u64, byte: u8) {
    let file = disk.open(name).expect("opened");
    file.write_at(at, &[byte; 512]).expect("written");
}

fn both(check: impl Fn(Arc<dyn Disk>)) {
    let dir = tempfile::tempdir().expect("a directory");
    check(Arc::new(RealDisk::open(&dir.path().join("a/b")).expect("a disk")));
    check(Arc::new(SimDisk::new()));
}

#[test]
fn files_are_created_listed_renamed_and_removed() {
    both(|disk| {
        disk.create("b").expect("created");
        disk.create("a").expect("created").write_at(0, b"first").expect("written");
        assert_eq!(disk.create("a").err().map(|e| e.kind()), Some(ErrorKind::Exists));
        assert_eq!(disk.list().expect("listed"), ["a", "b"]);
        disk.rename("a", "b").expect("renamed");
        assert_eq!(disk.list().expect("listed"), ["b"]);
        let mut bytes = [0; 5];
        disk.open("b").expect("opened").read_at(0, &mut bytes).expect("read");
        assert_eq!(&bytes, b"first");
        disk.remove("b").expect("removed");
        assert_eq!(disk.open("b").err().map(|e| e.kind()), Some(ErrorKind::NotFound));
        assert_eq!(disk.remove("b").err().map(|e| e.kind()), Some(ErrorKind::NotFound));
        disk.subdir("c").expect("a directory").create("d").expect("created");
        assert!(disk.list().expect("listed").is_empty(), "a directory is no file");
        disk.sync_dir().expect("synced");
    });
}

#[test]
fn mappings_and_calls_see_the_same_bytes() {
    both(|disk| {
        let file = disk.create("a").expect("created");
        let mapping = file.map(0, 1 << 20).expect("mapped beyond the end");
        file.allocate(0, 10_000).expect("allocated");
        assert_eq!(file.len().expect("a length"), 10_000);
        mapping.populate(0, 10_000);
        file.write_at(9_000, b"hello").expect("written");
        crate::raw::write(&mapping, 5_000, b"world");
        let mut bytes = [0; 5];
        crate::raw::copy_out(&mapping, 9_000, &mut bytes);
        assert_eq!(&bytes, b"hello");
        file.read_at(5_000, &mut bytes).expect("read");
        assert_eq!(&bytes, b"world");
        assert_eq!(
            file.read_at(9_998, &mut bytes).err().map(|e| e.kind()),
            Some(ErrorKind::Corrupt)
        );
        file.truncate(5_001).expect("cut");
        assert_eq!(file.len().expect("a length"), 5_001);
        file.sync().expect("synced");
    });
}

#[test]
fn a_crash_keeps_what_was_synced_and_parts_of_the_rest() {
    let disk = SimDisk::new();
    disk.create("a").expect("created");
    write(&disk, "a", 0, 1);
    write(&disk, "a", 512, 1);
    disk.open("a").expect("opened").sync().expect("synced");
    disk.sync_dir().expect("synced");
    write(&disk, "a", 512, 2);
    write(&disk, "a", 1024, 2);
    disk.create("b").expect("created");
    let mut seen = std::collections::BTreeSet::new();
    let mut rng = Rng::new(1);
    for _ in 0..5000 {
        let after = disk.crash(rng.next());
        let bytes = after.get("a");
        assert_eq!(bytes[..512], [1; 512]);
        assert!(bytes.len() == 1024 || bytes.len() == 1536);
        seen.insert((bytes[512], bytes.get(1024).copied(), after.open("b").is_ok()));
    }
    // Second sector old or new; third missing, zero or new; the name or not.
    assert_eq!(seen.len(), 12);
}

#[test]
fn faults_come_when_they_are_asked_for() {
    let disk = SimDisk::new();
    let file = disk.create("a").expect("created");
    disk.fail_allocate(2);
    file.allocate(0, 10).expect("the first");
    let full = file.allocate(10, 20).expect_err("the second");
    assert_eq!(
        (full.kind(), file.len().expect("a length")),
        (ErrorKind::Unavailable, 15),
        "a part"
    );
    file.allocate(15, 20).expect("the third");
    disk.set_budget(Some(30));
    file.write_at(10, &[1; 20]).expect("up to the budget");
    file.write_at(11, &[1; 20]).expect_err("beyond it");
    file.write_at(0, &[1; 30]).expect("in place");
    disk.set_budget(None);
    file.write_at(11, &[1; 20]).expect("there is space again");
    disk.fail_sync(1);
    file.sync().expect_err("broken");
    file.sync().expect("well again");
    disk.crash_at(disk.operations() + 1, 1);
    disk.create("b").expect("created");
    assert!(disk.image().is_none());
    disk.remove("a").expect("removed");
    assert!(disk.image().is_some());
}

#[test]
fn errors_say_what_to_do() {
    for (errno, kind, says) in [
        (Errno::NOENT, ErrorKind::NotFound, "no such file"),
        (Errno::EXIST, ErrorKind::Exists, "exists"),
        (Errno::NOSPC, ErrorKind::Unavailable, "disk is full"),
        (Errno::DQUOT, ErrorKind::Unavailable, "disk is full"),
        (Errno::ACCESS, ErrorKind::Denied, "may not"),
        (Errno::ROFS, ErrorKind::ReadOnly, "only be read"),
        (Errno::MFILE, ErrorKind::Unavailable, "ulimit -n"),
        (Errno::NFILE, ErrorKind::Unavailable, "file-max"),
        (Errno::FBIG, ErrorKind::Unavailable, "ulimit -f"),
        (Errno::NOMEM, ErrorKind::Unavailable, "max_map_count"),
        (Errno::IO, ErrorKind::Unavailable, "the disk does not answer"),
    ] {
        let error = error::map(errno.into(), "testing", "a.seg");
        assert_eq!(error.kind(), kind, "{errno:?}");
        let text = error.to_string();
        assert!(text.contains(says) && text.contains("a.seg"), "{errno:?}: {text}");
    }
}
