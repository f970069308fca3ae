//! The suites that say when a backend of Hozo is right.
//!
//! A backend implements [`Fixture`] and calls [`main`] from a
//! `tests/conformance.rs` that has `harness = false`:
//!
//! ```no_run
//! # use std::{path::Path, sync::Arc};
//! # use hozo_traits::{Ambient, PageStore, Result};
//! use hozo_conformance::{Fixture, Model};
//!
//! struct Mine;
//!
//! impl Fixture for Mine {
//!     fn name(&self) -> &str {
//!         "mine"
//!     }
//!     fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
//!         Ok(Model::new(ambient)) // yours, in `dir`
//!     }
//! }
//!
//! fn main() {
//!     hozo_conformance::main(Mine)
//! }
//! ```
//!
//! Every clause of [`PageStore`](hozo_traits::PageStore) is one or more named
//! trials (`PG-10/…`). What a store says it cannot do is reported as ignored.
//!
//! A backend that has records implements [`StoreFixture`](records::StoreFixture)
//! instead, and runs [`records::store_trials`], with a trial for each clause of
//! [`KvStore`](hozo_traits::KvStore) besides.
#![forbid(unsafe_code)]

mod ambient;
pub mod checker;
mod clauses;
pub mod crash;
mod double;
pub mod equality;
pub mod exec;
mod fixture;
#[cfg(test)]
mod flaws;
mod kit;
pub mod layer;
pub mod model;
mod peak;
pub mod records;
mod rng;
mod runner;

pub use libtest_mimic;

pub use ambient::TestAmbient;
pub use double::{Altered, Obfuscate, obfuscated};
pub use fixture::Fixture;
pub use model::{Model, ModelFixture};
pub use rng::{Rng, SEED_VARIABLE, seed};
pub use runner::{main, run, trials, trials_under};
