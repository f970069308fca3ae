//! What the benchmarks share: databases to compare, ratios to print, and
//! engines by themselves.
//!
//! Every benchmark of `sqlite` runs the same SQL over the same build of SQLite: on a
//! plain file, which is the yardstick, and on a Hozo namespace over each backend
//! that is for this, in the same scratch directory. Absolute times say more about the machine than about
//! Hozo; the ratios are what `docs/performance.md` reports.

pub mod engines;
mod ratios;
mod scratch;

pub use ratios::{Comparison, print_ratios};
pub use scratch::{Closed, Database, Kind, Scratch, backends, criterion_dir};
