//! A test double of libfdb_c, FoundationDB's client library: the same C functions,
//! over a store in memory instead of a cluster.
//!
//! It is opened at run time as the real one is, and behaves as it does where
//! `hozo-backend-fdb` could tell the difference: versions of many at once, conflict
//! ranges, versionstamps, atomic operations, watches, reading one's writes, ranges
//! in parts, the limits of transactions with their error codes, and a network
//! thread on which everything happens. What the documentation leaves open it does
//! in the way that is least convenient for who uses it.
//!
//! Nothing in it depends on time. Its clock moves by a step with each commit, and
//! with [`hozo_double_advance`](ffi::hozo_double_advance); nothing waits. The
//! functions that begin with `hozo_double_` also make calls fail, and cut the
//! network.
//!
//! A cluster is what the connection string says, and lasts as long as the process.
//! That a program works over this says nothing about FoundationDB itself.

mod atomic;
mod cluster;
mod codes;
mod faults;
pub mod ffi;
mod future;
mod mutation;
mod network;
mod range;
mod store;
#[cfg(test)]
mod tests;
mod transaction;
