//! SQLite VFS over Hozo namespaces.

#[allow(clippy::undocumented_unsafe_blocks, reason = "inside the macro each has its reason")]
mod api;
pub mod ffi;
mod resolver;

pub use api::SqliteApi;
pub use resolver::{Open, Opened, Resolver};
