//! [`PageStore`](hozo_traits::PageStore), written once over any ordered
//! key-value engine, with the commit sequencer that local engines share.
//!
//! A backend over a local engine implements [`LocalEngine`]; over an engine
//! that orders commits by itself, [`OrderedEngine`].
#![forbid(unsafe_code)]

mod check;
mod codec;
mod commit;
mod commit_pages;
mod conditions;
mod engine;
mod keys;
mod log;
mod pages;
mod purge;
mod read;
mod scan;
mod sequencer;
mod stage;
mod write;

pub use engine::{KeyRange, Limits, LocalEngine, Op, OrderedEngine, Pair, Scan, Space};
pub use pages::{OrderedPages, OrderedPagesConfig};
pub use sequencer::Sequenced;
pub use write::{Clock, Condition, Floor, Numbering, Template, Write, WriteOp, WriteOutcome};
