//! A full disk: a clear error, and nothing that was acknowledged is lost.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use hozo_backend_hashdbm::{Config, repair};
use hozo_conformance::libtest_mimic::{Completion, Failed, Trial};
use hozo_traits::{Durability, ErrorKind, Store, SystemAmbient};
use tempfile::TempDir;

use super::kit::{History, check, edit, open, open_all, small};

pub(crate) fn trials() -> Vec<Trial> {
    let large: fn(&Path) -> Config = |dir| Config::new(dir);
    [("a_log_that_cannot_grow", large), ("a_log_of_small_segments", small)]
        .map(|(name, config)| {
            Trial::ignorable_test(format!("full_disk/{name}"), move || trial(config))
        })
        .into_iter()
        .chain([Trial::ignorable_test("full_disk/no_room_for_a_repair", no_room_for_a_repair)])
        .collect()
}

/// A file system in memory, of a size.
struct Disk {
    dir: TempDir,
}

impl Disk {
    /// `None` where this process may not mount one.
    fn mount(megabytes: u32) -> Option<Disk> {
        let dir = TempDir::with_prefix("hozo-full-").ok()?;
        let disk = Disk { dir };
        disk.tool("mount", &["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "hozo-test"])
            .then_some(disk)
    }

    fn grow(&self, megabytes: u32) {
        let options = format!("remount,size={megabytes}m");
        assert!(self.tool("mount", &["-o", &options]), "the disk cannot grow");
    }

    fn tool(&self, tool: &str, arguments: &[&str]) -> bool {
        let done = Command::new(tool).args(arguments).arg(self.dir.path()).output();
        done.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.tool("umount", &["--lazy"]);
    }
}

fn trial(config: fn(&Path) -> Config) -> Result<Completion, Failed> {
    let Some(disk) = Disk::mount(12) else {
        return Ok(Completion::ignored_with("no right to mount a small file system"));
    };
    let config = config(&disk.dir.path().join("store"));
    let mut history = History::default();
    let store = open_all(&config)?;
    history.records(&store, 50);
    let pages = store.pages()?;
    let mut made = 0;
    let error = loop {
        let durability = if made % 3 == 0 { Durability::Sequenced } else { Durability::Durable };
        match history.commit(&*pages, durability) {
            Ok(()) => made += 1,
            Err(error) => break error,
        }
        assert!(made < 100_000, "the disk never was full");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert!(made > 100, "full after {made} commits already: {error}");
    // What is there is readable.
    let missing = history.missing(&store, false);
    assert!(missing.is_nothing(), "{missing:?}");
    drop((pages, store));

    // It may or may not open while the disk is full, but says so if not.
    if let Err(error) = open(&config).and_then(|store| store.pages().map(drop)) {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("full"), "{error}");
    }
    disk.grow(64);
    let store = open_all(&config)?;
    assert!(history.missing(&store, false).is_nothing());
    history.commits(&store, 50);
    history.records(&store, 50);
    drop(store);
    assert!(history.missing(&open_all(&config)?, false).is_nothing());
    assert!(check(&config)?.is_clean());
    Ok(Completion::Completed)
}

/// A repair that fails leaves the store as it was.
fn no_room_for_a_repair() -> Result<Completion, Failed> {
    let Some(disk) = Disk::mount(16) else {
        return Ok(Completion::ignored_with("no right to mount a small file system"));
    };
    let config = small(&disk.dir.path().join("store"));
    let mut history = History::default();
    let store = open_all(&config)?;
    history.commits(&store, 60);
    drop(store);
    let segment = config.path.join("pages/0000000000000001.seg");
    edit(&segment, |bytes| bytes[30_000] ^= 1);
    let findings = check(&config)?;
    assert!(!findings.is_clean() && findings.loses(), "{findings:?}");
    let filler = disk.dir.path().join("filler");
    let mut file = fs::File::create(&filler)?;
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    let error = repair(&config, &findings, &SystemAmbient, &mut |_, _| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(check(&config)?, findings, "nothing has changed");
    fs::remove_file(&filler)?;
    repair(&config, &findings, &SystemAmbient, &mut |_, _| ())?;
    assert!(check(&config)?.is_clean());
    let missing = history.missing(&open_all(&config)?, false);
    assert!(missing.pages.len() as u64 <= findings.volumes[0].loss.keys, "{missing:?}");
    Ok(Completion::Completed)
}
