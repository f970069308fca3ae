//! What the flawed stores do otherwise.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::thread;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    ChangeEntry, Commit, CommitId, CommitOutcome, Condition, Durability, LogEntry, LogQuery,
    NamespaceId, PageImage, PageNo, PageStore, PageStoreExt, PageWrite, Purged, Result, Span,
    Timestamp, Version, Watermarks,
};

use super::{Flaw, Flawed};
use crate::layer::Layer;

/// Lets others run, whether they have threads or are polled by this one.
async fn pause() {
    thread::yield_now();
    let mut again = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut again, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn other_id(id: CommitId, by: usize) -> CommitId {
    let mut bytes = *id.as_bytes();
    bytes[8..].copy_from_slice(&(by as u64).to_be_bytes());
    CommitId::from_bytes(bytes)
}

fn namespace_of(condition: &Condition) -> Option<NamespaceId> {
    match condition {
        Condition::PageUnchanged { namespace, .. }
        | Condition::NamespaceUnchanged { namespace, .. } => Some(*namespace),
        Condition::MetaEquals { .. } => None,
    }
}

/// The conditions alone, as a commit of its own.
fn only_conditions(commit: &Commit, id: CommitId) -> Commit {
    let (namespaces, meta) = (Vec::new(), Vec::new());
    Commit { id, namespaces, meta, at: None, ..commit.clone() }
}

impl Flawed {
    fn next(&self) -> usize {
        self.calls.fetch_add(1, Ordering::SeqCst)
    }

    fn is_purged(&self, namespace: NamespaceId, page: PageNo, version: Version) -> bool {
        let purged = self.purged.lock().unwrap_or_else(PoisonError::into_inner);
        purged.contains(&(namespace, page, version))
    }

    async fn split(&self, inner: &dyn PageStore, mut commit: Commit) -> Result<CommitOutcome> {
        let later = commit.namespaces.split_off(1);
        let first = inner.commit(commit.clone()).await?;
        if matches!(first, CommitOutcome::Conflict(_)) {
            return Ok(first);
        }
        pause().await;
        let id = other_id(commit.id, self.next());
        for change in &later {
            let pages: Vec<PageNo> = (1..=64).filter_map(PageNo::new).collect();
            let staged = inner.read_staged(commit.id, change.namespace, &pages).await?;
            let found = pages.iter().zip(staged);
            let writes = found.filter_map(|(page, image)| {
                Some(PageWrite { page: *page, image: image?, patch: None })
            });
            inner.stage(id, change.namespace, writes.collect()).await?;
        }
        let rest =
            Commit { id, conditions: Vec::new(), namespaces: later, meta: Vec::new(), ..commit };
        inner.commit(rest).await
    }

    /// Drops conditions that hold when only what is durable counts.
    async fn judge_durable(&self, inner: &dyn PageStore, commit: &mut Commit) -> Result<()> {
        let durable = inner.watermarks().await?.durable;
        let mut kept = Vec::new();
        for condition in std::mem::take(&mut commit.conditions) {
            let fails = match &condition {
                Condition::PageUnchanged { namespace, page, since } => {
                    let found = inner.read_pages(*namespace, &[*page], durable).await?;
                    found[0].as_ref().is_some_and(|image| image.version > *since)
                }
                Condition::NamespaceUnchanged { namespace, since } => {
                    let head = inner.head(*namespace, durable).await?;
                    head.is_some_and(|entry| entry.version > *since)
                }
                Condition::MetaEquals { .. } => true,
            };
            if fails {
                kept.push(condition);
            }
        }
        commit.conditions = kept;
        Ok(())
    }

    /// Writes first and asks afterwards; takes it back when it was wrong.
    async fn show(&self, inner: &dyn PageStore, commit: Commit) -> Result<CommitOutcome> {
        let verdict =
            inner.commit(only_conditions(&commit, other_id(commit.id, self.next()))).await?;
        if matches!(verdict, CommitOutcome::Committed(_)) || commit.namespaces.is_empty() {
            return inner.commit(commit).await;
        }
        let at = inner.watermarks().await?.sequenced;
        let mut undo = commit.clone();
        undo.id = other_id(commit.id, self.next());
        undo.conditions.clear();
        for change in &mut undo.namespaces {
            for write in &mut change.writes {
                let old = inner.read_pages(change.namespace, &[write.page], at).await?;
                let zero = || Bytes::from(vec![0; write.image.len()]);
                *write = PageWrite {
                    page: write.page,
                    image: old[0].as_ref().map_or_else(zero, |image| image.bytes.clone()),
                    patch: None,
                };
            }
        }
        let id = other_id(commit.id, self.next());
        inner.commit(Commit { id, conditions: Vec::new(), ..commit }).await?;
        pause().await;
        inner.commit(undo).await?;
        Ok(verdict)
    }
}

#[async_trait]
impl Layer for Flawed {
    async fn watermarks(&self, inner: &dyn PageStore) -> Result<Watermarks> {
        let mut marks = inner.watermarks().await?;
        match self.flaw {
            Flaw::StartsAtOne => marks.sequenced = marks.sequenced.max(Version::from_seq(1)),
            Flaw::DurableAboveSequenced => {
                marks.durable = marks.sequenced.successor().unwrap_or(Version::MAX);
            }
            Flaw::NeverDurable => marks.durable = Version::ZERO,
            Flaw::WatermarksAreLate => {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.push(marks);
                return Ok(seen[seen.len().saturating_sub(8)]);
            }
            _ => {}
        }
        Ok(marks)
    }

    async fn wait_durable(&self, inner: &dyn PageStore, version: Version) -> Result<()> {
        match self.flaw {
            Flaw::WaitsForNothing => Ok(()),
            _ => inner.wait_durable(version).await,
        }
    }

    async fn read_pages(
        &self,
        inner: &dyn PageStore,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        let head = inner.watermarks().await?.sequenced;
        let at = match self.flaw {
            Flaw::ReadsTheHead => head,
            Flaw::FollowsTheHeadAbove => at.min(head),
            _ => at,
        };
        let mut found = inner.read_pages(namespace, pages, at).await?;
        match self.flaw {
            Flaw::AnswersReversed => found.reverse(),
            Flaw::VersionOfTheRead => {
                found.iter_mut().flatten().for_each(|image| image.version = at)
            }
            Flaw::ReadsFractured if found.len() > 1 => {
                pause().await;
                let now = inner.watermarks().await?.sequenced;
                let last = found.len() - 1;
                found[last] = inner.read_pages(namespace, &pages[last..], now).await?.remove(0);
            }
            Flaw::ReadsThroughHoles => {
                for (page, image) in pages.iter().zip(&mut found) {
                    while let Some(version) = image.as_ref().map(|image| image.version) {
                        if !self.is_purged(namespace, *page, version) {
                            break;
                        }
                        let below = Version::from_seq(version.seq() - 1);
                        *image = inner.read_pages(namespace, &[*page], below).await?.remove(0);
                    }
                }
            }
            _ => {}
        }
        Ok(found)
    }

    async fn commit(&self, inner: &dyn PageStore, mut commit: Commit) -> Result<CommitOutcome> {
        match self.flaw {
            Flaw::NeverDurable => commit.durability = Durability::Sequenced,
            Flaw::SplitsNamespaces if commit.namespaces.len() > 1 => {
                return self.split(inner, commit).await;
            }
            Flaw::IgnoresPages => {
                commit.conditions.retain(|c| !matches!(c, Condition::PageUnchanged { .. }));
            }
            Flaw::IgnoresNamespaces => {
                commit.conditions.retain(|c| !matches!(c, Condition::NamespaceUnchanged { .. }));
            }
            Flaw::IgnoresMeta => {
                commit.conditions.retain(|c| !matches!(c, Condition::MetaEquals { .. }));
            }
            Flaw::IgnoresTheSecondNamespace => {
                let first = commit.conditions.iter().find_map(namespace_of);
                commit.conditions.retain(|c| namespace_of(c).is_none_or(|ns| Some(ns) == first));
            }
            Flaw::JudgesTheDurable => self.judge_durable(inner, &mut commit).await?,
            Flaw::JudgesTooEarly => {
                let alone = only_conditions(&commit, other_id(commit.id, self.next()));
                let verdict = inner.commit(alone).await?;
                if matches!(verdict, CommitOutcome::Conflict(_)) {
                    return Ok(verdict);
                }
                pause().await;
                commit.conditions.clear();
            }
            Flaw::RunsTwice => commit.id = other_id(commit.id, self.next()),
            Flaw::IgnoresConditionsAlone
                if commit.namespaces.is_empty() && commit.meta.is_empty() =>
            {
                commit.conditions.clear();
            }
            Flaw::TakesTheLastOfTwo => {
                for change in &mut commit.namespaces {
                    let mut seen = BTreeSet::new();
                    change.writes.reverse();
                    change.writes.retain(|write| seen.insert(write.page));
                }
            }
            Flaw::PatchesTheNewest => {
                let head = inner.watermarks().await?.sequenced;
                for change in &mut commit.namespaces {
                    for write in &mut change.writes {
                        let newest =
                            inner.read_pages(change.namespace, &[write.page], head).await?;
                        let newest = newest.into_iter().next().flatten();
                        if let (Some(patch), Some(newest)) = (&write.patch, newest) {
                            let mut bytes = newest.bytes.to_vec();
                            patch.apply(&mut bytes)?;
                            write.image = bytes.into();
                        }
                    }
                }
            }
            Flaw::ChoosesItself => commit.at = None,
            Flaw::StagedWins => {
                for change in &mut commit.namespaces {
                    let pages: Vec<PageNo> = change.writes.iter().map(|w| w.page).collect();
                    let staged = inner.read_staged(commit.id, change.namespace, &pages).await?;
                    let mut staged = staged.into_iter();
                    change.writes.retain(|_| staged.next().flatten().is_none());
                }
            }
            Flaw::LogsPagesOnly => commit.namespaces.retain(|change| !change.writes.is_empty()),
            Flaw::PutsNoVersion => {
                commit
                    .meta
                    .iter_mut()
                    .filter_map(|m| m.value.as_mut())
                    .for_each(|v| v.version_at = None);
            }
            Flaw::LosesWrites if self.next() % 40 == 39 => {
                commit.namespaces.iter_mut().for_each(|change| change.writes.clear());
            }
            Flaw::ShowsUncommitted => return self.show(inner, commit).await,
            _ => {}
        }
        inner.commit(commit).await
    }

    async fn stage(
        &self,
        inner: &dyn PageStore,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        if self.flaw == Flaw::SharesStages {
            let shared = CommitId::from_bytes([7; 16]);
            inner.stage(shared, namespace, writes.clone()).await?;
        }
        inner.stage(id, namespace, writes).await
    }

    async fn read_staged(
        &self,
        inner: &dyn PageStore,
        id: CommitId,
        namespace: NamespaceId,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>> {
        let id = if self.flaw == Flaw::SharesStages { CommitId::from_bytes([7; 16]) } else { id };
        inner.read_staged(id, namespace, pages).await
    }

    async fn discard_stage(&self, inner: &dyn PageStore, id: CommitId) -> Result<()> {
        if self.flaw == Flaw::KeepsStages { Ok(()) } else { inner.discard_stage(id).await }
    }

    async fn log(&self, inner: &dyn PageStore, query: LogQuery) -> Result<Vec<LogEntry>> {
        let span = query.span;
        let mut log = inner.log(query).await?;
        match (self.flaw, span) {
            (Flaw::LogEndsOpen, Span::Versions(_, to)) => log.retain(|e| e.version < to),
            (Flaw::LogEndsOpen, Span::Times(_, to)) => log.retain(|e| e.time < to),
            (Flaw::TimesGoBack, _) => {
                let odd = log.iter_mut().skip(1).step_by(2);
                odd.for_each(|e| e.time = Timestamp::from_micros(0));
            }
            _ => {}
        }
        Ok(log)
    }

    async fn changes(
        &self,
        inner: &dyn PageStore,
        after: Version,
        limit: usize,
    ) -> Result<Vec<ChangeEntry>> {
        let after = match self.flaw {
            Flaw::ChangesIncludeAfter => Version::from_seq(after.seq().saturating_sub(1)),
            _ => after,
        };
        let mut changes = inner.changes(after, limit).await?;
        if self.flaw == Flaw::ChangesWithoutMeta {
            changes.iter_mut().for_each(|change| change.meta.clear());
        }
        Ok(changes)
    }

    async fn meta_get(&self, inner: &dyn PageStore, key: &[u8]) -> Result<Option<Bytes>> {
        if self.flaw == Flaw::MetaIsLate {
            let marks = inner.watermarks().await?;
            if marks.durable < marks.sequenced {
                return Ok(None);
            }
        }
        inner.meta_get(key).await
    }

    async fn meta_scan(
        &self,
        inner: &dyn PageStore,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        let mut found = inner.meta_scan(prefix, after, limit).await?;
        if let (Flaw::ScanIncludesAfter, Some(after)) = (self.flaw, after)
            && let Some(value) = inner.meta_get(after).await?
        {
            found.insert(0, (Bytes::copy_from_slice(after), value));
        }
        Ok(found)
    }

    async fn purge(
        &self,
        inner: &dyn PageStore,
        namespace: NamespaceId,
        victims: &[(PageNo, Version)],
    ) -> Result<Purged> {
        let named = victims.iter().map(|(page, version)| (namespace, *page, *version));
        self.purged.lock().unwrap_or_else(PoisonError::into_inner).extend(named);
        let mut victims = victims.to_vec();
        if self.flaw == Flaw::PurgesTooMuch {
            // What is at the same versions in other pages' history goes, too.
            let mut more = victims.clone();
            more.iter_mut().for_each(|(_, v)| *v = Version::from_seq(v.seq() + 2));
            victims.extend(more);
        }
        inner.purge(namespace, &victims).await
    }
}
