//! What the end-to-end tests stand on: the built programs, a scratch directory
//! with a store, and ways to run things in it that cannot hang.
#![forbid(unsafe_code)]

mod built;
pub mod fuzz;
mod ports;
mod random;
mod readme;
mod run;
mod scratch;

pub use built::{
    Built, built, bundled_sqlite_source, can_mount, have, is_root, python_environment, repository,
};
pub use ports::{free_port, with_free_ports};
pub use random::{Random, crash_rounds};
pub use readme::{Block, blocks};
pub use run::{Ran, Run, Running};
pub use scratch::{Scratch, init_args};
