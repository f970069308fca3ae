//! Making a commit.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use hozo_traits::{
    Commit, CommitId, CommitOutcome, Committed, Condition as Asked, Conflict, Durability, Error,
    ErrorKind, MetaWrite, NamespaceId, Result, Timestamp, Version,
};

use crate::bulk::Passed;
use crate::changes;
use crate::codec::outcome;
use crate::conditions;
use crate::pages::{delete_range, unnumbered};
use crate::{
    Clock, Condition, Floor, KeyRange, Numbering, OrderedEngine, OrderedPages, Pair, Space,
    Template, Write, WriteOp, WriteOutcome, keys,
};

/// How often a commit is prepared with deltas. A purge that comes between takes
/// away what they may be against; after so many, images are written, which
/// depend on nothing.
const DELTA_TRIES: usize = 3;

/// How often a commit is prepared at all. Each bulk that comes meanwhile is one.
const BULK_TRIES: usize = 64;

/// A commit while it becomes a write.
pub(crate) struct Draft<'a> {
    pub(crate) commit: &'a Commit,
    /// Whether pages may be written as deltas.
    pub(crate) as_deltas: bool,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) ops: Vec<WriteOp>,
}

impl<E: OrderedEngine> OrderedPages<E> {
    pub(crate) async fn make(&self, commit: Commit) -> Result<CommitOutcome> {
        // A chosen version is made once, whatever is remembered of its id: a
        // follower repeats a history that may be years old.
        if commit.at.is_none() {
            self.check_id(commit.id)?;
        }
        self.check(&commit)?;
        let judged = 1 + commit.conditions.len();
        let mut passed = Passed::new();
        let mut tried = 0;
        for _ in 0..BULK_TRIES {
            let bulks = self.no_new_bulks(&commit, &passed);
            let namespaces: Vec<NamespaceId> = bulks.iter().map(|(of, _)| *of).collect();
            let write = self.prepare(&commit, tried < DELTA_TRIES, bulks).await?;
            match self.engine.write(write).await? {
                WriteOutcome::Written { version, time } => {
                    self.stage_ended(commit.id);
                    return self.written(&commit, version, time).await;
                }
                // The same id, again.
                WriteOutcome::Failed { condition: 0, found: Some((_, record)) } => {
                    return self.answer_again(&record, commit.durability).await;
                }
                WriteOutcome::Failed { condition, found } if condition < judged => {
                    return self.refuse_for(&commit, condition - 1, found).await;
                }
                WriteOutcome::Failed { condition, found }
                    if condition < judged + namespaces.len() =>
                {
                    // A bulk is there that was not looked at.
                    let namespace = namespaces[condition - judged];
                    let found = found.map(|(key, _)| keys::page_version(&key));
                    let newest = found.unwrap_or(Ok(Version::MAX))?;
                    let broken = self.broken_by_bulk(&commit, namespace, newest).await?;
                    if let Some((condition, version)) = broken {
                        return self.refuse_at(&commit, condition, version).await;
                    }
                    passed.insert(namespace, newest);
                }
                // A purge may have removed what the commit's deltas are against.
                WriteOutcome::Failed { .. } if tried < DELTA_TRIES => tried += 1,
                WriteOutcome::Failed { .. } => break,
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            "others came between each time that the commit was prepared",
        )
        .with("commit id", commit.id))
    }

    async fn prepare(
        &self,
        commit: &Commit,
        as_deltas: bool,
        bulks: Vec<(NamespaceId, Condition)>,
    ) -> Result<Write> {
        let mut judged = Vec::with_capacity(commit.conditions.len() + 2);
        judged.push(Condition::KeyIs {
            space: Space::Commits,
            key: commit.id.as_bytes().to_vec(),
            value: None,
        });
        judged.extend(commit.conditions.iter().map(conditions::asked));
        judged.extend(bulks.into_iter().map(|(_, condition)| condition));
        let mut draft = Draft { commit, as_deltas, conditions: judged, ops: Vec::new() };
        self.prepare_pages(&mut draft).await?;
        let Draft { conditions, mut ops, .. } = draft;
        ops.extend(commit.meta.iter().map(meta_op));
        let writes_nothing = commit.namespaces.is_empty() && commit.meta.is_empty();
        if !writes_nothing {
            changes::note(commit, &mut ops);
        }
        ops.push(remember(commit.id, outcome::committed()));
        let bytes = self.limits.weigh(&conditions, &ops);
        if bytes > self.limits.batch_bytes_max {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "the commit does not fit the engine's batch_bytes_max, with its pages staged",
            )
            .with("bytes", bytes)
            .with("batch_bytes_max", self.limits.batch_bytes_max));
        }
        self.forget_old_ids(&mut ops).await?;

        let numbering = match commit.at {
            _ if writes_nothing => Numbering::None,
            Some(version) => Numbering::At(version),
            None => Numbering::Next,
        };
        let floors = commit.namespaces.iter().map(|change| Floor {
            space: Space::Times,
            prefix: change.namespace.0.to_be_bytes().to_vec(),
        });
        let clock = Some(Clock { at_least: commit.time, floors: floors.collect() });
        Ok(Write { conditions, ops, numbering, clock, durability: commit.durability })
    }

    async fn written(
        &self,
        commit: &Commit,
        version: Version,
        time: Timestamp,
    ) -> Result<CommitOutcome> {
        if commit.namespaces.is_empty()
            && commit.meta.is_empty()
            && commit.durability == Durability::Durable
        {
            // It has no version of its own to wait for: what its conditions
            // were judged against is.
            self.engine.wait_durable(version).await?;
        }
        Ok(CommitOutcome::Committed(Committed { version, time }))
    }

    /// Answers what happened the first time, as durable as asked for this time.
    async fn answer_again(&self, record: &Bytes, durability: Durability) -> Result<CommitOutcome> {
        let outcome = outcome::decode(record)?;
        if let CommitOutcome::Committed(made) = &outcome
            && durability == Durability::Durable
        {
            self.engine.wait_durable(made.version).await?;
        }
        Ok(outcome)
    }

    /// Refuses for the condition at this place, of which this was found.
    async fn refuse_for(
        &self,
        commit: &Commit,
        condition: usize,
        found: Option<Pair>,
    ) -> Result<CommitOutcome> {
        let mut conflict = conditions::conflict(&commit.conditions[condition], found)?;
        if let Conflict::Page { namespace, page, version } = &mut conflict
            && let Some(newer) = self.newest_bulk_of(*namespace, *page, *version).await?
        {
            *version = newer;
        }
        self.refuse(commit, conflict).await
    }

    /// Refuses for the condition about a page at this place, which a commit of this
    /// version wrote.
    async fn refuse_at(
        &self,
        commit: &Commit,
        condition: usize,
        version: Version,
    ) -> Result<CommitOutcome> {
        let Asked::PageUnchanged { namespace, page, .. } = &commit.conditions[condition] else {
            return Err(Error::new(ErrorKind::Internal, "a bulk broke what is about no page"));
        };
        self.refuse(commit, Conflict::Page { namespace: *namespace, page: *page, version }).await
    }

    /// Records the conflict, so that the same id gets it again.
    async fn refuse(&self, commit: &Commit, conflict: Conflict) -> Result<CommitOutcome> {
        if let Some(at) = commit.at {
            let newest = self.engine.watermarks().await?.sequenced;
            if at <= newest {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "the chosen version is not above all that the store has",
                )
                .with("chosen", at)
                .with("newest", newest));
            }
        }
        let first = Condition::KeyIs {
            space: Space::Commits,
            key: commit.id.as_bytes().to_vec(),
            value: None,
        };
        let ops = vec![remember(commit.id, outcome::conflict(&conflict))];
        match self.engine.write(unnumbered(vec![first], ops)).await? {
            // Somebody sent the same id at the same time and was judged first.
            WriteOutcome::Failed { found: Some((_, record)), .. } => {
                self.answer_again(&record, commit.durability).await
            }
            _ => Ok(CommitOutcome::Conflict(conflict)),
        }
    }

    /// Ids made before this many milliseconds are not accepted any more, and a
    /// little longer than that, for a commit that was accepted just in time and is
    /// still on its way.
    fn past_before(&self, now: u64) -> u64 {
        let keep = u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX);
        now.saturating_sub(keep.saturating_add(keep / 8))
    }

    /// Whether no commit with this id is on its way any more.
    pub(crate) fn is_long_past(&self, id: CommitId) -> bool {
        id.millis() < self.past_before(self.ambient.now().as_millis())
    }

    /// Now and then: removes the outcomes of ids that are no longer accepted.
    async fn forget_old_ids(&self, ops: &mut Vec<WriteOp>) -> Result<()> {
        let now = self.ambient.now().as_millis();
        let keep = u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX);
        let next = self.forget_next.load(Ordering::Relaxed);
        // Also when the clock has jumped back.
        if now < next && next - now <= keep {
            return Ok(());
        }
        self.forget_next.store(now.saturating_add(keep / 16), Ordering::Relaxed);
        let before = self.past_before(now);
        let old = KeyRange { start: vec![0; CommitId::LEN], end: keys::commit_ids_from(before) };
        let last = self.engine.last_in_many(Space::Commits, &[old]).await?.pop().flatten();
        let Some((last, _)) = last else { return Ok(()) };
        // Only as far as something is removed: if the clock comes back from far
        // ahead, ids of then are accepted.
        let forgotten = CommitId::from_slice(&last)?.millis() + 1;
        let forgotten = forgotten.max(self.forgotten.fetch_max(forgotten, Ordering::AcqRel));
        let range = (vec![0; CommitId::LEN], keys::commit_ids_from(forgotten));
        ops.push(delete_range(Space::Commits, range));
        ops.push(WriteOp::Put {
            space: Space::System,
            key: Template::plain(keys::SYSTEM_FORGOTTEN),
            value: Template::plain(forgotten.to_be_bytes().to_vec()),
        });
        Ok(())
    }
}

fn meta_op(write: &MetaWrite) -> WriteOp {
    match &write.value {
        Some(value) => WriteOp::Put {
            space: Space::Meta,
            key: Template::plain(write.key.clone()),
            value: Template {
                bytes: value.bytes.clone(),
                version_at: value.version_at,
                time_at: None,
            },
        },
        None => WriteOp::Delete { space: Space::Meta, key: write.key.clone() },
    }
}

/// Keeps what became of an id.
fn remember(id: CommitId, outcome: Template) -> WriteOp {
    WriteOp::Put {
        space: Space::Commits,
        key: Template::plain(id.as_bytes().to_vec()),
        value: outcome,
    }
}
