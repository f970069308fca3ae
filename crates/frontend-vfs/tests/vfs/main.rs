//! SQLite over the VFS: one test per clause of what it promises, each named
//! after what would go wrong without its cure.
#![allow(missing_docs, reason = "tests")]

mod answers;
mod basics;
mod faults;
mod features;
mod forks;
mod history;
mod kit;
mod lists;
mod optimistic;
mod serial;
mod sizes;
mod traps;
