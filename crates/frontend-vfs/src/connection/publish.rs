//! What a commit is, and how it is made.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use hozo_pages::{Changes, Concurrency, Head, Namespaces, Reads, WriterSlot};
use hozo_traits::{
    CommitId, CommitOutcome, Committed, Durability, Error, ErrorKind, PageImage, PageNo, PageRuns,
    PageWrite, Result,
};

use super::prepare::{BASE_READS_MAX, Prepared};
use super::{Connection, Phase, ReadSet};
use crate::code::Failure;
use crate::group::Group;
use crate::page1;
use crate::pending::{Block, Pending};
use crate::wait;

/// How often a commit whose answer did not come is sent again, with its id.
const RETRIES_MAX: usize = 3;
/// How long to wait before that.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// How long a commit waits for a serial writer who came in last.
const LATE_FENCE: Duration = Duration::from_millis(100);
impl Connection {
    /// `SQLITE_FCNTL_SYNC`: commits, if this is a commit.
    ///
    /// SQLite sends it in phase one of every commit
    /// (`sqlite3PagerCommitPhaseOne`), having counted up the change counter in
    /// page 1 (`pager_incr_changecounter`), and at the end of every rollback
    /// that touched the file (`pager_playback`), with page 1 as it was. A
    /// failure here makes SQLite roll back by itself.
    pub(crate) fn sync(&mut self, group: Option<&Arc<Group>>) -> Result<(), Failure> {
        let Some(counter) = self.counted_up() else { return Ok(()) };
        match &self.phase {
            Phase::Open => {}
            Phase::Failed(kind) => {
                return Err(self
                    .store_changed(Error::new(
                        *kind,
                        "the transaction failed to commit before; roll it back",
                    ))
                    .into());
            }
            Phase::Prepared(_) | Phase::Published => {
                return Err(Error::new(ErrorKind::Internal, "a commit within a commit").into());
            }
        }
        let prepared = match self.prepare(counter, group.cloned()) {
            Ok(prepared) => prepared,
            Err(failure) => {
                self.fail(failure.kind().unwrap_or(ErrorKind::Unavailable));
                return Err(failure);
            }
        };
        self.phase = Phase::Prepared(prepared);
        match group {
            Some(group) => group.join(self.me.clone(), self.namespace.namespaces()).map_err(|e| {
                self.fail(e.kind());
                Failure::Error(e)
            }),
            None => publish(&mut [self]),
        }
    }

    /// SQLite's new change counter, if it wrote one.
    fn counted_up(&self) -> Option<u32> {
        match self.pending.blocks.get(&1) {
            Some(Block::Memory { bytes, .. }) if self.pending.active => {
                page1::counter(bytes).filter(|counter| *counter != self.counter)
            }
            _ => None,
        }
    }

    /// Called when SQLite unlocks before the group was committed: it has rolled
    /// back.
    pub(super) fn leave_group(&mut self) {
        if let Phase::Prepared(Prepared { group: Some(group), .. }) = &self.phase {
            self.last_error = Some(group.give_up());
            self.fail(ErrorKind::Conflict);
        }
    }

    /// From here on only a rollback ends the transaction.
    fn fail(&mut self, kind: ErrorKind) {
        self.phase = Phase::Failed(kind);
        self.must_drop = true;
        self.forget_pending();
    }

    fn committed(&mut self, prepared: Prepared, committed: Committed) {
        let Committed { version, time } = committed;
        let Prepared { base, writes, staged, page_size, page_count, counter, .. } = prepared;
        self.must_drop = prepared.header_changed;
        if self.slot.is_some() && self.concurrency == Concurrency::Serial {
            let pages = writes.iter().map(|write| write.page).chain(staged.iter().copied());
            let runs = PageRuns::of(pages);
            self.shared.changes.add(base, version, Some(&runs));
        }
        for PageWrite { page, image, .. } in writes {
            let image = PageImage { version, bytes: image };
            self.process.cache.insert(self.shared.key, page, image, version);
        }
        self.last_own = version;
        self.finished(Head { version, time, page_size, page_count }, counter);
    }

    /// SQLite's cache stands for `head` from now on, with the counter that it
    /// wrote itself.
    fn finished(&mut self, head: Head, counter: u32) {
        if self.concurrency == Concurrency::Optimistic {
            // What SQLite wrote it has cached without having read it.
            for page in self.pending.blocks.keys().filter_map(|n| PageNo::new(*n)) {
                self.reads.add(page);
            }
        }
        self.head = Some(head);
        self.counter = counter;
        if counter.wrapping_sub(self.counter_max).cast_signed() > 0 {
            self.counter_max = counter;
        }
        self.dropped = false;
        self.pending = Pending::default();
        self.commit_id = None;
        self.phase = Phase::Published;
        // The next writer builds on the commit while it is on its way to the disk.
        self.slot = None;
    }

    fn changes(&self, prepared: &Prepared) -> Changes {
        let reads = match (&self.reads, self.concurrency) {
            (_, Concurrency::Serial) | (ReadSet::Everything, _) => Reads::Whole,
            (ReadSet::Empty, _) => Reads::Pages(Vec::new()),
            (ReadSet::Pages(pages), _) => Reads::Pages(pages.iter().copied().collect()),
        };
        Changes {
            namespace: Arc::clone(&self.namespace),
            base: prepared.base,
            reads,
            writes: prepared.writes.clone(),
            page_size: prepared.page_size,
            page_count: prepared.page_count,
        }
    }

    /// Keeps out a serial writer who opened the namespace after EXCLUSIVE was
    /// taken; see [`lock`](Self::lock).
    fn late_fence(&self) -> Result<Option<WriterSlot>> {
        if self.slot.is_some() || !self.shared.has_serial() {
            return Ok(None);
        }
        match self.namespace.wait_writer(LATE_FENCE) {
            Ok(Some(slot)) => Ok(Some(slot)),
            // Not `Busy`: SQLite would keep the transaction and come again.
            Ok(None) => Err(self.store_changed(Error::new(
                ErrorKind::Conflict,
                "a serial writer holds the namespace",
            ))),
            Err(e) if e.kind() == ErrorKind::Unsupported => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Puts what is in our stage into that of another commit.
    fn restage(&self, prepared: &Prepared, from: CommitId, to: CommitId) -> Result<(), Failure> {
        for pages in prepared.staged.chunks(BASE_READS_MAX) {
            let images = self.wait(self.namespace.read_staged(from, pages))?;
            let writes = pages.iter().zip(images).map(|(page, image)| {
                let image = image.ok_or_else(|| {
                    Error::new(ErrorKind::Internal, "the store lost a staged page")
                })?;
                Ok(PageWrite { page: *page, image, patch: None })
            });
            let writes = writes.collect::<Result<Vec<_>>>()?;
            self.wait(self.namespace.stage(to, writes))?;
        }
        self.wait(self.namespace.discard_stage(from))
    }

    fn take_prepared(&mut self) -> Option<Prepared> {
        match std::mem::replace(&mut self.phase, Phase::Open) {
            Phase::Prepared(prepared) => Some(prepared),
            other => {
                self.phase = other;
                None
            }
        }
    }
}

/// Commits what several databases of one transaction have prepared.
pub(crate) fn publish_together(parts: &[Arc<Mutex<Connection>>]) -> Result<(), Failure> {
    let mut guards: Vec<_> =
        parts.iter().map(|part| part.lock().unwrap_or_else(PoisonError::into_inner)).collect();
    // In one order, whoever commits: fences are taken along it.
    guards.sort_by_key(|part| part.namespace.info().id);
    let mut parts: Vec<&mut Connection> = guards.iter_mut().map(|guard| &mut **guard).collect();
    publish(&mut parts)
}

/// Commits what these have prepared: all or none.
fn publish(parts: &mut [&mut Connection]) -> Result<(), Failure> {
    let mut prepared = Vec::with_capacity(parts.len());
    for part in parts.iter_mut() {
        match part.take_prepared() {
            Some(ready) => prepared.push(ready),
            None => {
                return Err(Error::new(ErrorKind::Internal, "a commit of what is not ready").into());
            }
        }
    }
    let outcome = submit(parts, &prepared);
    let committed = match outcome {
        Ok(committed) => committed,
        Err(failure) => {
            for part in parts.iter_mut() {
                part.fail(failure.kind().unwrap_or(ErrorKind::Unavailable));
            }
            return Err(failure);
        }
    };
    for (part, ready) in parts.iter_mut().zip(prepared) {
        match committed {
            Some(committed) => part.committed(ready, committed),
            None => {
                let head = part.head.filter(|head| head.version == ready.base);
                if let Some(head) = head {
                    part.finished(head, ready.counter);
                }
            }
        }
    }
    settle(parts)
}

/// Waits until what the transaction saw and wrote is as durable as asked for.
fn settle(parts: &mut [&mut Connection]) -> Result<(), Failure> {
    for i in 0..parts.len() {
        let part = &*parts[i];
        let Some(head) = part.head else { continue };
        if part.synchronous.durability() != Durability::Durable {
            continue;
        }
        let durable = part.namespace.wait_durable(head.version);
        if let Err(e) = wait::run_through(part.limits.wait_max, durable) {
            for part in parts.iter_mut() {
                part.fail(e.kind());
            }
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the commit was made, but it is not known to be on stable storage",
            )
            .caused_by(e)
            .into());
        }
    }
    Ok(())
}

/// The commit itself; `None` if there is nothing to change.
fn submit(
    parts: &mut [&mut Connection],
    prepared: &[Prepared],
) -> Result<Option<Committed>, Failure> {
    let nothing = parts.iter().zip(prepared).all(|(part, ready)| {
        let same = part.head.is_some_and(|head| {
            head.page_count == ready.page_count && head.page_size == ready.page_size
        });
        same && ready.writes.is_empty() && ready.staged.is_empty() && !part.pending.staged
    });
    if nothing {
        return Ok(None);
    }
    let namespaces: Arc<Namespaces> = Arc::clone(parts[0].namespace.namespaces());
    // One commit takes one stage.
    let first_staged = parts.iter().zip(prepared).position(|(_, ready)| !ready.staged.is_empty());
    let id = parts[first_staged.unwrap_or(0)].commit_id();
    for (part, ready) in parts.iter_mut().zip(prepared) {
        if let Some(own) = part.commit_id.filter(|own| *own != id && !ready.staged.is_empty()) {
            part.restage(ready, own, id)?;
            part.commit_id = Some(id);
        }
    }
    let mut fences = Vec::new();
    for part in parts.iter() {
        fences.extend(part.late_fence()?);
    }
    let mut retries = 0;
    loop {
        let changes = parts.iter().zip(prepared).map(|(part, ready)| part.changes(ready)).collect();
        // Not interruptible: half a commit is not an answer.
        let commit = namespaces.commit(id, changes, Durability::Sequenced);
        match wait::run_through(parts[0].limits.wait_max, commit) {
            Ok(CommitOutcome::Committed(committed)) => return Ok(Some(committed)),
            Ok(CommitOutcome::Conflict(conflict)) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "somebody committed what this transaction depends on",
                )
                .with("conflict", format_args!("{conflict:?}"))
                .into());
            }
            Err(e) if is_unknown(&e) && retries < RETRIES_MAX => {
                // A deadline is long enough for one more try only.
                retries += if e.kind() == ErrorKind::TimedOut { RETRIES_MAX } else { 1 };
                thread::sleep(RETRY_AFTER);
            }
            Err(e) if is_unknown(&e) => {
                // The stage must stay: the commit may still be made.
                for part in parts.iter_mut() {
                    part.commit_id = None;
                }
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the store does not say whether the commit was made; it counts as failed, \
                     but may be there",
                )
                .caused_by(e)
                .into());
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Whether the commit may have been made in spite of the error.
fn is_unknown(e: &Error) -> bool {
    matches!(e.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut)
}
