//! The suite for records: every clause of [`KvStore`](hozo_traits::KvStore),
//! every edge of the DBM's operations, and what must hold with many threads,
//! over crashes, and for the effects that a log would have.

mod bank;
mod clauses;
mod crash;
mod effects;
mod equality;
mod fixture;
#[cfg(test)]
mod flaws;
pub mod histories;
mod kit;
pub mod layer;
mod model;
mod runner;

pub use effects::{Log, Logged};
pub use fixture::{PagesOf, StoreFixture};
pub use model::{KvModel, StoreModel, StoreModelFixture};
pub use runner::{record_trials, record_trials_under, store_trials, store_trials_under};
