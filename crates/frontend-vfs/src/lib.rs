//! SQLite over Hozo namespaces: a VFS, SQL functions, and nothing of SQLite
//! itself.
//!
//! A process may have several copies of SQLite: the program's own, the
//! system's, one inside a language's module. So this library links none. A copy
//! is a table of its functions ([`SqliteApi`]); a [`Vfs`] is registered in it
//! and asks a [`Resolver`] what a name stands for.
//!
//! ```no_run
//! # use std::sync::{Arc, OnceLock};
//! # use hozo_frontend_vfs::{Open, Opened, Resolver, SqliteApi, Vfs, sqlite_api};
//! # struct Stack;
//! # impl Resolver for Stack {
//! #     fn resolve(&self, _: &str, _: Open) -> hozo_traits::Result<Option<Opened>> { Ok(None) }
//! #     fn is_ours(&self, _: &str) -> bool { false }
//! # }
//! # fn main() -> hozo_traits::Result<()> {
//! static API: OnceLock<SqliteApi> = OnceLock::new();
//! let api = match API.get() {
//!     Some(api) => api,
//!     None => {
//!         let api = sqlite_api!(rusqlite::ffi)?;
//!         API.get_or_init(|| api)
//!     }
//! };
//! let vfs = Vfs::register(api, Arc::new(Stack), "hozo")?;
//! # let _ = vfs;
//! # Ok(())
//! # }
//! ```
//!
//! # How it is made
//!
//! A plain state machine, `connection`, knows snapshots, pending writes, the
//! writer slot and commits; it is tested without SQLite. Everything that touches
//! C is a thin shell over it, in `ffi`, `api`, `vfs` and `sql`. Where the
//! reasoning rests on what SQLite does, comments name its function.
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
