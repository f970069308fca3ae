//! Conditions of a commit, and what they mean to the engine.

use hozo_traits::{Commit, Condition as Asked, Conflict, NamespaceId, PageNo, Result, Version};

use crate::codec::corrupt;
use crate::{Condition, KeyRange, Pair, Space, keys};

/// The engine's condition for one that was asked for.
pub(crate) fn asked(condition: &Asked) -> Condition {
    // Above every version there is nothing.
    let nothing = || KeyRange { start: vec![1], end: vec![0] };
    match condition {
        Asked::PageUnchanged { namespace, page, since } => Condition::RangeEmpty {
            space: Space::Pages,
            range: since.successor().map_or_else(nothing, |from| {
                keys::page_range(*namespace, *page, from, Version::MAX)
            }),
        },
        Asked::NamespaceUnchanged { namespace, since } => Condition::RangeEmpty {
            space: Space::Log,
            range: since.successor().map_or_else(nothing, |from| KeyRange {
                start: keys::log(*namespace, from),
                end: keys::log(*namespace, Version::MAX),
            }),
        },
        Asked::MetaEquals { key, value } => {
            Condition::KeyIs { space: Space::Meta, key: key.to_vec(), value: value.clone() }
        }
    }
}

/// What the failed condition means to who asked for it.
pub(crate) fn conflict(failed: &Asked, found: Option<Pair>) -> Result<Conflict> {
    let key = || match &found {
        Some((key, _)) => Ok(key),
        None => Err(corrupt("a range that is not empty has no last key")),
    };
    Ok(match failed {
        Asked::PageUnchanged { namespace, page, .. } => {
            let version = keys::page_version(key()?)?;
            Conflict::Page { namespace: *namespace, page: *page, version }
        }
        Asked::NamespaceUnchanged { namespace, .. } => {
            let version = keys::log_version(key()?)?;
            Conflict::Namespace { namespace: *namespace, version }
        }
        Asked::MetaEquals { key, .. } => Conflict::Meta { key: key.clone() },
    })
}

/// Which version a page's newest record has as long as the commit's conditions
/// hold: at or below the one answered, if any.
pub(crate) fn unchanged_since(commit: &Commit, of: NamespaceId) -> Covered {
    let mut covered = Covered::default();
    for condition in &commit.conditions {
        match condition {
            Asked::NamespaceUnchanged { namespace, since } if *namespace == of => {
                covered.namespace = covered.namespace.max(Some(*since));
            }
            Asked::PageUnchanged { namespace, page, since } if *namespace == of => {
                covered.pages.push((*page, *since));
            }
            _ => {}
        }
    }
    covered.pages.sort_unstable();
    covered
}

/// What a commit's conditions say about the pages of a namespace.
#[derive(Default)]
pub(crate) struct Covered {
    namespace: Option<Version>,
    pages: Vec<(PageNo, Version)>,
}

impl Covered {
    /// A version since which the page is unchanged if the commit is made.
    pub(crate) fn since(&self, page: PageNo) -> Option<Version> {
        let after = self.pages.partition_point(|(p, _)| *p <= page);
        let by_page = after.checked_sub(1).map(|i| self.pages[i]).filter(|(p, _)| *p == page);
        by_page.map(|(_, since)| since).max(self.namespace)
    }
}
