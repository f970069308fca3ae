//! The engines that are set side by side, each behind the same four calls.

use std::path::Path;

mod fjall;
mod hashdbm;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
#[cfg(tkrzw)]
mod tkrzw;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is measured of an engine. No call waits for a disk: each engine leaves
/// it to the system when to write.
pub(crate) trait Peer: Send + Sync {
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Failure>;

    /// Reads the value; its size, or `None` if there is no record.
    fn get(&self, key: &[u8]) -> Result<Option<usize>, Failure>;

    fn remove(&self, key: &[u8]) -> Result<(), Failure>;

    /// Reads every record once: how many, and the bytes of keys and values.
    fn iterate(&self) -> Result<(u64, u64), Failure>;
}

/// Opens an empty engine for about so many records, or says why this build cannot.
type Open = fn(&Path, u64) -> Result<Box<dyn Peer>, Failure>;

/// An engine by name.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) open: Open,
}

/// All of them. The first is the yardstick of the others.
pub(crate) const KINDS: [Kind; 6] = [
    Kind { name: "tkrzw", what: "Tkrzw HashDBM, through C++", open: open_tkrzw },
    Kind {
        name: "hashdbm",
        what: "hashdbm, its own calls",
        open: |dir, _| Ok(Box::new(hashdbm::Native::open(dir)?)),
    },
    Kind {
        name: "hashdbm-kv",
        what: "hashdbm, as `dyn KvStore`",
        open: |dir, _| Ok(Box::new(hashdbm::ThroughTrait::open(dir)?)),
    },
    Kind {
        name: "redb",
        what: "redb, B-tree",
        open: |dir, _| Ok(Box::new(redb::Redb::open(dir)?)),
    },
    Kind {
        name: "fjall",
        what: "fjall, LSM",
        open: |dir, _| Ok(Box::new(fjall::Fjall::open(dir)?)),
    },
    Kind { name: "rocksdb", what: "RocksDB, LSM", open: open_rocksdb },
];

#[cfg(tkrzw)]
fn open_tkrzw(dir: &Path, records: u64) -> Result<Box<dyn Peer>, Failure> {
    Ok(Box::new(tkrzw::Tkrzw::open(dir, records)?))
}

#[cfg(not(tkrzw))]
fn open_tkrzw(_: &Path, _: u64) -> Result<Box<dyn Peer>, Failure> {
    Err("built without libtkrzw: apt-get install libtkrzw-dev pkg-config, and build again".into())
}

#[cfg(feature = "rocksdb")]
fn open_rocksdb(dir: &Path, _: u64) -> Result<Box<dyn Peer>, Failure> {
    Ok(Box::new(rocksdb::RocksDb::open(dir)?))
}

#[cfg(not(feature = "rocksdb"))]
fn open_rocksdb(_: &Path, _: u64) -> Result<Box<dyn Peer>, Failure> {
    Err("built without RocksDB: build with --features rocksdb".into())
}
