//! The list of all that a page store committed.

use bytes::Bytes;

use crate::{CommitId, NamespaceId, Timestamp, Version};

/// One commit, as the store's list of changes has it: what it wrote besides
/// pages, and in which namespaces it wrote those. Which pages they were says
/// the [`LogEntry`](crate::LogEntry) of each namespace at this version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeEntry {
    /// The commit's version.
    pub version: Version,
    /// Its time; its log entries have the same.
    pub time: Timestamp,
    /// Its id.
    pub commit_id: CommitId,
    /// The namespaces to whose logs it added an entry, in the commit's order.
    pub namespaces: Vec<NamespaceId>,
    /// Keys and values of the metadata that it wrote, in its order; `None`
    /// where it removed the key. The version stands in values where it was put.
    pub meta: Vec<(Bytes, Option<Bytes>)>,
}
