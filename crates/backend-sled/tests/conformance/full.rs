//! A full disk: a clear error, and nothing that was acknowledged is lost.

use std::path::Path;
use std::process::Command;

use hozo_backend_sled::Config;
use hozo_conformance::libtest_mimic::{Completion, Failed, Trial};
use hozo_traits::{Durability, ErrorKind};
use tempfile::TempDir;

use super::kit::{History, open, small_cache};

pub(crate) fn trials() -> Vec<Trial> {
    let large: fn(&Path) -> Config = |dir| Config::new(dir);
    let small: fn(&Path) -> Config = small_cache;
    [("the_cache_holds_all", large), ("the_cache_holds_little", small)]
        .map(|(name, config)| {
            Trial::ignorable_test(format!("full_disk/{name}"), move || trial(config))
        })
        .into()
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
    let store = open(&config)?;
    let mut made = 0;
    let error = loop {
        let durability = if made % 3 == 0 { Durability::Sequenced } else { Durability::Durable };
        match history.commit(&store, durability) {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
        assert!(made < 100_000, "the disk never was full");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert!(made > 100, "full after {made} commits already: {error}");
    // Nothing goes on until it is opened again, and what is there is readable.
    let again = history.commit(&store, Durability::Durable).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Unavailable, "{again}");
    drop(store);

    // It may or may not open while the disk is full, but says so if not.
    if let Err(error) = open(&config).map(drop) {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(
            error.to_string().contains("space") || error.to_string().contains("full"),
            "{error}"
        );
    }
    disk.grow(64);
    let store = open(&config)?;
    history.check(&store)?;
    history.commits(&store, 50);
    drop(store);
    history.check(&open(&config)?)?;
    Ok(Completion::Completed)
}
