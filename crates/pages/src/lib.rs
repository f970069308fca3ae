//! Namespaces over any [`PageStore`](hozo_traits::PageStore): names,
//! snapshots, history, transactions.
//!
//! A *namespace* is one SQLite database in a page store: a name, a head, a
//! history. [`Namespaces`] finds and makes them; [`Namespace`] is one that was
//! opened. Everything here is written once, over the store's contract alone.
//!
//! # Reading
//!
//! [`Namespace::heads`] says what the newest version is; [`Namespace::read`]
//! reads pages as of any version. [`Target`] is `name` or `name@when`, and
//! [`Namespaces::resolve`] finds the version that it means.
//!
//! # Writing
//!
//! A transaction reads at a *base* version, collects its [`Changes`], and hands
//! them to [`Namespaces::commit`], which publishes any number of namespaces at
//! one version or none. In [`Concurrency::Serial`] the writer first takes the
//! namespace's [`WriterSlot`], so that its commit cannot conflict with another
//! serial writer's; in [`Concurrency::Optimistic`] nothing is reserved and the
//! commit says which pages it depends on.
//!
//! One process uses one [`Namespaces`] per store: writer slots are kept in it.
#![forbid(unsafe_code)]

mod commit;
mod heads;
mod history;
mod info;
mod keys;
mod name;
mod namespace;
mod namespaces;
mod naming;
mod records;
mod when;
mod writer;

pub use commit::{Changes, READ_PAGES_MAX, Reads};
pub use history::{COMMITS_COUNTED_MAX, LOG_ENTRIES_MAX, Resolved};
pub use info::{
    CommitCount, Concurrency, CreateOptions, DeletedNamespace, Head, Heads, NamespaceInfo,
    NamespaceStat,
};
pub use name::NamespaceName;
pub use namespace::{CHANGED_PAGES_MAX, CHANGES_ENTRIES_MAX, Namespace};
pub use namespaces::{LIST_ENTRIES_MAX, Namespaces};
pub use when::{TagName, Target, When, format_time, parse_time};
pub use writer::{WriterSlot, WriterTicket};
