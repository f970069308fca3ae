//! Turning what a transaction did into one commit of the store.

use std::collections::HashSet;
use std::sync::Arc;

use hozo_traits::{
    Commit, CommitId, CommitOutcome, Condition, Conflict, Durability, Error, ErrorKind,
    NamespaceChange, PageNo, PageSize, PageWrite, Result, Version,
};

use crate::{Namespace, Namespaces, keys};

/// Pages of one read set that are checked one by one. A larger set depends on
/// the whole namespace instead: more conflicts, never a missed one.
pub const READ_PAGES_MAX: usize = 65536;

/// What a transaction did to one namespace.
#[derive(Debug)]
pub struct Changes {
    /// The namespace.
    pub namespace: Arc<Namespace>,
    /// The version that the transaction read at.
    pub base: Version,
    /// What the commit depends on.
    pub reads: Reads,
    /// Pages to write, each at most once. Staged pages come besides.
    pub writes: Vec<PageWrite>,
    /// The size of a page afterwards.
    pub page_size: PageSize,
    /// Pages in the database afterwards.
    pub page_count: u32,
}

/// What a commit depends on: it conflicts if any of this was written after
/// [`Changes::base`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reads {
    /// The whole namespace: a serial writer, who holds the slot.
    Whole,
    /// These pages, in any order, repeated or not, and page 1 besides, always:
    /// it holds the database's size, so who changes that writes page 1.
    Pages(Vec<PageNo>),
}

impl Namespaces {
    /// Publishes the changes of one transaction, in all their namespaces at one
    /// version or not at all.
    ///
    /// - A conflict is on a page or a namespace; the transaction may be tried
    ///   again from a new base, with a new id.
    /// - A namespace that was deleted while it was open is
    ///   [`NotFound`](ErrorKind::NotFound).
    /// - With [`Durability::Sequenced`] the answer comes as soon as the commit
    ///   is ordered. A serial writer then releases its slot and, if it promised
    ///   more, calls [`Namespace::wait_durable`].
    pub async fn commit(
        &self,
        id: CommitId,
        changes: Vec<Changes>,
        durability: Durability,
    ) -> Result<CommitOutcome> {
        let mut conditions = Vec::new();
        let mut writes = Vec::with_capacity(changes.len());
        let mut opened = Vec::with_capacity(changes.len());
        let mut seen = HashSet::new();
        for change in &changes {
            let namespace = &change.namespace;
            if !std::ptr::eq(self, &**namespace.namespaces()) {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "one commit cannot write namespaces of two stores",
                )
                .with("namespace", &namespace.info.name));
            }
            if !seen.insert(namespace.info.id) {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "a namespace appears twice in one commit",
                )
                .with("namespace", &namespace.info.name));
            }
            if change.reads == Reads::Whole {
                namespace.require_exclusive()?;
            }
            // First, so that a deleted namespace is told before any conflict.
            conditions.push(Condition::MetaEquals {
                key: keys::id(namespace.info.id),
                value: Some(namespace.id_record.clone()),
            });
        }
        for change in changes {
            depend(&mut conditions, &change);
            writes.push(NamespaceChange {
                namespace: change.namespace.info.id,
                writes: change.writes,
                page_size: change.page_size,
                page_count: change.page_count,
            });
            opened.push(change.namespace);
        }
        let commit = Commit {
            id,
            conditions,
            namespaces: writes,
            meta: Vec::new(),
            durability,
            time: self.ambient().now(),
            at: None,
        };
        match self.store().commit(commit).await? {
            CommitOutcome::Conflict(Conflict::Meta { key }) => Err(refused(&opened, &key)),
            outcome => Ok(outcome),
        }
    }
}

/// The conditions of one namespace's part.
fn depend(conditions: &mut Vec<Condition>, change: &Changes) {
    let namespace = change.namespace.info.id;
    let since = change.base;
    match &change.reads {
        Reads::Pages(pages) if pages.len() < READ_PAGES_MAX => {
            let mut pages = pages.clone();
            pages.push(PageNo::ONE);
            pages.sort_unstable();
            pages.dedup();
            conditions.extend(pages.into_iter().map(|page| Condition::PageUnchanged {
                namespace,
                page,
                since,
            }));
        }
        _ => conditions.push(Condition::NamespaceUnchanged { namespace, since }),
    }
}

/// Why a store refused over metadata: an id record never changes, so it is gone.
fn refused(opened: &[Arc<Namespace>], key: &[u8]) -> Error {
    let deleted = opened.iter().find(|namespace| keys::id(namespace.info.id) == key);
    match deleted {
        Some(namespace) => Error::new(
            ErrorKind::NotFound,
            "the namespace was deleted while it was open; nothing was committed",
        )
        .with("namespace", &namespace.info.name)
        .with("id", namespace.info.id),
        None => Error::new(
            ErrorKind::Internal,
            "the store conflicts on metadata that no condition names",
        )
        .with("key", key.escape_ascii()),
    }
}
