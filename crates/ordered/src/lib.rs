//! [`PageStore`](hozo_traits::PageStore), written once over any ordered
//! key-value engine, with the commit sequencer that local engines share.
//!
//! A backend over a local engine implements [`LocalEngine`]; over an engine
//! that orders commits by itself, [`OrderedEngine`].
#![forbid(unsafe_code)]

mod engine;
mod write;

pub use engine::{KeyRange, Limits, LocalEngine, Op, OrderedEngine, Pair, Scan, Space};
pub use write::{Clock, Condition, Floor, Numbering, Template, Write, WriteOp, WriteOutcome};
