//! Commits of very many staged pages, where pointers to each would be too much for
//! one batch.
//!
//! Such a commit points to its stage as a whole: one record, where the namespace's
//! page 0 would be, which no page has. A page is as it was staged for such a bulk if its
//! image is there under the bulk's id, and nothing of the page's own is newer. So reading
//! looks for bulks as well, conditions are judged against them, and purging takes their
//! images.
//!
//! Only stores that other processes write as well have bulks: engines of this process
//! take batches large enough, and there a page that has no bulk costs nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use hozo_traits::{Commit, CommitId, Condition as Asked, NamespaceId, PageNo, Result, Version};

use crate::codec::Reader;
use crate::keys::{self, staged as staged_keys};
use crate::stage::StagedPages;
use crate::{Condition, KeyRange, OrderedEngine, OrderedPages, Scan, Space, Template, WriteOp};

const FORMAT: u8 = 1;

/// A commit's staged pages as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bulk {
    pub(crate) version: Version,
    pub(crate) id: CommitId,
}

/// For each namespace, up to which version no bulk has a page that a condition of the
/// commit is about.
pub(crate) type Passed = BTreeMap<NamespaceId, Version>;

fn key(namespace: NamespaceId, version: Version) -> Vec<u8> {
    [namespace.0.to_be_bytes().as_slice(), &[0; 4], version.as_bytes()].concat()
}

fn range(namespace: NamespaceId, from: Version, to: Version) -> KeyRange {
    KeyRange { start: key(namespace, from), end: key(namespace, to) }
}

/// Where bulks up to a version are.
pub(crate) fn up_to(namespace: NamespaceId, version: Version) -> KeyRange {
    range(namespace, Version::ZERO, version)
}

/// The largest version below this one.
pub(crate) fn below(version: Version) -> Option<Version> {
    let mut bytes = *version.as_bytes();
    let last = bytes.iter().rposition(|byte| *byte > 0)?;
    bytes[last] -= 1;
    bytes[last + 1..].fill(0xff);
    Some(Version::from_bytes(bytes))
}

/// The bulk of this record.
pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Bulk> {
    let version = keys::page_version(key)?;
    let mut reader = Reader(value);
    reader.format(FORMAT)?;
    let id = reader.commit_id()?;
    reader.end()?;
    Ok(Bulk { version, id })
}

/// Makes all that is staged in the namespace part of the version.
pub(crate) fn write(id: CommitId, namespace: NamespaceId) -> WriteOp {
    WriteOp::Put {
        space: Space::Pages,
        key: Template {
            bytes: key(namespace, Version::ZERO).into(),
            version_at: Some(keys::PAGE_VERSION_AT),
            time_at: None,
        },
        value: Template::plain([&[FORMAT], id.as_bytes().as_slice()].concat()),
    }
}

impl<E: OrderedEngine> OrderedPages<E> {
    /// Whether the store may have bulks.
    pub(crate) fn may_have_bulks(&self) -> bool {
        !self.engine.capabilities().exclusive
    }

    /// Whether a commit is to take these as a whole.
    pub(crate) fn is_bulk(&self, staged: &StagedPages) -> bool {
        self.may_have_bulks() && staged.len() > self.limits.pointers_max
    }

    /// Bulks from one version to another, both included, newest first.
    pub(crate) async fn bulks(
        &self,
        namespace: NamespaceId,
        from: Version,
        to: Version,
    ) -> Result<Vec<Bulk>> {
        if !self.may_have_bulks() || from > to {
            return Ok(Vec::new());
        }
        let (start, end) = (key(namespace, from), keys::after(key(namespace, to)));
        let (space, reverse, limit) = (Space::Pages, true, usize::MAX);
        let scan = Scan { space, start: &start, end: &end, reverse, limit, bytes_max: 0 };
        self.scan_all(scan).await?.iter().map(|(key, value)| decode(key, value)).collect()
    }

    /// What these pages are in a bulk; `None` for those that it has not.
    pub(crate) async fn in_bulk(
        &self,
        namespace: NamespaceId,
        bulk: &Bulk,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>> {
        let wanted: Vec<_> =
            pages.iter().map(|page| staged_keys::image(bulk.id, namespace, *page)).collect();
        self.engine.get_many(Space::Staged, &wanted).await
    }

    /// The newest bulk above a version that has the page.
    pub(crate) async fn newest_bulk_of(
        &self,
        namespace: NamespaceId,
        page: PageNo,
        above: Version,
    ) -> Result<Option<Version>> {
        let Some(from) = above.successor() else { return Ok(None) };
        for bulk in self.bulks(namespace, from, Version::MAX).await? {
            if self.in_bulk(namespace, &bulk, &[page]).await?.pop().flatten().is_some() {
                return Ok(Some(bulk.version));
            }
        }
        Ok(None)
    }

    /// For each namespace with conditions about pages, that no bulk has come which
    /// was not looked at.
    pub(crate) fn no_new_bulks(
        &self,
        commit: &Commit,
        passed: &Passed,
    ) -> Vec<(NamespaceId, Condition)> {
        if !self.may_have_bulks() {
            return Vec::new();
        }
        let mut since_all: BTreeMap<NamespaceId, Version> = BTreeMap::new();
        for condition in &commit.conditions {
            if let Asked::PageUnchanged { namespace, since, .. } = condition {
                let least = since_all.entry(*namespace).or_insert(*since);
                *least = (*least).min(*since);
            }
        }
        let condition = |(namespace, since): (NamespaceId, Version)| {
            let since = passed.get(&namespace).map_or(since, |passed| since.max(*passed));
            let range = range(namespace, since.successor()?, Version::MAX);
            Some((namespace, Condition::RangeEmpty { space: Space::Pages, range }))
        };
        since_all.into_iter().filter_map(condition).collect()
    }

    /// The first condition about a page that a bulk up to this one breaks, by its
    /// place among the commit's, and the bulk's version.
    pub(crate) async fn broken_by_bulk(
        &self,
        commit: &Commit,
        namespace: NamespaceId,
        newest: Version,
    ) -> Result<Option<(usize, Version)>> {
        let about = |condition: &Asked| match condition {
            Asked::PageUnchanged { namespace: of, page, since } if *of == namespace => {
                Some((*page, *since))
            }
            _ => None,
        };
        let asked: Vec<(usize, PageNo, Version)> = (commit.conditions.iter().enumerate())
            .filter_map(|(n, condition)| about(condition).map(|(page, since)| (n, page, since)))
            .collect();
        let pages: Vec<PageNo> = asked.iter().map(|(_, page, _)| *page).collect();
        let mut first: Option<(usize, Version)> = None;
        for bulk in self.bulks(namespace, Version::ZERO, newest).await? {
            let found = self.in_bulk(namespace, &bulk, &pages).await?;
            for ((n, _, since), image) in asked.iter().zip(found) {
                // Newest first: of one condition, the first that is found.
                let earlier = first.is_none_or(|(known, _)| *n < known);
                if image.is_some() && bulk.version > *since && earlier {
                    first = Some((*n, bulk.version));
                }
            }
        }
        Ok(first)
    }
}
