//! Namespaces over the reference store.

mod commits;
mod heads;
mod history;
mod names;
mod probe;
mod races;
mod support;
