//! Locks: which version is read, and whose turn it is to write.

use std::time::{Duration, Instant};

use hozo_pages::{Concurrency, Head, WriterSlot};
use hozo_traits::{Durability, Error, ErrorKind, PageNo, Version};

use super::{Connection, Level, Phase, ReadSet};
use crate::code::Failure;
use crate::pending::Pending;
use crate::wait;

/// How long a wait for the writer slot lasts before SQLite's busy handler is
/// asked, and between two such questions.
const SLOT_WAIT: Duration = Duration::from_millis(10);
/// How often somebody who waits for the slot looks around.
const SLOT_SLICE: Duration = Duration::from_millis(2);
/// How long the slot is kept for a connection that must read page 1 anew. The
/// busy handler that SQLite calls before it tries again sleeps 1 or 2 ms at
/// first.
const PARK: Duration = Duration::from_millis(25);
/// How long, after the busy handler was called from here and sleeps longer.
const PARK_LONG: Duration = Duration::from_millis(120);
/// How often SHARED waits for commits in flight that write page 1.
const PAGE_ONE_WAITS_MAX: usize = 3;

impl Connection {
    /// Takes a lock, at least as strong as the one held.
    pub(crate) fn lock(&mut self, level: Level) -> Result<(), Failure> {
        if level >= Level::Shared && self.level == Level::None {
            self.begin_read()?;
            self.level = Level::Shared;
        }
        if level >= Level::Reserved && self.level == Level::Shared {
            self.begin_write()?;
        }
        if level == Level::Exclusive && self.level < Level::Exclusive {
            self.fence()?;
        }
        self.level = self.level.max(level);
        Ok(())
    }

    /// Goes down to SHARED or to no lock at all. What was written and not
    /// published is forgotten: SQLite keeps nothing in the file that it did
    /// not sync.
    pub(crate) fn unlock(&mut self, level: Level) {
        if self.level >= Level::Reserved {
            self.end_write();
        }
        self.level = self.level.min(level);
        if self.level == Level::None {
            self.dropped = false;
            self.others_read = false;
            // One that was kept for a writer who then only read.
            self.slot = None;
        }
    }

    fn end_write(&mut self) {
        self.leave_group();
        let published = matches!(self.phase, Phase::Published);
        self.slot = None;
        self.forget_pending();
        self.phase = Phase::Open;
        if !published {
            self.settle_rollback();
        }
    }

    /// A transaction that was rolled back may have shown what was sequenced and
    /// not durable. It ends when that is durable, so that nobody acts on what a
    /// power cut takes back.
    fn settle_rollback(&self) {
        let Some(head) = self.head else { return };
        if self.synchronous.durability() == Durability::Durable && self.fixed.is_none() {
            // Not an error of the rollback: the next lock meets it again.
            let durable = self.namespace.wait_durable(head.version);
            let _ = wait::run_through(self.limits.wait_max, durable);
        }
    }

    /// Drops what was written and not committed, and its stage.
    pub(super) fn forget_pending(&mut self) {
        let staged = self.pending.staged;
        self.pending = Pending::default();
        if let Some(id) = self.commit_id.take().filter(|_| staged) {
            // If the store does not answer, it drops stages without a commit
            // when it is opened next.
            let discard = self.namespace.discard_stage(id);
            let _ = wait::run_through(self.limits.wait_max, discard);
        }
    }

    /// SHARED: chooses the version to read at.
    ///
    /// After taking the lock SQLite always compares the change counter and
    /// drops its cache if it moved, except at its first lock, when the cache is
    /// empty (`sqlite3PagerSharedLock`).
    fn begin_read(&mut self) -> Result<(), Failure> {
        self.others_read = false;
        if let Some(fixed) = self.fixed {
            self.adopt(fixed, false);
            return Ok(());
        }
        // A slot that was kept for us: nobody commits until we do, so that
        // RESERVED finds what is chosen here.
        let slot = self.shared.unpark(self.id);
        let (head, in_flight) = match self.synchronous.durability() {
            Durability::Sequenced => (self.wait(self.namespace.heads())?.sequenced, false),
            Durability::Durable => self.durable_head()?,
        };
        self.learn(head.version)?;
        self.adopt(head, in_flight);
        self.slot = slot;
        Ok(())
    }

    /// The newest durable head, and whether commits of this namespace are on
    /// their way to the disk. If those write page 1, they are waited for: a
    /// writer who has read the old page 1 could not move up to them.
    fn durable_head(&self) -> Result<(Head, bool), Failure> {
        let mut heads = self.wait(self.namespace.heads())?;
        if heads.durable.version < self.last_own {
            self.wait(self.namespace.wait_durable(self.last_own))?;
            heads = self.wait(self.namespace.heads())?;
        }
        for _ in 0..PAGE_ONE_WAITS_MAX {
            let (durable, newest) = (heads.durable.version, heads.sequenced.version);
            if durable == newest {
                return Ok((heads.durable, false));
            }
            let written = self.wait(self.namespace.changes_since(durable, newest))?;
            if written.is_some_and(|pages| !pages.contains(PageNo::ONE)) {
                return Ok((heads.durable, true));
            }
            self.wait(self.namespace.wait_durable(newest))?;
            heads = self.wait(self.namespace.heads())?;
        }
        Ok((heads.durable, heads.durable.version != heads.sequenced.version))
    }

    /// Lets cached pages be told from stale ones up to this version.
    fn learn(&self, to: Version) -> Result<(), Failure> {
        if self.head.is_some_and(|head| head.version == to) {
            // It was learned when that head was taken.
            return Ok(());
        }
        self.wait(self.shared.changes.learn(&self.namespace, to))
    }

    /// Reads at `head` from now on. SQLite keeps its cache if it stands for
    /// that version already, unless `drop_cache` says that it must not: a cache
    /// that was dropped lets a writer move up to commits in flight.
    fn adopt(&mut self, head: Head, drop_cache: bool) {
        let same = self.head.is_some_and(|old| old.version == head.version);
        let must_drop = std::mem::take(&mut self.must_drop);
        self.dropped = !same || drop_cache || must_drop;
        if self.dropped {
            self.counter_max = self.counter_max.wrapping_add(1);
            self.counter = self.counter_max;
            self.reads = ReadSet::default();
        }
        self.head = Some(head);
    }

    /// RESERVED: takes the writer slot and makes sure that the snapshot is the
    /// newest version, or takes nothing in optimistic mode.
    fn begin_write(&mut self) -> Result<(), Failure> {
        if self.fixed.is_some() {
            return Err(Error::new(
                ErrorKind::ReadOnly,
                "this is a snapshot of an old version, which cannot be written",
            )
            .with("namespace", &self.namespace.info().name)
            .into());
        }
        if self.concurrency == Concurrency::Optimistic {
            // A slot that was kept in serial mode is of no use here.
            self.slot = None;
            return Ok(());
        }
        let mut asked = false;
        if self.slot.is_none() {
            // Who has read more than page 1 cannot move up: do not queue for a
            // slot that would come too late.
            if self.others_read && self.is_stale()? {
                return Err(self.too_late());
            }
            let (slot, waited) = self.take_slot()?;
            self.slot = Some(slot);
            asked = waited;
        }
        if let Err(failure) = self.move_up() {
            let slot = self.slot.take();
            let comes_back = failure.kind() == Some(ErrorKind::Conflict) && !self.others_read;
            if let Some(slot) = slot.filter(|_| comes_back) {
                let grace = if asked { PARK_LONG } else { PARK };
                self.shared.park(self.id, slot, grace);
            }
            return Err(failure);
        }
        Ok(())
    }

    /// EXCLUSIVE: readers keep their snapshots, so there is nobody to wait for,
    /// except that an optimistic commit must not come between a serial writer's
    /// snapshot and its commit, which never conflicts. SQLite asks for EXCLUSIVE
    /// before it commits and may be told here that it is busy (`vdbeCommit`).
    fn fence(&mut self) -> Result<(), Failure> {
        let fenced = self.slot.is_some() || !self.shared.has_serial();
        if fenced || self.concurrency == Concurrency::Serial || self.fixed.is_some() {
            return Ok(());
        }
        match self.take_slot() {
            Ok((slot, _)) => self.slot = Some(slot),
            // Then nobody can write it in serial mode.
            Err(failure) if failure.kind() == Some(ErrorKind::Unsupported) => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    fn is_stale(&self) -> Result<bool, Failure> {
        let newest = self.wait(self.namespace.heads())?.sequenced.version;
        Ok(self.head.is_none_or(|head| head.version != newest))
    }

    fn too_late(&self) -> Failure {
        Error::new(ErrorKind::Conflict, "somebody committed since this transaction began to read")
            .with("namespace", &self.namespace.info().name)
            .into()
    }

    /// Makes the newest version the snapshot, if SQLite cannot tell: its cache
    /// was dropped when it took the read lock, it has read nothing but page 1
    /// since, and page 1 is the same in both.
    fn move_up(&mut self) -> Result<(), Failure> {
        let newest = self.wait(self.namespace.heads())?.sequenced;
        let Some(head) = self.head else { return Err(self.too_late()) };
        if newest.version == head.version {
            return Ok(());
        }
        let movable = self.dropped
            && !self.others_read
            && newest.page_count == head.page_count
            && newest.page_size == head.page_size;
        if !movable {
            return Err(self.too_late());
        }
        self.learn(newest.version)?;
        let old = self.page_at(PageNo::ONE, &head)?;
        let new = self.page_at(PageNo::ONE, &newest)?;
        if old.map(|image| image.bytes) != new.map(|image| image.bytes) {
            return Err(self.too_late());
        }
        self.head = Some(newest);
        Ok(())
    }

    /// Waits for the writer slot as long as SQLite's busy handler wants to;
    /// whether that was asked.
    fn take_slot(&self) -> Result<(WriterSlot, bool), Failure> {
        self.shared.release_overdue();
        if let Some(slot) = self.namespace.try_writer()? {
            return Ok((slot, false));
        }
        let mut asked = false;
        loop {
            let mut ticket = self.namespace.writer_ticket()?;
            let until = Instant::now() + SLOT_WAIT;
            // A slot that is kept for somebody is no reason to be busy: its time
            // is short.
            while Instant::now() < until || self.shared.is_parked() {
                ticket = match ticket.wait(SLOT_SLICE) {
                    Ok(slot) => return Ok((slot, asked)),
                    Err(ticket) => ticket,
                };
                self.shared.release_overdue();
                if self.host.interrupted() {
                    return Err(Failure::Interrupted);
                }
            }
            if let Ok(slot) = ticket.wait(Duration::ZERO) {
                return Ok((slot, asked));
            }
            // The ticket is gone: the handler may sleep for long, and a place in
            // the queue would make the others wait for us meanwhile.
            asked = true;
            if !self.host.busy() {
                return Err(Error::new(ErrorKind::Busy, "another connection is writing")
                    .with("namespace", &self.namespace.info().name)
                    .into());
            }
            if self.host.interrupted() {
                return Err(Failure::Interrupted);
            }
        }
    }
}
