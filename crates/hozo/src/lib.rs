//! Hozo in a Rust program: one config file, its stores, and SQLite over them.
//!
//! From text to running parts in four steps, each to be seen by itself:
//!
//! 1. the text is parsed, and every key and value keeps its place in it;
//! 2. sections become typed settings;
//! 3. settings are checked against the [`Registry`] of backends and against the
//!    directories that they name, and become a [`Plan`];
//! 4. a plan is opened as a [`Stack`].
//!
//! Steps one to three collect everything that is wrong before they give up, as
//! [`Problems`]: each with file, line, column, what was probably meant and the
//! names that exist.
//!
//! # The config
//!
//! TOML; relative paths are relative to the file; unknown keys are errors.
//!
//! | section | key | meaning |
//! |---|---|---|
//! | `[store.NAME]` | `backend` | `rocksdb`, `memory`, or one that the program registered |
//! | | `path` | the store's directory, for backends that have one; made when first opened |
//! | | others | the backend's: the fields of its `Config` |
//! | `[[namespace]]` | `match` | the names that this is about, as a [`Pattern`] |
//! | | `store` | where they are; the first store unless given |
//! | | `concurrency` | `serial` or `optimistic`, instead of what each was created with |
//! | | `page_size` | that new ones start with, 512 to 65536; 4096 unless given |
//! | `[cache]` | `bytes` | of pages, for all databases of a process; 64 MiB unless given |
//! | `[[frontend]]` | `kind` | `vfs` |
//!
//! [`Stack`] says which names are namespaces.
//!
//! Nothing is opened before it is needed: a [`Stack`] costs no file and no
//! thread until the first name is looked up in a store, and after a fork the
//! child opens its stores anew.
#![deny(unsafe_code)]

mod lazy;
mod pattern;
mod plan;
mod problem;
mod process;
mod registry;
mod section;
mod settings;
mod stack;
mod text;

#[cfg(feature = "embedded")]
#[allow(unsafe_code, reason = "hands connections to the VFS as C pointers")]
mod embedded;

pub use hozo_frontend_vfs as vfs;
pub use hozo_pages as pages;
pub use hozo_traits as traits;
#[cfg(feature = "embedded")]
pub use rusqlite;

pub use lazy::LazyStack;
pub use pattern::Pattern;
pub use plan::{NamespaceRule, Plan, StorePlan};
pub use problem::{Problem, Problems};
pub use registry::{OpenStore, Registry};
pub use stack::Stack;
