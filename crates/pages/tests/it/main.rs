//! Namespaces over the reference store.

mod commits;
mod concurrent;
mod heads;
mod history;
mod lists;
mod names;
mod probe;
mod races;
mod support;
