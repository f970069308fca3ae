//! SQLite VFS over Hozo namespaces.
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "C function pointers")]
mod api;
mod cache;
mod code;
mod connection;
#[allow(unsafe_code, reason = "C layouts")]
pub mod ffi;
mod group;
mod memfile;
mod page1;
mod pending;
#[allow(unsafe_code, reason = "a static that forks replace")]
mod process;
mod resolver;
mod shared;
#[allow(unsafe_code, reason = "called by C")]
mod sql;
#[allow(unsafe_code, reason = "called by C")]
mod vfs;
mod wait;

pub use api::{Destructor, FinalFn, SqlFn, SqliteApi};
pub use resolver::{Open, Opened, Resolver};
pub use sql::register_functions;
pub use vfs::{Options, Vfs, clear_page_cache, set_page_cache_bytes_max};
