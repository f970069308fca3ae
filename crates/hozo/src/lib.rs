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
//! Nothing is opened before it is needed: a [`Stack`] costs no file and no
//! thread until the first name is looked up in a store, and after a fork the
//! child opens its stores anew.
#![deny(unsafe_code)]

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
mod embedded;

pub use hozo_frontend_vfs as vfs;
pub use hozo_pages as pages;
pub use hozo_traits as traits;
#[cfg(feature = "embedded")]
pub use rusqlite;

pub use pattern::Pattern;
pub use plan::{NamespaceRule, Plan, StorePlan};
pub use problem::{Problem, Problems};
pub use registry::{OpenStore, Registry};
pub use stack::Stack;
