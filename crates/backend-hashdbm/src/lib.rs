//! Hozo backend over an engine of its own, hashdbm: a checksummed log and a
//! memory-mapped index, in pure Rust.
//!
//! A store is a directory with *volumes*: one for pages, and one for each DBM.
//! A volume is a log, in which everything that was ever said stands in order,
//! and an index, which knows where in the log the newest of everything is. A
//! durable commit is one write to the log and one fdatasync, shared by all who
//! wait. Opening replays what came after the index's last checkpoint; without
//! the index everything is replayed, since the log alone is enough. What was
//! overwritten is cleaned away in the background, from the log's oldest end.
//!
//! What a killed process was told is there afterwards; what a power cut leaves
//! is a prefix with everything in it that was durable. Damage to what was
//! durable is an error when it is found, never silence.
//!
//! # What there is
//!
//! [`open`] answers a [`Store`], as the `Registry` of `hozo` wants it.
//! [`Hashdbm`] is the same, and has DBMs with calls of their own, which are not
//! asynchronous and do not allocate:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use hozo_backend_hashdbm::{Config, Hashdbm};
//! use hozo_traits::SystemAmbient;
//!
//! let store = Hashdbm::open(&Config::new("joints"), Arc::new(SystemAmbient))?;
//! let woods = store.dbm("woods")?;
//! woods.set(b"tenon", b"oak")?;
//! assert_eq!(woods.get(b"tenon", |value| value.len())?, Some(3));
//! woods.synchronise()?;
//! # Ok::<(), hozo_traits::Error>(())
//! ```
//!
//! [`check`](check()) says whether a store is whole, and [`repair`](repair()) makes it so.
//!
//! # What to know
//!
//! - One process at a time has a store open. Volumes are opened when first used.
//! - Files are mapped: their pages count as memory of the process where the
//!   system keeps them, and go when it needs the room. Space is allocated before
//!   it is mapped, so a full disk is an error, and reads go on.
//! - Each DBM, and the pages, has a log of its own: a power cut leaves of each a
//!   prefix, and not the same one. [`Config::record_sync`] says how much of a
//!   DBM can be missing.
//! - A volume has one thread, which cleans and makes checkpoints, from when it
//!   first has something to do.
//! - A forked child cannot use a store that its parent has open: every call is
//!   [`Unsupported`](hozo_traits::ErrorKind::Unsupported) there.
//! - A copy of the directory is a store only if nobody had that open meanwhile,
//!   or if all files were copied at one instant, as by a snapshot.
//! - "A full disk is an error" wants a file system that writes in place, such as
//!   ext4 or XFS. One that copies on write (btrfs, ZFS, a file that shares blocks
//!   with a snapshot) can find no space for a block that was allocated long ago,
//!   and the system then ends the process with SIGBUS.
//! - Where a disk fails to read a part of a mapped file, the system ends the
//!   process with SIGBUS.
//! - It runs where Rust knows `linux`, little-endian, with 64 bits.
//!
//! `docs/formats/hashdbm.md` and `docs/formats/log.md` have the format, byte by
//! byte; `ARCHITECTURE.md` says why it is as it is.
#![deny(unsafe_code)]

mod check;
mod config;
mod engine;
mod index;
mod records;
#[cfg(test)]
mod sim;
mod store;
mod volume;

use std::sync::Arc;

use hozo_traits::{Ambient, Result, Store};

pub use check::{
    Damage, Findings, Loss, Progress, Repaired, RepairedVolume, VolumeFindings, check, repair,
};
pub use config::Config;
pub use records::{Records, RecordsOptions, SyncMode};
pub use store::Hashdbm;

/// The backend's name, as in the config.
pub const NAME: &str = "hashdbm";

/// Opens the store in the config's directory, and makes it if nothing is there;
/// see [`Hashdbm::open`].
pub fn open(config: &Config, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(Hashdbm::open(config, ambient)?))
}
