//! Hozo's replication: records on several servers.
//!
//! [`Repl`] keeps an *update log* (ulog) of what is changed in the DBMs of a
//! stack, whatever backend they are in: [`Repl::open`] takes them, and gives them
//! back as DBMs whose updates are logged. It implements
//! [`Replicator`](hozo_traits::Replicator), which is what frontends serve: others
//! follow it by its [`ChangeFeed`](hozo_traits::ChangeFeed), and it follows others
//! through a [`Network`].
//!
//! # Updates and positions
//!
//! A server numbers the updates that it makes, and gives each a digest over all
//! before it. Wherever an update goes, it keeps these: a follower's log has them,
//! too. So a position says for each server how far its updates are there, and
//! means the same in every log. It needs no skew when the source is changed, an
//! update is never applied twice, chains and rings need nothing of their own, and
//! histories that are not the same are told apart.
//!
//! # What is promised
//!
//! - An update is in the log before it is in the records; after a crash the
//!   records get what they lack. So both agree, and a durable update costs one
//!   fsync, which all who wait share.
//! - Only what is on stable storage is given to followers: none has what its
//!   source can lose.
//! - A follower's position is its own log, written with what it is about.
//! - Two masters settle on the same values whatever the order in which they hear
//!   of each other: the later update stands, by time and server id, unless one
//!   knew of the other. What was lost is counted and can be looked at.
//! - After a power cut, a master's records may have updates for which nobody
//!   waited and that its log lost. Then followers load all records anew; they are
//!   told by the log itself.
//! - A master that hears of a newer epoch, which a promotion begins, takes no
//!   writes any more.
#![forbid(unsafe_code)]

mod apply;
mod batch;
mod clock;
mod config;
mod feed;
mod follow;
mod followers;
mod gate;
mod inflight;
mod keeper;
mod load;
mod loading;
mod logged;
mod merge;
pub mod offline;
mod pages;
mod repl;
mod retry;
mod role;
mod shared;
mod signal;
#[cfg(test)]
mod sim;
mod snapshot;
mod ulog;
mod unsettled;

pub use config::Config;
pub use follow::Network;
pub use pages::{Home, HomedPages};
pub use repl::{KIND, Open, Repl};
