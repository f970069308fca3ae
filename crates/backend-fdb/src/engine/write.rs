//! Writing.
//!
//! A write is one transaction. What its conditions are about is read at one version
//! of the cluster, and becomes conflict ranges: if somebody writes there
//! meanwhile, the cluster refuses, and it is judged again at a newer version. So the
//! answer is about one moment, and writes that touch different things never meet: the one
//! key that all of them set, the newest version, is set without being read.

use bytes::Bytes;
use foundationdb::options::{ConflictRangeType, MutationType};
use foundationdb::{FdbError, FdbResult, Transaction, TransactionCommitError};
use futures_util::future::try_join;
use hozo_ordered::{
    Clock, Condition, Numbering, Pair, Space, Template, Write, WriteOp, WriteOutcome,
};
use hozo_traits::{Error, ErrorKind, Result, Timestamp, Version};

use super::doubt::Mark;
use super::errors::{self, Fate};
use super::future::ready;
use super::keys::after;
use super::read::NEWEST;
use super::{Engine, again, prepare};

/// How often the same write may end in doubt. Each time it was looked for, or is
/// asked in a way that finds it.
const DOUBTS_MAX: usize = 16;

/// How an attempt ended.
enum Attempt {
    Done(WriteOutcome),
    /// It was not made, and can be tried again.
    Again(Failure),
    /// It may have been made.
    InDoubt(TransactionCommitError),
}

/// What a transaction failed at.
enum Failure {
    Reading(Transaction, FdbError),
    Committing(TransactionCommitError),
}

impl Failure {
    /// Waits as long as FoundationDB advises, for another attempt.
    async fn again(self) -> Result<Transaction> {
        match self {
            Failure::Reading(transaction, error) => again(transaction, error).await,
            Failure::Committing(error) => {
                let transaction = ready(error.on_error()).await.map_err(errors::ended)?;
                prepare(&transaction)?;
                Ok(transaction)
            }
        }
    }
}

/// What an attempt goes by.
struct Judged {
    newest: Version,
    time: Timestamp,
}

/// What was read for a write.
struct Found {
    newest: Option<Bytes>,
    /// By condition.
    conditions: Vec<Option<Pair>>,
    /// By floor of the clock.
    floors: Vec<Option<Pair>>,
}

impl Engine {
    pub(super) async fn make(&self, write: Write) -> Result<WriteOutcome> {
        if let Numbering::At(version) = write.numbering {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the store lacks the capability chosen_versions: the cluster numbers commits",
            )
            .with("version", version));
        }
        // What became of a commit is under its id; it needs no mark.
        let tells_by_itself = matches!(
            write.conditions.first(),
            Some(Condition::KeyIs { space: Space::Commits, value: None, .. })
        );
        let mark =
            if tells_by_itself || write.ops.is_empty() { None } else { Some(self.marks.take()?) };
        let mut transaction = self.begin()?;
        // Whether an attempt before may have been made: not so where that was looked for.
        let mut doubted = false;
        let told = |doubted: bool, e: Error| if doubted { errors::in_doubt(e) } else { e };
        for _ in 0..DOUBTS_MAX {
            let failed = loop {
                let attempt = self.attempt(transaction, &write, mark.as_ref()).await;
                match attempt.map_err(|e| told(doubted, e))? {
                    Attempt::Done(outcome) => return Ok(outcome),
                    Attempt::InDoubt(failed) => break failed,
                    Attempt::Again(failure) => {
                        transaction = failure.again().await.map_err(|e| told(doubted, e))?;
                    }
                }
            };
            // Where waiting is not advised, as after a timeout, what comes next has a
            // time of its own.
            transaction = match ready(failed.on_error()).await {
                Ok(transaction) => transaction,
                Err(_) => self.begin()?,
            };
            prepare(&transaction)?;
            match &mark {
                None => doubted = true,
                Some(mark) => {
                    let made = self.look(mark).await.map_err(errors::in_doubt)?;
                    if let Some(version) = made {
                        return self.found_made(&write, version).await;
                    }
                }
            }
        }
        let busy = Error::new(ErrorKind::Unavailable, "the cluster is in doubt each time");
        Err(errors::in_doubt(busy.with("tries", DOUBTS_MAX)))
    }

    /// The outcome of a write whose mark was found.
    async fn found_made(&self, write: &Write, version: Version) -> Result<WriteOutcome> {
        // Only writes with marks come here; those have no clock.
        let time = write.clock.as_ref().map_or(Timestamp::default(), |clock| clock.at_least);
        if write.numbering == Numbering::None {
            return Ok(WriteOutcome::Written { version: self.newest().await?, time });
        }
        self.saw_store(version);
        Ok(WriteOutcome::Written { version, time })
    }

    async fn attempt(
        &self,
        transaction: Transaction,
        write: &Write,
        mark: Option<&Mark<'_>>,
    ) -> Result<Attempt> {
        let found = match self.look_up(&transaction, write).await {
            Ok(found) => found,
            Err(error) => return Ok(Attempt::Again(Failure::Reading(transaction, error))),
        };
        let newest = self.parse_newest(found.newest)?;
        for (condition, (asked, found)) in write.conditions.iter().zip(found.conditions).enumerate()
        {
            if !holds(asked, found.as_ref()) {
                return Ok(Attempt::Done(WriteOutcome::Failed { condition, found }));
            }
        }
        let time = match &write.clock {
            Some(clock) => self.time(clock, &found.floors)?,
            None => Timestamp::default(),
        };
        if write.ops.is_empty() && write.numbering == Numbering::None {
            return Ok(Attempt::Done(WriteOutcome::Written { version: newest, time }));
        }
        let judged = Judged { newest, time };
        self.fill(&transaction, write, mark, &judged)?;
        let numbered = write.numbering != Numbering::None;
        let stamp = numbered.then(|| transaction.get_versionstamp());
        match ready(transaction.commit()).await {
            // What this process reads from here on is to have it.
            Ok(made) => self.saw_read(made.committed_version().unwrap_or(0)),
            Err(failed) => {
                return match errors::fate(*failed) {
                    Fate::NotMade => Ok(Attempt::Again(Failure::Committing(failed))),
                    Fate::InDoubt => Ok(Attempt::InDoubt(failed)),
                    Fate::Refused => Err(errors::ended(*failed)),
                };
            }
        }
        let Some(stamp) = stamp else {
            return Ok(Attempt::Done(WriteOutcome::Written { version: judged.newest, time }));
        };
        // There with the commit.
        let stamp = ready(stamp).await.map_err(|e| errors::in_doubt(errors::ended(e)))?;
        let version = stamp.as_ref().try_into().map(Version::from_bytes).map_err(|_| {
            Error::new(ErrorKind::Internal, "a versionstamp of FoundationDB is not 10 bytes")
        })?;
        self.saw_store(version);
        Ok(Attempt::Done(WriteOutcome::Written { version, time }))
    }

    /// Reads everything that the write depends on, at one version of the cluster.
    async fn look_up(&self, transaction: &Transaction, write: &Write) -> FdbResult<Found> {
        let mut keys = vec![self.keys.key(NEWEST.0, NEWEST.1)];
        let mut ranges = Vec::new();
        for condition in &write.conditions {
            match condition {
                Condition::KeyIs { space, key, .. } => keys.push(self.keys.key(*space, key)),
                Condition::RangeEmpty { space, range } => {
                    ranges.push(self.keys.range(*space, range));
                }
            }
        }
        let floors = write.clock.iter().flat_map(|clock| &clock.floors);
        ranges.extend(floors.map(|floor| {
            let start = self.keys.key(floor.space, &floor.prefix);
            // The time, and the version that may follow it, are 18 bytes.
            let end = [start.as_slice(), &[0xff; 18]].concat();
            (start, after(end))
        }));
        self.fix(transaction).await?;
        let (values, lasts) =
            try_join(self.values_in(transaction, &keys), self.last_in_with(transaction, &ranges))
                .await?;
        let (mut values, mut lasts) = (values.into_iter(), lasts.into_iter());
        let newest = values.next().flatten();
        let conditions = write.conditions.iter().map(|condition| match condition {
            Condition::KeyIs { key, .. } => {
                values.next().flatten().map(|value| (Bytes::copy_from_slice(key), value))
            }
            Condition::RangeEmpty { .. } => lasts.next().flatten(),
        });
        let conditions = conditions.collect();
        Ok(Found { newest, conditions, floors: lasts.collect() })
    }

    fn time(&self, clock: &Clock, found: &[Option<Pair>]) -> Result<Timestamp> {
        let mut time = clock.at_least;
        for (floor, found) in clock.floors.iter().zip(found) {
            let Some((key, _)) = found else { continue };
            let stored = key.get(floor.prefix.len()..).and_then(|rest| rest.first_chunk());
            let stored = stored.ok_or_else(|| {
                Error::new(ErrorKind::Corrupt, "a key that should have a time is too short")
                    .with("space", floor.space.name())
            })?;
            time = time.max(Timestamp::from_micros(u64::from_be_bytes(*stored)));
        }
        Ok(time)
    }

    /// Puts conflict ranges and changes into the transaction.
    fn fill(
        &self,
        transaction: &Transaction,
        write: &Write,
        mark: Option<&Mark<'_>>,
        judged: &Judged,
    ) -> Result<()> {
        let depends_on = |(start, end): (Vec<u8>, Vec<u8>)| {
            if start >= end {
                return Ok(());
            }
            let added = transaction.add_conflict_range(&start, &end, ConflictRangeType::Read);
            added.map_err(errors::ended)
        };
        for condition in &write.conditions {
            depends_on(match condition {
                Condition::RangeEmpty { space, range } => self.keys.range(*space, range),
                Condition::KeyIs { space, key, .. } => {
                    let key = self.keys.key(*space, key);
                    (key.clone(), after(key))
                }
            })?;
        }
        // Others may write a time of their own at the same moment, but none that is
        // later: so times do not fall, and who has the same or an earlier one is not
        // in the way.
        for floor in write.clock.iter().flat_map(|clock| &clock.floors) {
            let Some(later) = judged.time.as_micros().checked_add(1) else { continue };
            let prefix = self.keys.key(floor.space, &floor.prefix);
            let start = [prefix.as_slice(), &later.to_be_bytes()].concat();
            depends_on((start, [prefix.as_slice(), &[0xff; 19]].concat()))?;
        }
        let numbered = write.numbering != Numbering::None;
        for op in &write.ops {
            self.change(transaction, op, numbered, judged)?;
        }
        if numbered {
            let key = self.keys.key(NEWEST.0, NEWEST.1);
            let value = with_offset(vec![0; Version::LEN], 0)?;
            transaction.atomic_op(&key, &value, MutationType::SetVersionstampedValue);
        }
        if let Some(mark) = mark {
            let (process, slot) = mark.place();
            let key = self.keys.mark(process, slot);
            depends_on((key.clone(), after(key.clone())))?;
            let (value, at) = mark.value();
            let value = with_offset(value, at)?;
            transaction.atomic_op(&key, &value, MutationType::SetVersionstampedValue);
        }
        Ok(())
    }

    fn change(
        &self,
        transaction: &Transaction,
        op: &WriteOp,
        numbered: bool,
        judged: &Judged,
    ) -> Result<()> {
        let time = judged.time;
        match op {
            WriteOp::Put { space, key, value } => {
                let full = self.keys.key(*space, &timed(key, time)?);
                let data = timed(value, time)?;
                match (key.version_at, value.version_at) {
                    _ if !numbered => {
                        // Its version is the newest that there is, and known.
                        let full = stamped(
                            full,
                            key.version_at.map(|at| self.keys.before() + at),
                            judged.newest,
                        )?;
                        let data = stamped(data, value.version_at, judged.newest)?;
                        transaction.set(&full, &data);
                    }
                    (None, None) => transaction.set(&full, &data),
                    (Some(at), None) => {
                        let full = with_offset(full, self.keys.before() + at)?;
                        transaction.atomic_op(&full, &data, MutationType::SetVersionstampedKey);
                    }
                    (None, Some(at)) => {
                        let data = with_offset(data, at)?;
                        transaction.atomic_op(&full, &data, MutationType::SetVersionstampedValue);
                    }
                    (Some(_), Some(_)) => {
                        return Err(Error::new(
                            ErrorKind::Unsupported,
                            "FoundationDB puts a version into a key or into its value, not both",
                        )
                        .with("space", space.name()));
                    }
                }
            }
            WriteOp::Delete { space, key } => transaction.clear(&self.keys.key(*space, key)),
            WriteOp::DeleteRange { space, start, end } if start < end => {
                transaction.clear_range(&self.keys.key(*space, start), &self.keys.key(*space, end));
            }
            WriteOp::DeleteRange { .. } => {}
        }
        Ok(())
    }

    /// Whether the write with this mark was made, and at which version. If not, it
    /// never will be.
    async fn look(&self, mark: &Mark<'_>) -> Result<Option<Version>> {
        let (process, slot) = mark.place();
        let key = self.keys.mark(process, slot);
        let mut transaction = self.begin()?;
        loop {
            let stored = match ready(transaction.get(&key, false)).await {
                Ok(stored) => stored,
                Err(error) => {
                    transaction = again(transaction, error).await?;
                    continue;
                }
            };
            if let Some(version) = stored.and_then(|stored| mark.read(&stored)) {
                return Ok(Some(version));
            }
            // The write depends on the mark: set after it was read, it is refused.
            transaction.set(&key, b"");
            match ready(transaction.commit()).await {
                Ok(_) => return Ok(None),
                Err(failed) => {
                    transaction = ready(failed.on_error()).await.map_err(errors::ended)?;
                    prepare(&transaction)?;
                }
            }
        }
    }
}

fn holds(condition: &Condition, found: Option<&Pair>) -> bool {
    match condition {
        Condition::RangeEmpty { .. } => found.is_none(),
        Condition::KeyIs { value, .. } => found.map(|(_, found)| found) == value.as_ref(),
    }
}

/// With the time where it belongs.
fn timed(template: &Template, time: Timestamp) -> Result<Vec<u8>> {
    let mut bytes = template.bytes.to_vec();
    let Some(at) = template.time_at else { return Ok(bytes) };
    let room = at.checked_add(8).and_then(|end| bytes.get_mut(at..end));
    let room = room.ok_or_else(does_not_fit)?;
    room.copy_from_slice(&time.as_micros().to_be_bytes());
    Ok(bytes)
}

/// With the version where it belongs.
fn stamped(mut bytes: Vec<u8>, at: Option<usize>, version: Version) -> Result<Vec<u8>> {
    let Some(at) = at else { return Ok(bytes) };
    let room = at.checked_add(Version::LEN).and_then(|end| bytes.get_mut(at..end));
    room.ok_or_else(does_not_fit)?.copy_from_slice(version.as_bytes());
    Ok(bytes)
}

/// With the position behind it at which the cluster puts the version.
fn with_offset(mut bytes: Vec<u8>, at: usize) -> Result<Vec<u8>> {
    if at.checked_add(Version::LEN).is_none_or(|end| end > bytes.len()) {
        return Err(does_not_fit());
    }
    let offset = u32::try_from(at).map_err(|_| does_not_fit())?;
    bytes.extend_from_slice(&offset.to_le_bytes());
    Ok(bytes)
}

fn does_not_fit() -> Error {
    Error::new(ErrorKind::Invalid, "what is filled in does not fit there")
}
