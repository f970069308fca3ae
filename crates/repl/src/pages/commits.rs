//! Reading a commit back, a piece at a time.

use bytes::Bytes;
use hozo_traits::{
    ChangeEntry, Error, ErrorKind, LogEntry, LogQuery, NamespaceId, NamespacePages, NamespaceShape,
    PageImage, PageNo, PageRuns, PageStore, PageStoreExt, PagesEnd, Result, Span, Version,
};

/// Pages that are read at once, whatever their size.
const PAGES_AT_ONCE: usize = 256;

/// One commit, as far as it was read.
pub(super) struct Commit {
    change: ChangeEntry,
    /// The namespaces that were begun.
    shapes: Vec<NamespaceShape>,
    /// What is left of the last of these.
    left: Option<Left>,
}

/// The pages of one namespace that are left to read.
struct Left {
    entry: LogEntry,
    cursor: Cursor,
    /// The last page that the namespace had before or has now.
    last: u32,
}

/// Where reading is.
#[derive(Clone, Copy)]
enum Cursor {
    /// In the list of the commit's pages: which run, and where in it.
    Listed { run: usize, offset: u32 },
    /// The list was too long, so all pages are looked at: the next one, and how
    /// many the commit wrote that were found.
    All { next: u32, found: u32 },
}

/// What comes next of a commit.
pub(super) enum Step {
    /// Pages; perhaps none yet.
    Pages(NamespacePages),
    /// There are no more.
    End(PagesEnd),
}

impl Commit {
    pub(super) fn new(change: ChangeEntry) -> Commit {
        Commit { change, shapes: Vec::new(), left: None }
    }

    pub(super) fn change(&self) -> &ChangeEntry {
        &self.change
    }

    /// Reads on, about `room` bytes and at least a page. May be dropped while it
    /// waits: it is as far as it was then.
    pub(super) async fn step(&mut self, store: &dyn PageStore, room: usize) -> Result<Step> {
        let version = self.change.version;
        let Some(left) = &mut self.left else {
            let Some(namespace) = self.change.namespaces.get(self.shapes.len()).copied() else {
                let time = self.change.time;
                let (namespaces, meta) = (self.shapes.clone(), self.change.meta.clone());
                return Ok(Step::End(PagesEnd { time, namespaces, meta }));
            };
            let entry = entry(store, namespace, version).await?;
            let last = match (&entry.pages, version.predecessor()) {
                (None, Some(before)) => store.head(namespace, before).await?,
                _ => None,
            };
            let last = last.map_or(0, |before| before.page_count).max(entry.page_count);
            let (page_size, page_count) = (entry.page_size, entry.page_count);
            self.shapes.push(NamespaceShape { namespace, page_size, page_count });
            let cursor = match entry.pages {
                Some(_) => Cursor::Listed { run: 0, offset: 0 },
                None => Cursor::All { next: 1, found: 0 },
            };
            self.left = Some(Left { entry, cursor, last });
            return Ok(Step::Pages(NamespacePages { namespace, pages: Vec::new() }));
        };
        let namespace = self.shapes[self.shapes.len() - 1].namespace;
        let at_once = (room / left.entry.page_size.get() as usize).clamp(1, PAGES_AT_ONCE);
        let (wanted, after) = left.next(at_once);
        if wanted.is_empty() {
            left.is_whole(namespace)?;
            self.left = None;
            return Ok(Step::Pages(NamespacePages { namespace, pages: Vec::new() }));
        }
        let images = store.read_pages(namespace, &wanted, version).await;
        let images = images.map_err(|error| collected(error, namespace))?;
        let mut pages = Vec::new();
        for (page, image) in wanted.iter().zip(images) {
            match image {
                Some(PageImage { version: by, bytes }) if by == version => {
                    pages.push((*page, bytes));
                }
                _ if matches!(after, Cursor::All { .. }) => {}
                _ => {
                    let error = Error::new(ErrorKind::VersionGone, COLLECTED);
                    return Err(error.with("namespace", namespace).with("page", page));
                }
            }
        }
        left.went(after, &pages);
        Ok(Step::Pages(NamespacePages { namespace, pages }))
    }
}

const COLLECTED: &str = "pages of a commit were collected, so it cannot be given to a follower that \
                         lacks it: let the follower begin with a copy of this store";

fn collected(error: Error, namespace: NamespaceId) -> Error {
    match error.kind() {
        ErrorKind::VersionGone => Error::new(ErrorKind::VersionGone, COLLECTED)
            .with("namespace", namespace)
            .caused_by(error),
        _ => error,
    }
}

async fn entry(store: &dyn PageStore, namespace: NamespaceId, at: Version) -> Result<LogEntry> {
    let span = Span::Versions(at, at);
    let query = LogQuery { namespace, span, newest_first: false, limit: 1 };
    store.log(query).await?.pop().ok_or_else(|| {
        Error::new(ErrorKind::Corrupt, "the log of a namespace lacks what the list of changes has")
            .with("namespace", namespace)
            .with("version", at)
    })
}

impl Left {
    /// The next pages to look at, and where reading is after them.
    fn next(&self, most: usize) -> (Vec<PageNo>, Cursor) {
        match (self.cursor, &self.entry.pages) {
            (Cursor::Listed { run, offset }, Some(runs)) => listed(runs, run, offset, most),
            (Cursor::All { next, found }, _)
                if found < self.entry.pages_written && next <= self.last =>
            {
                let upto = next.saturating_add(most as u32).min(self.last.saturating_add(1));
                let pages = (next..upto).filter_map(PageNo::new).collect();
                (pages, Cursor::All { next: upto, found })
            }
            (cursor, _) => (Vec::new(), cursor),
        }
    }

    fn went(&mut self, after: Cursor, pages: &[(PageNo, Bytes)]) {
        self.cursor = match after {
            Cursor::All { next, found } => {
                Cursor::All { next, found: found.saturating_add(pages.len() as u32) }
            }
            listed => listed,
        };
    }

    /// An error if fewer pages were found than the commit wrote.
    fn is_whole(&self, namespace: NamespaceId) -> Result<()> {
        match self.cursor {
            Cursor::All { found, .. } if found < self.entry.pages_written => {
                Err(Error::new(ErrorKind::VersionGone, COLLECTED)
                    .with("namespace", namespace)
                    .with("pages_written", self.entry.pages_written)
                    .with("pages_found", found))
            }
            _ => Ok(()),
        }
    }
}

/// Pages of a list from a place on.
fn listed(runs: &PageRuns, mut run: usize, mut offset: u32, most: usize) -> (Vec<PageNo>, Cursor) {
    let mut pages = Vec::new();
    while let Some((first, count)) = runs.runs().get(run)
        && pages.len() < most
    {
        if offset == *count {
            (run, offset) = (run + 1, 0);
            continue;
        }
        pages.extend(first.get().checked_add(offset).and_then(PageNo::new));
        offset += 1;
    }
    (pages, Cursor::Listed { run, offset })
}
