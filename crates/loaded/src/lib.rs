//! What the libraries have in common that are loaded into programs of other
//! people: the preload library and the SQLite extension.
//!
//! - [`link`] is for their `build.rs`: how they are linked.
//! - [`forget_destructors!`] is for their `lib.rs`: what does not happen when the
//!   program ends.
//! - `kit`, a feature, is for their tests: programs, and places to run them in.
#![forbid(unsafe_code)]

mod exit;
pub mod link;

#[cfg(feature = "kit")]
pub mod kit;
