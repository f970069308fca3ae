//! Hozo backend over FoundationDB: for stores that outgrow one machine.
//!
//! Any number of processes open the same store and write to it; there is no server
//! of ours between them and the cluster. FoundationDB's client library, libfdb_c, is
//! loaded when the first store is opened: a program that has this backend starts
//! without it, and opening says what is missing.
//!
//! A version is the ten bytes that the cluster gives to a commit. What a commit
//! depends on becomes conflict ranges, so writers of different pages do not meet;
//! every commit is on stable storage when it is answered. FoundationDB's limits (five
//! seconds, 10 MB, 100 kB) are kept by the layers above, in `hozo-ordered`: large
//! commits are staged, large values divided, and no operation lasts as long as its
//! transaction may.
//!
//! A commit of which FoundationDB does not say whether it was made is looked for
//! before anything is answered: see `engine/doubt.rs`.

mod config;
mod engine;

use std::sync::Arc;
use std::time::Duration;

use hozo_ordered::{OrderedPagesConfig, OrderedStore};
use hozo_traits::{Ambient, Result, Store, exec};

pub use config::Config;

/// The backend's name, as in the config.
pub const NAME: &str = "fdb";

/// Opens the store with this prefix in the cluster, and makes it if nothing is
/// there. It has pages and records.
///
/// Loads the client library and starts its network thread, which ends with the
/// process, if no store did so before. Without a library, or with a
/// cluster that does not answer within the timeout, it is an error that says so. In a
/// process that was forked from one with open stores it is
/// [`Unavailable`](hozo_traits::ErrorKind::Unavailable): the library does not survive
/// a fork.
pub fn open(config: &Config, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
    config.check()?;
    let pages = OrderedPagesConfig {
        commit_id_keep: Duration::from_secs(config.commit_id_keep_s),
        strict: None,
    };
    let engine = engine::Engine::open(config, Arc::clone(&ambient))?;
    let store = async {
        engine.tidy().await?;
        OrderedStore::open(engine, pages, ambient).await
    };
    Ok(Arc::new(exec::block_on(store)?))
}
