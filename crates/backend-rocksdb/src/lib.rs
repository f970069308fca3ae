//! Hozo backend over RocksDB: one instance per store, in a directory of its
//! own, for one process at a time.
//!
//! A durable commit is one write to RocksDB's log and one fdatasync, shared by
//! all who wait. What a killed process had sequenced is there afterwards; what
//! a power cut leaves is a prefix with every durable commit in it. Damage that
//! would silently take a durable commit is refused when the store opens,
//! wherever it can be told from a torn end.
#![forbid(unsafe_code)]

mod config;
mod directory;
mod engine;
mod wal;

use std::sync::Arc;
use std::time::Duration;

use hozo_ordered::{Limits, OrderedPagesConfig, OrderedStore, Sequenced};
use hozo_traits::{Ambient, Result, Store, exec};

pub use config::{Compression, Config, LogSync};

/// The backend's name, as in the config.
pub const NAME: &str = "rocksdb";

/// Opens the store in the config's directory, and makes it if nothing is there.
/// It has pages and records.
///
/// A store that another process holds is waited for, then
/// [`Busy`](hozo_traits::ErrorKind::Busy); the error names the process where
/// the system tells. One that this process has open already is `Busy` at once.
/// A damaged store is [`Corrupt`](hozo_traits::ErrorKind::Corrupt). Blocks:
/// about 10 ms, more after a crash, never longer with more history.
pub fn open(config: &Config, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
    let pages = OrderedPagesConfig {
        commit_id_keep: Duration::from_secs(config.commit_id_keep_s),
        strict: config.strict.then_some(Limits::FOUNDATIONDB),
    };
    let engine = Sequenced::open(engine::Engine::open(config)?)?;
    Ok(Arc::new(exec::block_on(OrderedStore::open(engine, pages, ambient))?))
}
