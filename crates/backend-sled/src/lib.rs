//! Hozo backend over sled 0.34: **experimental**. One database per store, in a
//! directory of its own, for one process at a time, in pure Rust.
//!
//! sled 0.34.7 is of 2021 and has had no stable release since; it calls itself
//! beta, and advises to use SQLite where reliability counts most. Take this
//! store to try things, to compare, or where nothing but Rust may be compiled;
//! keep a copy of what you cannot lose.
//!
//! # What is kept
//!
//! The conformance suite passes but for one clause, see below. Commits are
//! atomic, and what a process that was killed had sequenced is there
//! afterwards: tried with thousands of kills, with next to no cache too.
//! A full disk is an error, and the store goes on when there is room again.
//!
//! sled's own flush is not enough for a durable commit: it asks for blocks to
//! be written (`sync_file_range`), but not for the disk's cache or the file's
//! metadata, and never syncs the files of large values. So this crate syncs
//! them itself: for each durable commit, and before sled could write over what
//! a power cut would still need. In a model that loses any of the blocks
//! written since the last sync, that left a prefix with every durable commit in
//! it each time; without, one cut in twenty took durable commits or left a
//! store that does not open. It rests on when sled reuses its segments, which
//! is nowhere promised, and was not tried with values that are files of their
//! own. sled's own flushing thread, which moves data in between, is off.
//!
//! # What is not promised
//!
//! - **Damage may go unnoticed.** sled takes a damaged place in its log for the
//!   end of a segment, or of the log, and goes on without what follows. Of
//!   single bits changed anywhere in a log of 3 MiB, a quarter made durable
//!   commits disappear, or old images of pages come back, without a word; a
//!   third was refused, and the others hit nothing in use. Of logs that were
//!   cut short up to half opened with less. Never was a page of other bytes read
//!   than some commit had written.
//! - **sled panics** at much of what it does not expect. Where it does so in a
//!   call of ours, the panic becomes an error of kind
//!   [`Corrupt`](hozo_traits::ErrorKind::Corrupt) (the panic hook has its say
//!   first). Where it does so on a thread of its own, calls that wait for that
//!   thread may wait for ever.
//! - **Memory of a large commit**: sled keeps a copy of a node for each key that
//!   a batch changes until the batch ends, several KiB each; a commit of 12,000
//!   staged pages took 110 MB. `PG-23/the_commit_needs_no_memory_for_the_bytes`
//!   is reported as ignored. Removing a range costs as much for each of its
//!   keys. The cache counts roughly.
//! - **Space**: the store took two to two and a half times the bytes of all
//!   images in it, random ones of 4 KiB.
//! - **Time**: every commit waits for the disk, `sequenced` ones too, as sled
//!   has no other way to write: 0.4 to 0.7 ms for a page of 4 KiB, of either
//!   kind. Opening takes longer the larger the store is: 0.5 s for 430 MiB.
//!   Pages of 64 KiB become files of their own, and a durable commit of one
//!   took 10 ms.
//! - **Forks**: a process that is forked from one with an open store cannot use
//!   it, and keeps others from opening it as long as it lives.
#![forbid(unsafe_code)]

mod config;
mod directory;
mod engine;

use std::sync::Arc;
use std::time::Duration;

use hozo_ordered::{Limits, OrderedPagesConfig, OrderedStore, Sequenced};
use hozo_traits::{Ambient, Result, Store, exec};

pub use config::Config;

/// The backend's name, as in the config.
pub const NAME: &str = "sled";

/// Opens the store in the config's directory, and makes it if nothing is there.
/// It has pages and records.
///
/// A store that is open elsewhere is waited for, then
/// [`Busy`](hozo_traits::ErrorKind::Busy); the error names the process where
/// the system tells. A store whose damage sled notices is
/// [`Corrupt`](hozo_traits::ErrorKind::Corrupt). Blocks; longer the larger the
/// store is.
pub fn open(config: &Config, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
    let pages = OrderedPagesConfig {
        commit_id_keep: Duration::from_secs(config.commit_id_keep_s),
        strict: config.strict.then_some(Limits::FOUNDATIONDB),
    };
    let engine = Sequenced::open(engine::Engine::open(config)?)?;
    Ok(Arc::new(exec::block_on(OrderedStore::open(engine, pages, ambient))?))
}
