//! The page log: one entry per commit of a namespace.

use crate::{CommitId, NamespaceId, PageNo, PageSize, Timestamp, Version};

/// One commit of one namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// The commit's version, the same in every namespace that it wrote.
    pub version: Version,
    /// When it was committed. Never less than that of the namespace's entry
    /// before it, whatever the clock did.
    pub time: Timestamp,
    /// The commit's id.
    pub commit_id: CommitId,
    /// Pages that it wrote.
    pub pages_written: u32,
    /// Which pages it wrote; `None` when they were too scattered to list.
    pub pages: Option<PageRuns>,
    /// The size of a page after it.
    pub page_size: PageSize,
    /// Pages in the namespace after it.
    pub page_count: u32,
}

/// A set of pages as ascending, disjoint, non-adjacent runs: (first page, how many).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageRuns(Vec<(PageNo, u32)>);

impl PageRuns {
    /// The runs of these pages, in any order, repeated or not.
    pub fn of(pages: impl IntoIterator<Item = PageNo>) -> Self {
        let mut pages: Vec<PageNo> = pages.into_iter().collect();
        pages.sort_unstable();
        pages.dedup();
        let mut runs: Vec<(PageNo, u32)> = Vec::new();
        for page in pages {
            match runs.last_mut() {
                Some((first, count)) if first.get() + *count == page.get() => *count += 1,
                _ => runs.push((page, 1)),
            }
        }
        PageRuns(runs)
    }

    /// These runs; `None` unless they are as the type says.
    pub fn from_runs(runs: Vec<(PageNo, u32)>) -> Option<Self> {
        let mut after = 0;
        for (first, count) in &runs {
            let first = u64::from(first.get());
            // Equal to `after` only at the start: page 0 does not exist.
            if *count == 0 || first <= after || first + u64::from(*count) > 1 << 32 {
                return None;
            }
            after = first + u64::from(*count);
        }
        Some(PageRuns(runs))
    }

    /// The runs, for encoding.
    pub fn runs(&self) -> &[(PageNo, u32)] {
        &self.0
    }

    /// Every page of the set, ascending.
    pub fn pages(&self) -> impl Iterator<Item = PageNo> + '_ {
        self.0.iter().flat_map(|(first, count)| {
            (0..*count).filter_map(|n| first.get().checked_add(n).and_then(PageNo::new))
        })
    }

    /// Whether the set has `page`.
    pub fn contains(&self, page: PageNo) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= page);
        after > 0 && {
            let (first, count) = self.0[after - 1];
            page.get() - first.get() < count
        }
    }
}

/// Which part of a page log to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogQuery {
    /// The namespace.
    pub namespace: NamespaceId,
    /// By version or by time; both ends included.
    pub span: Span,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
    /// At most so many entries.
    pub limit: usize,
}

/// The two ends of a log query, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    /// Versions from, to.
    Versions(Version, Version),
    /// Moments from, to.
    Times(Timestamp, Timestamp),
}
