//! `hozo check`: whether a store is whole, what would be lost if it is not, and
//! a repair.
//!
//! A check reads every byte of every log, in order, and compares with what the
//! index says is the newest of everything. It changes nothing. A repair writes
//! what can be read into a new volume and puts that in the old one's place; the
//! old one is kept.

mod broken;
mod compare;
mod findings;
mod index;
mod losses;
mod name;
mod repair;
mod volume;

use std::path::{Path, PathBuf};

use hozo_directory::Lock;
use hozo_log::disk::{Disk, RealDisk};
use hozo_traits::{Error, ErrorKind, Result};

use crate::Config;
use crate::store::{LOCK_FILE, MARKER, PAGES, RECORDS, dbms_in};

pub use findings::{Damage, Findings, Loss, VolumeFindings};
pub use repair::{Repaired, RepairedVolume, repair};

/// Is told how many bytes were read, and of how many.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// What kind of volume it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Pages,
    Records,
}

/// A volume's directory.
struct Place {
    kind: Kind,
    /// The DBM's name; empty for pages.
    dbm: String,
    path: PathBuf,
}

impl Place {
    /// The volume's name, also below the store's directory.
    fn name(&self) -> String {
        match self.kind {
            Kind::Pages => PAGES.to_owned(),
            Kind::Records => format!("{RECORDS}/{}", self.dbm),
        }
    }
}

/// Checks the store in the config's directory. Nothing else may have it open.
///
/// Damage is what the answer is about, not an error; an error is that the store
/// cannot be looked at.
pub fn check(config: &Config, progress: Progress<'_>) -> Result<Findings> {
    let _lock = lock(config)?;
    check_locked(&config.path, progress)
}

/// The store's lock; an error if there is no store.
fn lock(config: &Config) -> Result<Lock> {
    let none =
        || Error::new(ErrorKind::NotFound, "there is no store").with("path", config.path.display());
    if !config.path.is_dir() || !MARKER.is_on(&config.path)? {
        return Err(none());
    }
    Lock::acquire(&config.path, LOCK_FILE, config.lock_timeout())
}

fn check_locked(store: &Path, progress: Progress<'_>) -> Result<Findings> {
    let places = places(store)?;
    let mut total = 0;
    for place in &places {
        total += segments_bytes(&RealDisk::open(&place.path)?)?;
    }
    let mut done = 0;
    let mut read = |bytes| {
        done += bytes;
        progress(done, total);
    };
    let volumes = places.iter().map(|place| {
        let disk = RealDisk::open(&place.path)?;
        volume::check(place, &disk, &mut read).map(|checked| checked.findings)
    });
    Ok(Findings { volumes: volumes.collect::<Result<_>>()? })
}

/// The volumes of a store that are there.
fn places(store: &Path) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    let path = store.join(PAGES);
    if path.is_dir() {
        places.push(Place { kind: Kind::Pages, dbm: String::new(), path });
    }
    for dbm in dbms_in(store)? {
        let path = store.join(RECORDS).join(&dbm);
        places.push(Place { kind: Kind::Records, dbm, path });
    }
    Ok(places)
}

fn segments_bytes(disk: &dyn Disk) -> Result<u64> {
    let names = disk.list()?;
    names.iter().filter(|name| name.ends_with(".seg")).map(|name| disk.open(name)?.len()).sum()
}
