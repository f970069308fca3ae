//! The state machine without SQLite, against a plain byte vector.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hozo_conformance::{Model, Rng, seed};
use hozo_pages::{Concurrency, CreateOptions, Namespaces};
use hozo_traits::exec::block_on;
use hozo_traits::{ErrorKind, PageSize, SystemAmbient};

use super::{Connection, Level, Limits};
use crate::group::{Group, Groups};
use crate::resolver::Opened;
use crate::wait::Host;

struct Alone;

impl Host for Alone {
    fn busy(&self) -> bool {
        false
    }
    fn interrupted(&self) -> bool {
        false
    }
}

fn namespaces() -> Arc<Namespaces> {
    let namespaces = Namespaces::new(Model::new(Arc::new(SystemAmbient)), Arc::new(SystemAmbient));
    let options = CreateOptions { page_size: PageSize::MIN, concurrency: Concurrency::Serial };
    block_on(namespaces.create(&"app".parse().unwrap(), options)).unwrap();
    namespaces
}

fn open(namespaces: &Arc<Namespaces>, pending_bytes_max: usize) -> Arc<Mutex<Connection>> {
    let namespace = block_on(namespaces.open(&"app".parse().unwrap())).unwrap();
    let opened = Opened { namespace, snapshot: None, concurrency: None };
    let limits = Limits { pending_bytes_max, wait_max: Duration::from_secs(10) };
    Connection::open(opened, false, Box::new(Alone), limits)
}

/// Sets the fields of page 1 that SQLite sets at a commit.
fn header(file: &mut [u8], page_size: u32, counter: u32) {
    let size = if page_size == 65536 { 1 } else { page_size as u16 };
    let pages = (file.len() as u32) / page_size;
    file[16..18].copy_from_slice(&size.to_be_bytes());
    file[18..20].fill(1);
    file[24..28].copy_from_slice(&counter.to_be_bytes());
    file[28..32].copy_from_slice(&pages.to_be_bytes());
    file[92..96].copy_from_slice(&counter.to_be_bytes());
}

/// The file without the counters, which are each connection's own.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in [24, 92] {
        if bytes.len() >= at + 4 {
            bytes[at..at + 4].fill(0);
        }
    }
    bytes
}

fn whole(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = vec![0; connection.size().unwrap() as usize];
    assert_eq!(connection.read(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// Compares without printing whole files.
fn same(is: &[u8], should: &[u8], context: &str) {
    let (is, should) = (plain(is), plain(should));
    let first = is.iter().zip(&should).position(|(a, b)| a != b);
    assert!(
        is == should,
        "{context}: {} and {} bytes, first difference at {first:?}",
        is.len(),
        should.len()
    );
}

/// One write transaction of random writes; what the file is after it.
fn transact(connection: &mut Connection, before: &[u8], rng: &mut Rng) -> Vec<u8> {
    let old_size = connection.head.map_or(512, |head| head.page_size.get());
    let old_size = if before.is_empty() { 512 << rng.below(4) } else { old_size };
    let mut file = before.to_vec();
    if file.is_empty() {
        file.resize(old_size as usize, 0);
    }
    let write = |c: &mut Connection, file: &mut Vec<u8>, at: usize, n: usize, byte: u8| {
        c.write(at as u64, &vec![byte; n]).unwrap();
        if file.len() < at + n {
            file.resize(at + n, 0);
        }
        file[at..at + n].fill(byte);
    };
    for _ in 0..rng.below(12) {
        let pages = file.len() / old_size as usize;
        match rng.below(6) {
            0..=3 => {
                let page = rng.below(pages + 3);
                let (at, n) = (page * old_size as usize, old_size as usize);
                write(connection, &mut file, at, n, rng.below(3) as u8);
            }
            4 => {
                // Not a whole page, as the backup interface writes.
                let at = rng.below(pages) * old_size as usize + old_size as usize / 2;
                let n = 1 + rng.below(old_size as usize);
                write(connection, &mut file, at, n, rng.below(3) as u8);
                let padded = file.len().next_multiple_of(old_size as usize);
                file.resize(padded, 0);
                connection.truncate(padded as u64).unwrap();
            }
            _ => {
                let keep = (1 + rng.below(pages)) * old_size as usize;
                connection.truncate(keep as u64).unwrap();
                file.truncate(keep);
            }
        }
    }
    if rng.below(5) == 0 {
        // Another page size: SQLite writes everything, with the old one.
        let new_size = 512u32 << rng.below(5);
        let pages = 1 + rng.below(6);
        let target = (pages * new_size as usize).next_multiple_of(old_size as usize);
        let target = target.next_multiple_of(new_size as usize);
        for at in (0..target).step_by(old_size as usize) {
            write(connection, &mut file, at, old_size as usize, rng.below(3) as u8);
        }
        connection.truncate(target as u64).unwrap();
        file.truncate(target);
        file.resize(target, 0);
        finish(connection, &mut file, new_size, old_size);
    } else {
        finish(connection, &mut file, old_size, old_size);
    }
    file
}

/// Writes page 1 as a commit does.
fn finish(connection: &mut Connection, file: &mut [u8], page_size: u32, unit: u32) {
    // SQLite adds to the counter that it was given, whatever page 1 has now.
    let counter = connection.counter.wrapping_add(1);
    header(file, page_size, counter);
    connection.write(0, &file[..(unit as usize).min(file.len())]).unwrap();
}

#[test]
fn random_transactions_leave_what_they_wrote() {
    let seed = seed();
    let mut rng = Rng::new(seed);
    for round in 0..60 {
        let namespaces = namespaces();
        let pending = [512, 4096, 1 << 20][round % 3];
        let (writer, other) = (open(&namespaces, pending), open(&namespaces, pending));
        let mut file: Vec<u8> = Vec::new();
        let mut snapshots = Vec::new();
        for step in 0..30 {
            let context = format!("seed {seed:x}, round {round}, step {step}");
            let mut writer = writer.lock().unwrap();
            writer.lock(Level::Shared).unwrap();
            writer.lock(Level::Reserved).unwrap();
            let after = transact(&mut writer, &file, &mut rng);
            same(&whole(&mut writer), &after, &format!("{context}: before the commit"));
            if rng.below(4) == 0 {
                writer.unlock(Level::Shared);
            } else {
                writer.sync(None).unwrap();
                file = after;
            }
            same(&whole(&mut writer), &file, &format!("{context}: the writer"));
            snapshots.push((writer.head.unwrap(), file.clone()));
            writer.unlock(Level::None);
            let mut other = other.lock().unwrap();
            other.lock(Level::Shared).unwrap();
            same(&whole(&mut other), &file, &format!("{context}: another"));
            let at = rng.below(file.len() + 100);
            let mut part = vec![0; rng.below(3000)];
            let there = other.read(at as u64, &mut part).unwrap();
            let end = (at + part.len()).min(file.len());
            if at >= 96 {
                let wanted = file.get(at..end).unwrap_or_default();
                assert!(&part[..there] == wanted, "{context}: {} bytes at {at}", part.len());
            }
            other.unlock(Level::None);
        }
        // Every version still reads as it was.
        let mut reader = other.lock().unwrap();
        for (head, was) in snapshots {
            reader.fixed = Some(head);
            reader.lock(Level::Shared).unwrap();
            same(
                &whole(&mut reader),
                &was,
                &format!("seed {seed:x}, round {round}, an old version"),
            );
            reader.unlock(Level::None);
        }
        reader.fixed = None;
    }
}

#[test]
fn a_database_beyond_the_lock_page_reads_as_zeros_where_nothing_was_written() {
    const PAGE: usize = 65536;
    let namespaces = namespaces();
    let connection = open(&namespaces, 64 << 20);
    let mut connection = connection.lock().unwrap();
    connection.lock(Level::Reserved).unwrap();
    let last = (1 << 30) / PAGE + 1; // the page after the lock page, from 0
    let mut first = vec![0; PAGE];
    connection.write((last * PAGE) as u64, &vec![7; PAGE]).unwrap();
    let counter = connection.counter.wrapping_add(1);
    header(&mut first, PAGE as u32, counter);
    first[28..32].copy_from_slice(&(last as u32 + 1).to_be_bytes());
    connection.write(0, &first).unwrap();
    connection.sync(None).unwrap();
    connection.unlock(Level::None);
    connection.lock(Level::Shared).unwrap();
    assert_eq!(connection.size().unwrap(), ((last + 1) * PAGE) as u64);
    let mut bytes = vec![1; 2 * PAGE];
    connection.read(1 << 30, &mut bytes).unwrap();
    assert!(bytes[..PAGE].iter().all(|b| *b == 0), "the lock page");
    assert!(bytes[PAGE..].iter().all(|b| *b == 7));
    connection.unlock(Level::None);
}

#[test]
fn a_commit_that_failed_fails_until_it_is_rolled_back() {
    let namespaces = namespaces();
    let (one, two) = (open(&namespaces, 1 << 20), open(&namespaces, 1 << 20));
    let (mut one, mut two) = (one.lock().unwrap(), two.lock().unwrap());
    for connection in [&mut *one, &mut *two] {
        connection.set_concurrency(Concurrency::Optimistic).unwrap();
        connection.lock(Level::Exclusive).unwrap();
        let mut file = vec![0; 512];
        connection.read(0, &mut []).unwrap();
        finish(connection, &mut file, 512, 512);
    }
    one.sync(None).unwrap();
    for _ in 0..2 {
        let failure = two.sync(None).unwrap_err();
        assert_eq!(failure.kind(), Some(ErrorKind::Conflict));
        // SQLite would not write page 1 again, but if it did.
        let mut file = vec![0; 512];
        finish(&mut two, &mut file, 512, 512);
    }
    two.unlock(Level::Shared);
    two.unlock(Level::None);
    two.lock(Level::Exclusive).unwrap();
    let mut file = vec![0; 512];
    finish(&mut two, &mut file, 512, 512);
    two.sync(None).unwrap();
}

#[test]
fn a_commit_that_was_refused_is_not_made_up_for_by_the_next_one() {
    let namespaces = namespaces();
    let connection = open(&namespaces, 1 << 20);
    let mut connection = connection.lock().unwrap();
    connection.lock(Level::Exclusive).unwrap();
    let mut file = vec![0; 1024];
    connection.write(512, &[7; 512]).unwrap();
    finish(&mut connection, &mut file, 512, 512);
    let groups = Groups::default();
    let group = groups.create("app-mj", 0);
    group.join_plain().unwrap();
    let refused = connection.sync(Some(&group)).unwrap_err();
    assert_eq!(refused.kind(), Some(ErrorKind::Unsupported));
    // What page 2 was is forgotten: this would store page 1 without it.
    finish(&mut connection, &mut file, 512, 512);
    assert!(connection.sync(None).is_err());
    connection.unlock(Level::None);
    assert_eq!(connection.size().unwrap(), 0);
}

#[test]
fn a_group_publishes_all_or_nothing_and_only_once() {
    let namespaces = namespaces();
    let connection = open(&namespaces, 1 << 20);
    let prepare = |group: &Arc<Group>| {
        let mut connection = connection.lock().unwrap();
        connection.lock(Level::Exclusive).unwrap();
        let size = (connection.size().unwrap() as usize).max(512);
        let mut file = vec![0; size + 512];
        connection.write(size as u64, &[7; 512]).unwrap();
        finish(&mut connection, &mut file, 512, 512);
        connection.sync(Some(group)).unwrap();
    };
    let unlock = || connection.lock().unwrap().unlock(Level::None);
    let pages = || connection.lock().unwrap().size().unwrap() / 512;
    let groups = Groups::default();
    // Deleted without a wish for durability: a rollback that tidies up.
    prepare(&groups.create("one", 0));
    assert!(groups.delete("one", false).unwrap().is_ok());
    assert!(groups.delete("one", true).unwrap().is_err(), "it was given up");
    unlock();
    assert_eq!(pages(), 0);
    assert!(groups.get("one").is_some(), "it exists until all are rolled back");
    prepare(&groups.create("two", 0));
    assert!(groups.get("one").is_none());
    assert!(groups.delete("two", true).unwrap().is_ok());
    unlock();
    assert_eq!(pages(), 2);
    assert!(groups.delete("two", true).is_none());
    // Unlocked before the deletion: rolled back.
    let group = groups.create("three", 0);
    prepare(&group);
    unlock();
    assert!(groups.delete("three", true).unwrap().is_err());
    assert_eq!(pages(), 2);
}

#[test]
fn page_one_is_never_mapped() {
    let namespaces = namespaces();
    let connection = open(&namespaces, 1 << 20);
    let mut connection = connection.lock().unwrap();
    connection.lock(Level::Exclusive).unwrap();
    let mut file = vec![7; 2048];
    connection.write(512, &[7; 512]).unwrap();
    connection.write(1024, &[7; 512]).unwrap();
    connection.write(1536, &[7; 512]).unwrap();
    finish(&mut connection, &mut file, 512, 512);
    assert!(connection.fetch(0, 512).unwrap().is_none());
    let pending = connection.fetch(512, 512).unwrap().unwrap();
    connection.sync(None).unwrap();
    connection.unlock(Level::Shared);
    assert!(connection.fetch(0, 512).unwrap().is_none());
    assert!(connection.fetch(1000, 512).unwrap().is_none(), "not a whole page");
    assert!(connection.fetch(2048, 512).unwrap().is_none(), "beyond the end");
    let [one, two] = [(); 2].map(|()| connection.fetch(1024, 512).unwrap().unwrap());
    assert_eq!(one, two);
    for address in [pending, one, two] {
        assert!(connection.pins.contains_key(&address), "pinned until each is given back");
        connection.unfetch(address);
    }
    assert!(connection.pins.is_empty());
    connection.unlock(Level::None);
}

#[test]
fn a_write_without_a_lock_is_refused() {
    let namespaces = namespaces();
    let connection = open(&namespaces, 1 << 20);
    let mut connection = connection.lock().unwrap();
    assert_eq!(connection.write(0, &[0; 512]).unwrap_err().kind(), Some(ErrorKind::Internal));
    connection.lock(Level::Shared).unwrap();
    assert_eq!(connection.write(0, &[0; 512]).unwrap_err().kind(), Some(ErrorKind::Internal));
    connection.unlock(Level::None);
}
