//! Doing what a source says.

use bytes::Bytes;
use hozo_traits::{
    Durability, Effect, Error, ErrorKind, KvScan, KvStore, Position, Result, Selection, Update,
    What,
};
use std::ops::Bound;

use crate::batch::Batch;
use crate::shared::{Shared, keys_of};
use crate::ulog::codec;

/// Keys that are read of a DBM at once.
const KEYS_AT_ONCE: usize = 4096;

/// What became of an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Applied {
    Done,
    /// It was here already.
    Known,
    /// The source's log is not enough any more.
    NeedsSnapshot,
}

impl Shared {
    /// Applies an update of a source, in the order of its log. `theirs` is what
    /// the source had at that place, and is moved on. Of a follower it is in the
    /// records when `batch` is finished.
    pub(crate) async fn apply(
        &self,
        update: &Update,
        theirs: &mut Position,
        batch: &mut Batch<'_>,
    ) -> Result<Applied> {
        self.unsettled.refuse()?;
        if update.reach.seq == 0 {
            return self.apply_foreign(update, batch).await.map(|()| Applied::Done);
        }
        let origin = update.origin;
        let me = self.ulog.me();
        if origin == me {
            let own = self.ulog.reach_of(me);
            if update.reach.seq > own.seq {
                // This server began anew, and lacks what is left out here since
                // it made it.
                return Ok(Applied::NeedsSnapshot);
            }
            if update.reach.seq == own.seq && update.reach.digest != own.digest {
                return Err(diverged(update));
            }
            theirs.set(origin, update.reach);
            self.ulog.known_there(update.reach)?;
            return Ok(Applied::Known);
        }
        let here = self.ulog.reach_of(origin);
        if update.reach.seq <= here.seq {
            if update.reach.seq == here.seq && update.reach.digest != here.digest {
                return Err(diverged(update));
            }
            theirs.set(origin, update.reach);
            return Ok(Applied::Known);
        }
        let reduced = matches!(update.what, What::Records { reduced: true, .. });
        if update.what != What::Nothing {
            if update.reach.seq != here.seq + 1 {
                return Err(Error::new(ErrorKind::Corrupt, "the source left out updates")
                    .with("server", origin)
                    .with("expected", here.seq + 1)
                    .with("came", update.reach.seq));
            }
            if !reduced && codec::digest_of(here.digest, update) != update.reach.digest {
                return Err(diverged(update));
            }
        }
        match &update.what {
            What::Reset => return Ok(Applied::NeedsSnapshot),
            What::Nothing => {
                self.ulog.append_other(update)?;
            }
            What::Epoch(epoch) => {
                self.ulog.append_other(update)?;
                if self.standing.lock().role.takes_writes() {
                    // Who promoted that one meant this one to stop.
                    return Err(self.fence(*epoch));
                }
            }
            What::Records { dbm, effects, .. } => {
                let records = self.dbm(*dbm)?;
                if batch.defers() {
                    batch.log(*dbm, || {
                        let merged = self.ulog.append_other(update)?;
                        Ok((merged.effects, merged.end))
                    })?;
                } else if effects == &[Effect::Clear] {
                    let _alone = self.gates[*dbm as usize].alone().await;
                    match self.ulog.may_conflict()? {
                        true => self.apply_clearing(update, *dbm, records).await?,
                        false => self.apply_records(update, *dbm, effects, records).await?,
                    }
                } else {
                    let _inside = self.gates[*dbm as usize].enter().await;
                    self.apply_records(update, *dbm, effects, records).await?;
                }
            }
        }
        theirs.set(origin, update.reach);
        Ok(Applied::Done)
    }

    fn dbm(&self, index: u32) -> Result<&dyn KvStore> {
        let records = self.records.get(index as usize).map(|records| &**records);
        records.ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                "the source has a DBM that this server has not: the configs of both name the same \
                 DBMs in the same order",
            )
            .with("dbm_index", index)
        })
    }

    async fn apply_records(
        &self,
        update: &Update,
        dbm: u32,
        effects: &[Effect],
        records: &dyn KvStore,
    ) -> Result<()> {
        let keys = keys_of(effects);
        let selection = Selection::Keys { keys: &keys, values: false };
        let mut logged = self.unsettled.guard();
        let mut contests = Vec::new();
        let mut done = None;
        records
            .update(selection, Durability::Sequenced, &mut |_| {
                // Called again: it is in the log already.
                if let Some(effects) = &done {
                    return Ok(Vec::clone(effects));
                }
                logged.begins(self.ulog.end());
                let merged = self.ulog.append_other(update)?;
                logged.ends((merged.end, update.reach.seq));
                contests = merged.conflicts;
                done = Some(merged.effects.clone());
                Ok(merged.effects)
            })
            .await?;
        logged.settled();
        self.found(dbm, contests);
        Ok(())
    }

    /// Clears a DBM but for what was changed here later, without the source's
    /// knowledge.
    async fn apply_clearing(&self, update: &Update, dbm: u32, records: &dyn KvStore) -> Result<()> {
        // What is changed from here on is later.
        self.ulog.has_seen(update.time);
        let keys = all_keys(records).await?;
        let selection = Selection::Keys { keys: &keys, values: false };
        let mut logged = self.unsettled.guard();
        let mut contests = Vec::new();
        let mut done = None;
        records
            .update(selection, Durability::Sequenced, &mut |found| {
                if let Some(effects) = &done {
                    return Ok(Vec::clone(effects));
                }
                let there = |present: &&hozo_traits::Present| {
                    present.value != hozo_traits::PresentValue::Absent
                };
                let there: Vec<Bytes> =
                    found.iter().filter(there).map(|present| present.key.clone()).collect();
                logged.begins(self.ulog.end());
                let merged = self.ulog.append_clearing(update, &there)?;
                logged.ends((merged.end, update.reach.seq));
                contests = merged.conflicts;
                done = Some(merged.effects.clone());
                Ok(merged.effects)
            })
            .await?;
        logged.settled();
        self.found(dbm, contests);
        Ok(())
    }

    /// Applies an update of a server that does not number them: it becomes one
    /// of this server's, made by that one.
    async fn apply_foreign(&self, update: &Update, batch: &mut Batch<'_>) -> Result<()> {
        let What::Records { dbm, effects, .. } = &update.what else { return Ok(()) };
        let records = self.dbm(*dbm)?;
        if batch.defers() {
            return batch.log(*dbm, || Ok((effects.clone(), self.ulog.append_foreign(update)?)));
        }
        let keys = keys_of(effects);
        let selection = Selection::Keys { keys: &keys, values: false };
        let mut logged = self.unsettled.guard();
        records
            .update(selection, Durability::Sequenced, &mut |_| {
                if logged.is_in_log() {
                    return Ok(effects.clone());
                }
                logged.begins(self.ulog.end());
                logged.ends((self.ulog.append_foreign(update)?, 0));
                Ok(effects.clone())
            })
            .await?;
        logged.settled();
        Ok(())
    }
}

async fn all_keys(records: &dyn KvStore) -> Result<Vec<Bytes>> {
    let mut keys: Vec<Bytes> = Vec::new();
    loop {
        let last = keys.last().cloned();
        let start = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let scan = KvScan {
            start,
            end: Bound::Unbounded,
            reverse: false,
            limit: KEYS_AT_ONCE,
            bytes_max: usize::MAX,
            values: false,
        };
        let part = records.scan(scan).await?;
        keys.extend(part.records.into_iter().map(|(key, _)| key));
        if !part.more {
            return Ok(keys);
        }
    }
}

fn diverged(update: &Update) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the histories are not the same: the source has another update of this number; one of \
         both has to begin anew from the other's records",
    )
    .with("server", update.origin)
    .with("update", update.reach.seq)
}
