//! Loadable SQLite extension: the VFS `hozo` and the SQL functions, for
//! programs that can load extensions.
//!
//! ```text
//! sqlite> .load ./libhozo_sqlite_ext
//! sqlite> .open file:app?vfs=hozo
//! ```
//!
//! The library may have any name: both `sqlite3_hozo_init`, which SQLite looks
//! for in a `hozo.so`, and `sqlite3_extension_init` are there. Installed as
//! `hozo.so` where the linker looks, it is `.load hozo`.
//!
//! Loading registers the VFS, not as the default one, for every connection of
//! the process that has this SQLite, and adds the SQL functions to this
//! connection and to those opened later. It stays loaded. Nothing else happens
//! until the first `file:NAME?vfs=hozo` is opened or attached: then the config
//! is read, which is the one that `HOZO_CONFIG` names or else `hozo.toml` in the
//! current directory.
//!
//! Under the preload library, whose VFS `hozo` is already there, that one stays.
//!
//! The child of a process that had opened a store cannot open one itself.

mod entry;
mod store;

#[cfg(target_os = "linux")]
hozo_loaded::forget_destructors!();
