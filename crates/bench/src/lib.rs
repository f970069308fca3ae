//! Measures Hozo's stores: the same workloads over every backend, on this
//! machine, with SQLite on a plain file as the yardstick in the same run.
//!
//! A [`Run`](run::Run) is a list of workloads and a list of targets. Each
//! [`Trial`](trial::Trial) fills a store, applies load to it
//! ([`driver`]) and answers what it [`Measured`](report::Measured). The
//! [`Report`](report::Report) has all trials, and is what tables, pages and
//! comparisons are made of.
//!
//! [`rpc`] does the same to servers of the DBM service, through their sockets.
//!
//! It knows no backend by name: whatever the [`Registry`](hozo::Registry) has
//! can be measured.
#![forbid(unsafe_code)]

pub mod clock;
pub mod compare;
pub mod driver;
#[cfg(test)]
mod example;
pub mod format;
pub mod keys;
pub mod latency;
pub mod launch;
pub mod machine;
pub mod random;
pub mod report;
pub mod rpc;
pub mod run;
pub mod stats;
pub mod subject;
pub mod trial;
pub mod usage;
pub mod workload;
