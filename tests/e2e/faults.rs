//! What goes wrong outside: a clear error each, and nothing lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use hozo_tests::{Run, Scratch, built, init_args, is_root, python_environment};

use crate::case::{Case, Need};

const SHELL: &[Need] = &[Need::Program("sqlite3")];

pub(crate) const CASES: &[Case] = &[
    Case::new("a_full_disk_is_an_error_and_loses_nothing", full_disk)
        .needing(&[Need::Tmpfs, Need::Program("sqlite3")]),
    Case::new("writing_goes_on_in_the_process_that_met_a_full_disk", full_disk_in_process)
        .needing(&[Need::Tmpfs, Need::DefaultStore, Need::Program("python3")]),
    Case::new("no_permission_is_said", no_permission).needing(&[Need::Program("setpriv")]),
    Case::new("a_second_process_is_told_who_holds_the_store", held)
        .needing(&[Need::Program("python3"), Need::Program("sqlite3")]),
    Case::new("a_damaged_file_is_an_error_or_does_not_matter", damaged).needing(SHELL),
    Case::new("a_missing_config_or_store_is_said", missing).needing(SHELL),
];

/// A small disk of its own, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> SmallDisk {
        fs::create_dir(&at).expect("a mount point can be made");
        Run::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(&at).ok();
        SmallDisk(at)
    }

    fn grow(&self) {
        Run::new("mount").args(["-o", "remount,size=256m"]).arg(&self.0).ok();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Run::new("umount").arg("-l").arg(&self.0).run());
    }
}

fn full_disk() {
    let scratch = Scratch::empty();
    let disk = SmallDisk::mount(scratch.path("disk"));
    let hozo = |args: &[&str]| scratch.hozo(args).dir(&disk.0);
    hozo(&["init"]).args(init_args()).ok();
    hozo(&["ns", "create", "app"]).ok();
    let sqlite3 = |sql: &str| {
        let run = Run::new("sqlite3").env("LD_PRELOAD", &built().preload).dir(&disk.0);
        run.env("HOZO_CONFIG", disk.0.join("hozo.toml")).args(["-batch", "-bail", "app", sql])
    };
    sqlite3("CREATE TABLE t(n INTEGER PRIMARY KEY, b); INSERT INTO t VALUES (0, 'first')").ok();
    // Each transaction stands for itself; one of them finds the disk full.
    let mut last = 0;
    let refused = loop {
        let sql = format!("INSERT INTO t VALUES ({}, randomblob(2000000))", last + 1);
        let ran = sqlite3(&sql).run();
        if ran.code != Some(0) {
            break ran;
        }
        last += 1;
        assert!(last < 64, "24 MiB held {last} rows of 2 MB");
    };
    refused.fails(&["error"]);
    disk.grow();
    let count = sqlite3("SELECT max(n), count(*) FROM t; PRAGMA integrity_check").ok();
    assert_eq!(count, format!("{last}|{}\nok\n", last + 1));
    sqlite3(&format!("INSERT INTO t VALUES ({}, 'room again')", last + 1)).ok();
}

fn full_disk_in_process() {
    let scratch = Scratch::empty();
    let disk = SmallDisk::mount(scratch.path("disk"));
    let hozo = |args: &[&str]| scratch.hozo(args).dir(&disk.0);
    hozo(&["init"]).args(init_args()).ok();
    hozo(&["ns", "create", "app"]).ok();
    let script = "
import sqlite3, sys
db = sqlite3.connect('app', isolation_level=None)
other = sqlite3.connect('app', isolation_level=None)
db.execute('CREATE TABLE t(n INTEGER PRIMARY KEY, b)')
def count():
    return other.execute('SELECT count(*), max(n), sum(length(b)) FROM t').fetchone()
n = 0
def insert(size):
    global n
    db.execute('INSERT INTO t VALUES (?, randomblob(?))', (n + 1, size))
    n += 1
refused = 0
while refused < 10:
    try:
        insert(300000 if refused % 2 == 0 else 3000)
    except sqlite3.OperationalError as e:
        assert 'full' in str(e), e
        refused += 1
    assert count()[:2] == (n, n), 'what was refused did something, or a read did not go on'
print('full', n, flush=True)
sys.stdin.read()
for _ in range(20):
    insert(300000)
assert count()[:2] == (n, n)
print(*db.execute('PRAGMA integrity_check').fetchone(), n)
";
    let program = Run::new(python_environment()).env("LD_PRELOAD", &built().preload);
    let program = program.dir(&disk.0).env("HOZO_CONFIG", disk.0.join("hozo.toml"));
    let mut running = program.args(["-c", script]).held_open();
    running.wait_for("full");
    disk.grow();
    let said = running.finish().ok();
    let count = said.lines().last().and_then(|line| line.strip_prefix("ok ")).expect("whole");
    let sql = ["sql", "app", "SELECT count(*) FROM t"];
    assert!(hozo(&sql).ok().contains(count), "{count} rows were told to be there");
}

fn no_permission() {
    let scratch = Scratch::with_namespace("app");
    // The scratch directory is its owner's alone; nobody else needs a copy of
    // the command and a way in.
    let open = |path: PathBuf, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("modes can be set");
    };
    open(scratch.dir().to_path_buf(), 0o755);
    fs::copy(&built().hozo, scratch.path("hozo-copy")).expect("the command can be copied");
    let unprivileged = |args: &[&str]| {
        let hozo = scratch.path("hozo-copy");
        match is_root() {
            true => scratch.run("setpriv").args(["--reuid=65534", "--clear-groups"]).arg(hozo),
            false => scratch.run(hozo),
        }
        .args(args)
    };
    let store = scratch.store();
    open(store.clone(), 0o000);
    unprivileged(&["ns", "list"]).run().fails(&["permission denied"]);
    open(store, 0o755);
    if is_root() {
        // The store can be read and not be written: an error as well.
        unprivileged(&["ns", "create", "other"]).run().fails(&["permission denied"]);
    }
    scratch.hozo(&["ns", "list"]).ok();
}

fn held() {
    let scratch = Scratch::with_namespace("app");
    let script = "
import os, sqlite3, sys
db = sqlite3.connect('app')
db.execute('CREATE TABLE t(x)'); db.commit()
print('holding', flush=True)
sys.stdin.read()
";
    let mut holder = scratch.preloaded(python_environment()).args(["-c", script]).held_open();
    holder.wait_for("holding");
    let id = holder.id().to_string();
    scratch.hozo(&["ns", "list"]).run().fails(&["process", &id]);
    scratch.sqlite3("app", &["SELECT * FROM t"]).run().fails(&["process", &id]);
    drop(holder.kill());
    assert_eq!(scratch.sqlite3("app", &["SELECT count(*) FROM t"]).ok(), "0\n");
}

fn damaged() {
    let scratch = Scratch::with_namespace("app");
    let rows = "INSERT INTO t SELECT value, hex(randomblob(200)) FROM generate_series(1, 2000)";
    scratch.sqlite3("app", &["CREATE TABLE t(n, x)", rows]).ok();
    let whole = scratch.sqlite3("app", &["SELECT count(*), sum(length(x)) FROM t"]).ok();
    let store = scratch.store();
    let mut harmless = 0;
    let mut refused = 0;
    for (path, length) in scratch.listing() {
        let told = ["LOG", "LOCK", "OPTIONS"];
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let is_data = path.starts_with(&store) && path.is_file() && length > 0;
        if !is_data || told.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let good = fs::read(&path).expect("a file of the store can be read");
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 0x55;
        let kept = scratch.keep(&store);
        fs::write(&path, bad).expect("a file of the store can be damaged");
        let ran = scratch.sqlite3("app", &["SELECT count(*), sum(length(x)) FROM t"]).run();
        if ran.code == Some(0) {
            assert_eq!(ran.stdout, whole, "damage in {name} changed the answer");
            harmless += 1;
        } else {
            ran.fails(&["error"]);
            refused += 1;
        }
        scratch.restore(&kept, &store);
    }
    println!("damage: {refused} files refused, {harmless} did not matter");
    assert!(refused > 0, "no damage was ever noticed");
    assert_eq!(scratch.sqlite3("app", &["SELECT count(*), sum(length(x)) FROM t"]).ok(), whole);
}

fn missing() {
    let scratch = Scratch::empty();
    scratch.hozo(&["ns", "list"]).run().fails(&["hozo.toml", "hozo init"]);
    let scratch = Scratch::with_namespace("app");
    scratch.hozo(&["sql", "nothing", "SELECT 1"]).run().fails(&["nothing", "not found"]);
    scratch.hozo(&["ns", "stat", "nothing"]).run().fails(&["nothing", "not found"]);
}
