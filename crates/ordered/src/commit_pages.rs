//! What a commit writes into its namespaces.

use std::collections::BTreeMap;

use bytes::Bytes;
use hozo_traits::{
    Commit, NamespaceChange, NamespaceId, PageNo, PageWrite, Result, Timestamp, Version,
};

use crate::bulk;
use crate::codec::log;
use crate::codec::record::{Delta, Record};
use crate::commit::Draft;
use crate::conditions::{Covered, unchanged_since};
use crate::keys::staged as staged_keys;
use crate::pages::{delete, delete_range};
use crate::read::{Newest, Stored};
use crate::stage::{self, StagedPages};
use crate::{Condition, OrderedEngine, OrderedPages, Space, Template, WriteOp, keys};

/// Pages of a commit whose older images are in memory at once.
const DELTAS_AT_ONCE: usize = 256;

impl<E: OrderedEngine> OrderedPages<E> {
    /// Adds the steps for pages and log, and the conditions that they need.
    pub(crate) async fn prepare_pages(&self, draft: &mut Draft<'_>) -> Result<()> {
        let commit = draft.commit;
        let mut direct: Vec<&[PageWrite]> =
            commit.namespaces.iter().map(|change| change.writes.as_slice()).collect();
        if !self.fits(&direct) {
            for change in &commit.namespaces {
                self.put_aside(commit.id, change.namespace, change.writes.clone()).await?;
            }
            direct.fill(&[]);
        }
        let mut staged = BTreeMap::new();
        if self.may_be_staged(commit.id) {
            staged = self.staged_pages(commit.id).await?;
        }
        if !staged.is_empty() {
            draft.ops.extend(stage::close(commit.id));
        }
        for (change, writes) in commit.namespaces.iter().zip(direct) {
            let mut staged = staged.remove(&change.namespace).unwrap_or_default();
            for write in writes {
                if staged.remove(&write.page).is_some() {
                    let key = staged_keys::image(commit.id, change.namespace, write.page);
                    draft.ops.push(delete(Space::Staged, key));
                }
            }
            self.check_staged_sizes(commit.id, change.namespace, &staged, change.page_size).await?;
            self.write_direct(draft, change.namespace, writes).await?;
            if self.is_bulk(&staged) {
                draft.ops.push(bulk::write(commit.id, change.namespace));
            } else {
                write_pointers(commit, change.namespace, &staged, &mut draft.ops);
            }
            let pages: Vec<PageNo> =
                writes.iter().map(|w| w.page).chain(staged.into_keys()).collect();
            write_log(commit, change, &pages, &mut draft.ops);
        }
        for namespace in staged.into_keys() {
            let range = staged_keys::images_of(commit.id, namespace);
            draft.ops.push(delete_range(Space::Staged, range));
        }
        Ok(())
    }

    /// Whether the images fit one batch, with something left for the rest.
    fn fits(&self, writes: &[&[PageWrite]]) -> bool {
        let more = 64 + self.limits.overhead.step_bytes;
        let all = writes.iter().flat_map(|w| w.iter());
        let bytes: usize = all.map(|write| write.image.len() + more).sum();
        bytes <= self.limits.batch_bytes_max / 2
    }

    async fn write_direct(
        &self,
        draft: &mut Draft<'_>,
        namespace: NamespaceId,
        writes: &[PageWrite],
    ) -> Result<()> {
        let deltas = self.deltas(draft, namespace, writes).await?;
        for (write, delta) in writes.iter().zip(deltas) {
            let value = delta.unwrap_or_else(|| Record::full(&write.image));
            draft.ops.push(page_op(namespace, write.page, value));
        }
        Ok(())
    }

    /// For each write the record that says it as a change, where it can be one.
    ///
    /// A delta is against the newest image, and no commit may come between; so
    /// only a page that a condition keeps unchanged can be one. Then reading it
    /// needs no search, and a purge finds what is stored against an image right
    /// above it. What the writer says of the difference is only taken as a hint
    /// that there is a small one: what is stored never rests on it.
    async fn deltas(
        &self,
        draft: &mut Draft<'_>,
        namespace: NamespaceId,
        writes: &[PageWrite],
    ) -> Result<Vec<Option<Bytes>>> {
        let mut deltas = vec![None; writes.len()];
        if !draft.as_deltas || writes.iter().all(|write| write.patch.is_none()) {
            return Ok(deltas);
        }
        let covered = unchanged_since(draft.commit, namespace);
        let mut candidates = self.candidates(&covered, writes).await?;
        if candidates.is_empty() {
            return Ok(deltas);
        }
        // Before anything is read that a purge could remove.
        let key = keys::purges(namespace);
        let value = self.engine.get(Space::System, &key).await?;
        draft.conditions.push(Condition::KeyIs { space: Space::System, key, value });
        // Pages unchanged since the same version are read together.
        candidates.sort_unstable();
        for same in candidates.chunk_by(|a, b| a.0 == b.0) {
            for some in same.chunks(DELTAS_AT_ONCE) {
                let pages: Vec<PageNo> = some.iter().map(|(_, i)| writes[*i].page).collect();
                let newest = self.newest(namespace, &pages, some[0].0).await?;
                for ((_, i), stored) in some.iter().zip(newest) {
                    // What is in a bulk has no record that a delta could be against.
                    if let Stored::Image(newest) = stored
                        && !newest.in_bulk
                    {
                        deltas[*i] = delta(&newest, &writes[*i].image);
                    }
                }
            }
        }
        Ok(deltas)
    }

    /// Which writes may become deltas, and since when their pages are unchanged.
    async fn candidates(
        &self,
        covered: &Covered,
        writes: &[PageWrite],
    ) -> Result<Vec<(Version, usize)>> {
        let all = writes.iter().enumerate().filter(|(_, write)| write.patch.is_some());
        let mut all: Vec<(Version, usize)> =
            all.filter_map(|(i, write)| Some((covered.since(write.page)?, i))).collect();
        if !all.is_empty() {
            // Unchanged since a version that is still to come says nothing
            // about what comes before that.
            let newest = self.engine.watermarks().await?.sequenced;
            all.retain(|(since, _)| *since <= newest);
        }
        Ok(all)
    }
}

fn delta(newest: &Newest, image: &Bytes) -> Option<Bytes> {
    match &newest.delta {
        Some((base, old, spent)) => Delta::encode(*base, *spent, old, image),
        None => Delta::encode(newest.version, 0, &newest.image, image),
    }
}

fn page_op(namespace: NamespaceId, page: PageNo, value: Bytes) -> WriteOp {
    WriteOp::Put {
        space: Space::Pages,
        key: Template {
            bytes: keys::page(namespace, page, Version::ZERO).into(),
            version_at: Some(keys::PAGE_VERSION_AT),
            time_at: None,
        },
        value: Template::plain(value),
    }
}

/// The staged pages become part of the version by pointers, which share one value.
fn write_pointers(
    commit: &Commit,
    namespace: NamespaceId,
    staged: &StagedPages,
    ops: &mut Vec<WriteOp>,
) {
    let pointer = Record::staged(commit.id);
    ops.reserve(staged.len());
    ops.extend(staged.keys().map(|page| page_op(namespace, *page, pointer.clone())));
}

fn write_log(commit: &Commit, change: &NamespaceChange, pages: &[PageNo], ops: &mut Vec<WriteOp>) {
    let namespace = change.namespace;
    ops.push(WriteOp::Put {
        space: Space::Log,
        key: Template {
            bytes: keys::log(namespace, Version::ZERO).into(),
            version_at: Some(keys::LOG_VERSION_AT),
            time_at: None,
        },
        value: log::encode(commit.id, change, pages),
    });
    ops.push(WriteOp::Put {
        space: Space::Times,
        key: Template {
            bytes: keys::times(namespace, Timestamp::default(), Version::ZERO).into(),
            version_at: Some(keys::TIMES_VERSION_AT),
            time_at: Some(keys::TIMES_TIME_AT),
        },
        value: Template::plain(Bytes::new()),
    });
}
