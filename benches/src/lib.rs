//! What the benchmarks share: databases to compare, and ratios to print.
//!
//! Every benchmark runs the same SQL over the same build of SQLite twice: on a
//! plain file, which is the yardstick, and on a Hozo namespace, in the same
//! scratch directory. Absolute times say more about the machine than about
//! Hozo; the ratios are what `docs/performance.md` reports.

mod ratios;
mod scratch;

pub use ratios::{Comparison, print_ratios};
pub use scratch::{Closed, Database, Kind, Scratch, criterion_dir};
