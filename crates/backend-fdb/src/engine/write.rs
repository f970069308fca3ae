//! Writing.
//!
//! A write is one transaction. What its conditions are about is read at one version
//! of the cluster, and becomes conflict ranges: if somebody writes there
//! meanwhile, the cluster refuses, and it is judged again at a newer version. So the
//! answer is about one moment, and writes that touch different things never meet: the one
//! key that all of them set, the newest version, is set without being read.

use bytes::Bytes;
use foundationdb::{FdbError, FdbResult, Transaction, TransactionCommitError};
use futures_util::future::try_join;
use hozo_ordered::{Clock, Condition, Numbering, Pair, Space, Write, WriteOutcome};
use hozo_traits::{Error, ErrorKind, Result, Timestamp, Version};

use super::doubt::Mark;
use super::errors::{self, Fate};
use super::fill::Judged;
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
}

fn holds(condition: &Condition, found: Option<&Pair>) -> bool {
    match condition {
        Condition::RangeEmpty { .. } => found.is_none(),
        Condition::KeyIs { value, .. } => found.map(|(_, found)| found) == value.as_ref(),
    }
}
