//! [`PageStore`](hozo_traits::PageStore) and [`KvStore`](hozo_traits::KvStore),
//! written once over any ordered key-value engine, with the commit sequencer that
//! local engines share.
//!
//! A backend over a local engine implements [`LocalEngine`]; over an engine
//! that orders commits by itself, [`OrderedEngine`]. From below:
//!
//! - a [`LocalEngine`] gets, scans, applies one batch at a time and syncs. It
//!   says its [`Limits`], and keeps [`Space`]s apart;
//! - [`Sequenced`] makes an [`OrderedEngine`] of it: it judges conditions, gives
//!   versions, and lets all who wait for the disk share an fsync;
//! - [`OrderedStore`] is pages and records over that: [`OrderedPages`], with
//!   deltas, staged pages, the log and purging; and an [`OrderedKv`] for each
//!   DBM, with latches on keys and counts kept in parts.
//!
//! [`GroupSync`] is for engines that order writes by themselves and want to share
//! fsyncs in the same way. [`salvage`] sets right what a repair of an engine's
//! files has left of pages.
#![forbid(unsafe_code)]

mod bulk;
mod changes;
mod check;
mod codec;
mod commit;
mod commit_pages;
mod conditions;
mod engine;
mod group_sync;
mod keys;
mod limits;
mod log;
mod pages;
mod purge;
mod read;
mod records;
pub mod salvage;
mod scan;
mod sequencer;
mod stage;
mod write;

pub use engine::{KeyRange, LocalEngine, NotApplied, Op, OrderedEngine, Pair, Scan, Space};
pub use group_sync::{GroupSync, GroupSyncConfig, Mark, Marks, PoisonGuard, Wait};
pub use limits::{Limits, Overhead};
pub use pages::{OrderedPages, OrderedPagesConfig};
pub use records::{OrderedKv, OrderedStore};
pub use sequencer::Sequenced;
pub use write::{Clock, Condition, Floor, Numbering, Template, Write, WriteOp, WriteOutcome};
