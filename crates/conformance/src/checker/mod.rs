//! Are concurrent commits serializable?
//!
//! [`check`] and [`check_strict`] judge any [`History`] of list appends,
//! whoever recorded it. [`bank()`] and [`list_append`] run transactions over a
//! page store whose commits overlap in flight, and judge them.

mod append;
mod bank;
mod client;
mod gate;
mod graph;
mod history;
mod lists;
mod violation;

#[cfg(test)]
mod tests;

pub use append::{check, check_strict};
pub use bank::bank;
pub use client::{Drive, Guarding, Setup};
pub use gate::{Gate, Overlap};
pub use history::{History, Key, Op, Outcome, Recorder, Recording, Tick, Txn, Value};
pub use lists::list_append;
pub use violation::{Anomaly, Report, Violation};
