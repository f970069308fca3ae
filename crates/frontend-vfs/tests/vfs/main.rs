//! SQLite over the VFS: one test per clause of what it promises, each named
//! after what would go wrong without its cure.
#![allow(missing_docs, reason = "tests")]

mod basics;
mod faults;
mod features;
mod kit;
mod serial;
mod traps;
