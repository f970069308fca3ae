//! Which names are Hozo's, and what they stand for.

use std::sync::Arc;

use hozo_pages::{Concurrency, Head, Namespace};
use hozo_traits::Result;

/// How SQLite wants a database opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Open {
    /// Make it if it is not there (`SQLITE_OPEN_CREATE`).
    pub create: bool,
    /// It will only be read (`SQLITE_OPEN_READONLY`).
    pub readonly: bool,
}

/// What a name stands for.
#[derive(Clone)]
pub struct Opened {
    /// The namespace, from the one `Namespaces` that the process has for its
    /// store: writer slots live there.
    pub namespace: Arc<Namespace>,
    /// The one version to show, read-only; `None` for the head.
    pub snapshot: Option<Head>,
    /// How this connection writes, if not as the namespace says.
    pub concurrency: Option<Concurrency>,
}

/// Tells the VFS which names are Hozo's. The facade implements it.
///
/// Called on SQLite's threads, when a database is opened or attached.
pub trait Resolver: Send + Sync {
    /// What `name` stands for; `None` if it is not Hozo's, so that it is a
    /// plain file. The name is as the program gave it (`app`, `app@-5m`),
    /// without URI parts.
    fn resolve(&self, name: &str, intent: Open) -> Result<Option<Opened>>;

    /// Whether [`resolve`](Self::resolve) would answer a namespace, without
    /// making one. Asked before SQLite makes a path of a name.
    fn is_ours(&self, name: &str) -> bool;
}
