//! Hozo backend that keeps everything in memory: for tests, for caches, and
//! for trying things out. What it holds ends with the store.
#![forbid(unsafe_code)]

mod config;
mod engine;

use std::sync::Arc;
use std::time::Duration;

use hozo_ordered::{Limits, OrderedPagesConfig, OrderedStore, Sequenced};
use hozo_traits::{Ambient, Result, Store, exec};

pub use config::Config;
pub use engine::Memory;

/// The backend's name, as in the config.
pub const NAME: &str = "memory";

/// A new store, empty, with pages and records.
pub fn open(config: &Config, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
    let pages = OrderedPagesConfig {
        commit_id_keep: Duration::from_secs(config.commit_id_keep_s),
        strict: config.strict.then_some(Limits::FOUNDATIONDB),
    };
    let engine = Sequenced::open(Memory::default())?;
    Ok(Arc::new(exec::block_on(OrderedStore::open(engine, pages, ambient))?))
}
