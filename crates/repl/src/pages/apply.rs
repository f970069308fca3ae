//! Doing what a source committed.

use bytes::Bytes;
use hozo_traits::{
    Commit, CommitId, CommitOutcome, Committed, Condition, Durability, Error, ErrorKind, MetaValue,
    MetaWrite, NamespaceChange, NamespaceId, NamespacePages, NamespaceShape, PageNo, PageWrite,
    PagesEnd, PagesPiece, Patch, Result, Version,
};

use super::Store;

/// Puts pieces into a store, in their order.
pub(super) struct Applying<'a> {
    store: &'a Store,
    /// The newest version that the store has.
    at: Version,
    last: Option<CommitId>,
    /// The commit of which pages were staged.
    half: Option<(Version, CommitId)>,
}

impl<'a> Applying<'a> {
    pub(super) fn new(store: &'a Store, at: Version, last: Option<CommitId>) -> Applying<'a> {
        Applying { store, at, last, half: None }
    }

    /// The newest version that the store has.
    pub(super) fn at(&self) -> Version {
        self.at
    }

    /// Applies a piece. What is here already, is left as it is.
    pub(super) async fn piece(&mut self, piece: PagesPiece) -> Result<()> {
        let PagesPiece { version, commit_id, pages, end } = piece;
        if version <= self.at {
            if version == self.at && self.last.is_some_and(|last| last != commit_id) {
                return Err(diverged(version).with("commit", commit_id));
            }
            return Ok(());
        }
        if self.half.is_some_and(|half| half != (version, commit_id)) {
            return Err(Error::new(ErrorKind::Corrupt, "the source left a commit unfinished")
                .with("version", version));
        }
        match end {
            Some(end) => self.commit(version, commit_id, pages, end).await,
            None => self.stage(version, commit_id, pages).await,
        }
    }

    async fn stage(
        &mut self,
        version: Version,
        id: CommitId,
        pages: Vec<NamespacePages>,
    ) -> Result<()> {
        self.store.begins(id);
        for NamespacePages { namespace, pages } in pages {
            let write = |(page, image)| PageWrite { page, image, patch: None };
            let writes = pages.into_iter().map(write).collect();
            self.store.inner.stage(id, namespace, writes).await?;
        }
        self.half = Some((version, id));
        Ok(())
    }

    async fn commit(
        &mut self,
        version: Version,
        id: CommitId,
        pages: Vec<NamespacePages>,
        end: PagesEnd,
    ) -> Result<()> {
        let PagesEnd { time, namespaces, meta } = end;
        let mut of: Vec<(NamespaceId, Vec<(PageNo, Bytes)>)> =
            pages.into_iter().map(|pages| (pages.namespace, pages.pages)).collect();
        // What is written as a patch needs to be known as unchanged; and it is, if
        // nobody else writes here.
        let since = self.at;
        let unchanged = namespaces.iter().map(|shape| {
            let namespace = shape.namespace;
            Condition::NamespaceUnchanged { namespace, since }
        });
        let conditions = unchanged.collect();
        let mut changes = Vec::with_capacity(namespaces.len());
        for NamespaceShape { namespace, page_size, page_count } in namespaces {
            let at = of.iter().position(|(one, _)| *one == namespace);
            let pages = at.map(|at| of.swap_remove(at).1).unwrap_or_default();
            let writes = self.writes(namespace, pages).await?;
            changes.push(NamespaceChange { namespace, writes, page_size, page_count });
        }
        if let Some((namespace, _)) = of.first() {
            let what = "the source sent pages of a namespace that the commit did not write";
            return Err(Error::new(ErrorKind::Corrupt, what).with("namespace", namespace));
        }
        let meta = meta.into_iter().map(|(key, value)| MetaWrite {
            key,
            // The version is in it already, where it was put.
            value: value.map(MetaValue::plain),
        });
        let commit = Commit {
            id,
            conditions,
            namespaces: changes,
            meta: meta.collect(),
            durability: Durability::Sequenced,
            time,
            at: Some(version),
        };
        let outcome = self.store.inner.commit(commit).await?;
        if outcome != CommitOutcome::Committed(Committed { version, time }) {
            let what = format!("{outcome:?}");
            return Err(diverged(version).with("commit", id).with("outcome", what));
        }
        self.store.ends();
        self.half = None;
        (self.at, self.last) = (version, Some(id));
        Ok(())
    }

    /// Pages to write, as what is different in them from what is here: so the
    /// history of a follower takes as little room as that of its source.
    async fn writes(
        &self,
        namespace: NamespaceId,
        pages: Vec<(PageNo, Bytes)>,
    ) -> Result<Vec<PageWrite>> {
        let numbers: Vec<PageNo> = pages.iter().map(|(page, _)| *page).collect();
        let before = self.store.inner.read_pages(namespace, &numbers, self.at).await?;
        let write = |((page, image), before): ((PageNo, Bytes), Option<hozo_traits::PageImage>)| {
            let before = before.filter(|before| before.bytes.len() == image.len());
            let patch = before.map(|old| Patch::between(old.version, &old.bytes, &image));
            PageWrite { page, image, patch }
        };
        Ok(pages.into_iter().zip(before).map(write).collect())
    }
}

/// What is here is not what the source has.
pub(super) fn diverged(version: Version) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the histories are not the same: the source has another commit of this version; promote \
         the one that is right, and let the other begin anew with an empty store",
    )
    .with("version", version)
}

#[cfg(test)]
mod tests;
