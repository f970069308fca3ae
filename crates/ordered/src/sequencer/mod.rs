//! The sequencer that local engines share.
//!
//! Commits pass one short critical section, in which their conditions are
//! judged against everything sequenced before, they get their version, and the
//! engine applies them without waiting for the disk. From then on the next
//! commit builds on them. Who asked for `durable` then waits for an fsync, and
//! one fsync serves all who wait; see [`GroupSync`].
//!
//! Two locks, never both for long and neither across an await or an fsync:
//! `order` for the critical section, and inside it for a moment the one in
//! `GroupSync`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Capabilities, Durability, Error, ErrorKind, Result, Timestamp, Version, Watermarks,
};

use self::order::{Order, fill};
use self::recent::Moment;
use crate::keys;
use crate::{
    Condition, GroupSync, GroupSyncConfig, KeyRange, Limits, LocalEngine, NotApplied, Numbering,
    Op, OrderedEngine, Pair, Scan, Space, Write, WriteOutcome,
};

mod order;
mod recent;
#[cfg(test)]
mod tests;

/// With more conditions than this, a write has them judged before its turn.
/// It costs looking at what was written since, which is worth it for a few.
const JUDGED_IN_TURN_MAX: usize = 8;

/// A local engine with its commits in order: an [`OrderedEngine`].
///
/// Dropping it puts what was sequenced on stable storage.
pub struct Sequenced<E: LocalEngine> {
    engine: Arc<E>,
    sync: GroupSync<Version>,
    order: Mutex<Order>,
    /// Whether the engine may show a commit that the watermarks do not yet.
    appearing: AtomicBool,
}

enum Judgement {
    Holds,
    /// With what was found instead.
    Fails(Option<Pair>),
}

impl<E: LocalEngine> Sequenced<E> {
    /// Orders the commits of `engine`, going on after the last that it has.
    /// Everything that it has is on stable storage when this returns.
    pub fn open(engine: E) -> Result<Self> {
        let newest = match engine.get(Space::System, keys::SYSTEM_VERSION)? {
            Some(stored) => Version::from_bytes(stored.as_ref().try_into().map_err(|_| {
                Error::new(ErrorKind::Corrupt, "the store's newest version is not 10 bytes")
                    .with("bytes", stored.len())
            })?),
            None => Version::ZERO,
        };
        // What a killed process left is there, but a power cut could still
        // take it. Readers must not see it as durable before this.
        if engine.persistent() {
            engine.sync()?;
        }
        let engine = Arc::new(engine);
        let config =
            GroupSyncConfig { persistent: engine.persistent(), ..GroupSyncConfig::default() };
        let synced = Arc::clone(&engine);
        let sync = GroupSync::new(newest, config, move |_| synced.sync());
        let order = Mutex::new(Order::after(newest));
        Ok(Sequenced { engine, sync, order, appearing: AtomicBool::new(false) })
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        // A panic in here poisoned the store, which is what counts.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges and applies a write. All but the first line is the critical section.
    fn sequence(&self, write: Write) -> Result<WriteOutcome> {
        let held = self.judge_ahead(&write.conditions)?;
        let mut order = self.order();
        self.sync.refuse_if_poisoned()?;
        let changes = held.and_then(|moment| order.recent.since(moment));
        for (condition, asked) in write.conditions.iter().enumerate() {
            if changes.as_ref().is_some_and(|changes| !changes.touch(asked)) {
                continue;
            }
            if let Judgement::Fails(found) = self.judge(asked)? {
                return Ok(WriteOutcome::Failed { condition, found });
            }
        }
        let version = order.next(write.numbering)?;
        let time = match &write.clock {
            Some(clock) => order.time(self.engine(), clock)?,
            None => Timestamp::default(),
        };
        let mut ops = fill(write.ops, version, time)?;
        let numbered = write.numbering != Numbering::None;
        if numbered {
            ops.push(Op::Put {
                space: Space::System,
                key: Bytes::from_static(keys::SYSTEM_VERSION),
                value: Bytes::copy_from_slice(version.as_bytes()),
            });
        }
        let _appearing = Appearing::begin(&self.appearing);
        if !ops.is_empty() {
            let poison = self.sync.poison_unless_defused("a write");
            let applied = self.engine().apply(&ops);
            poison.defuse();
            applied.map_err(|why| match why {
                // As if it had never been asked for.
                NotApplied::Refused(error) => error,
                NotApplied::Failed(error) => self.sync.poison("a write", error),
            })?;
        }
        if !ops.is_empty() {
            order.recent.push(ops);
        }
        order.newest = version;
        if let Some(clock) = write.clock {
            order.remember(clock.floors, time);
        }
        if numbered {
            // Inside the section: watermarks never move back.
            self.sync.wrote(version, write.durability);
        }
        Ok(WriteOutcome::Written { version, time })
    }

    /// Many conditions: judges them now, beside other writes. Answers a moment
    /// since when all of them held; `None` if that is not known.
    fn judge_ahead(&self, conditions: &[Condition]) -> Result<Option<Moment>> {
        if conditions.len() <= JUDGED_IN_TURN_MAX {
            return Ok(None);
        }
        let moment = self.order().recent.now();
        for condition in conditions {
            // Which of them fails first is for the critical section to say.
            if let Judgement::Fails(_) = self.judge(condition)? {
                return Ok(None);
            }
        }
        Ok(Some(moment))
    }

    fn judge(&self, condition: &Condition) -> Result<Judgement> {
        Ok(match condition {
            Condition::RangeEmpty { space, range } => match self.last_in(*space, range)? {
                None => Judgement::Holds,
                found => Judgement::Fails(found),
            },
            Condition::KeyIs { space, key, value } => {
                let found = self.engine().get(*space, key)?;
                if found == *value {
                    Judgement::Holds
                } else {
                    Judgement::Fails(found.map(|found| (Bytes::copy_from_slice(key), found)))
                }
            }
        })
    }

    /// Returns when the watermarks show every commit that was visible before
    /// the call. Without it a reader could find a version in what it reads and
    /// be told that there is no such version.
    fn catch_up(&self, space: Space) {
        // Pages are only read at versions that the watermarks have shown; the
        // rest has no versions.
        if matches!(space, Space::Log | Space::Times | Space::Meta)
            && self.appearing.load(Ordering::SeqCst)
        {
            drop(self.order());
        }
    }

    fn last_in(&self, space: Space, range: &KeyRange) -> Result<Option<Pair>> {
        if range.start > range.end {
            return Ok(None);
        }
        self.engine().last_in(space, &range.start, &range.end)
    }
}

/// Raises a flag for as long as it lives.
struct Appearing<'a>(&'a AtomicBool);

impl<'a> Appearing<'a> {
    fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::SeqCst);
        Appearing(flag)
    }
}

impl Drop for Appearing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[async_trait]
impl<E: LocalEngine> OrderedEngine for Sequenced<E> {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: self.engine().backend(),
            persistent: self.engine().persistent(),
            exclusive: true,
            chosen_versions: true,
        }
    }

    fn limits(&self) -> Limits {
        self.engine().limits()
    }

    async fn watermarks(&self) -> Result<Watermarks> {
        let marks = self.sync.marks();
        Ok(Watermarks { sequenced: marks.written, durable: marks.durable })
    }

    async fn wait_durable(&self, version: Version) -> Result<()> {
        let newest = self.sync.marks().written;
        if version > newest {
            return Err(Error::new(ErrorKind::Invalid, "this version was not committed yet")
                .with("version", version)
                .with("newest", newest));
        }
        self.sync.wait(version).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        let found = self.engine().get(space, key)?;
        self.catch_up(space);
        Ok(found)
    }

    async fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>> {
        let found = match keys {
            [] => Vec::new(),
            [key] => vec![self.engine().get(space, key)?],
            keys => self.engine().get_many(space, keys)?,
        };
        self.catch_up(space);
        Ok(found)
    }

    async fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>> {
        let found = match ranges {
            [] => Vec::new(),
            [range] => vec![self.last_in(space, range)?],
            ranges => self.engine().last_in_many(space, ranges)?,
        };
        self.catch_up(space);
        Ok(found)
    }

    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>> {
        if scan.start >= scan.end || scan.limit == 0 {
            return Ok(Vec::new());
        }
        let found = self.engine().scan(scan)?;
        self.catch_up(scan.space);
        Ok(found)
    }

    async fn write(&self, write: Write) -> Result<WriteOutcome> {
        let durable = write.durability == Durability::Durable;
        let numbered = write.numbering != Numbering::None;
        let outcome = self.sequence(write)?;
        if let WriteOutcome::Written { version, .. } = outcome
            && durable
            && numbered
        {
            self.sync.wait(version).await?;
        }
        Ok(outcome)
    }
}
