//! The sequencer and the page store over an engine that can hang, fail and
//! lose what was not synced.

mod bulks;
mod conditions;
mod engine;
mod faults;
mod group_commit;
mod kit;
mod leaving;
mod power_loss;
mod purging;
mod records;
#[path = "../conformance/shared.rs"]
mod shared;
mod storing;
