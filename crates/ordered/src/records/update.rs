//! Updating records.

use std::collections::BTreeMap;

use bytes::Bytes;
use hozo_traits::{
    Change, Durability, Effect, Error, ErrorKind, Present, PresentValue, Result, Selection, Version,
};

use super::dbm::OrderedKv;
use super::latches::Stripes;
use super::layout::{self, CHUNK_BYTES_MAX, Chunks, INLINE_BYTES_MAX, Stored, Tally};
use crate::codec::corrupt;
use crate::{
    Condition, KeyRange, Numbering, OrderedEngine, Scan, Space, Template, Write, WriteOp,
    WriteOutcome,
};

/// How often an update is made again because another process came first.
const TRIES: usize = 1000;
/// Chunks that are removed one by one; more go as a range, which costs readers
/// of some engines more.
const CHUNKS_ONE_BY_ONE: u64 = 2;

/// A selected record, as it is stored.
struct Found {
    key: Bytes,
    raw: Option<Bytes>,
    stored: Option<Stored>,
}

/// What became of an attempt.
enum Attempt {
    /// Its effects, and the version that they are at; without one, it wrote
    /// nothing.
    Made(Vec<Effect>, Option<Version>),
    /// It is about all records, and does not hold all.
    NeedsAll,
    /// Another process came first.
    Conflict,
}

impl<E: OrderedEngine> OrderedKv<E> {
    pub(super) async fn make(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        // Which record is first is anybody's business; without a selection
        // there is nothing to do but to clear.
        let mut wanted = match selection {
            Selection::Keys { keys: [], .. } | Selection::First => Stripes::ALL,
            Selection::Keys { keys, .. } => {
                let mut stripes = Stripes::default();
                keys.iter().for_each(|key| stripes.insert(layout::stripe(key)));
                stripes
            }
        };
        for _ in 0..TRIES {
            let held = self.latches.hold(wanted).await;
            let all = wanted == Stripes::ALL;
            let attempt = self.attempt(selection, all, durability, &mut *change).await?;
            // Others need not wait for the disk.
            drop(held);
            match attempt {
                Attempt::NeedsAll => wanted = Stripes::ALL,
                Attempt::Conflict => {}
                Attempt::Made(effects, version) => {
                    if durability == Durability::Durable {
                        match version {
                            Some(version) => self.engine.wait_durable(version).await?,
                            // What it saw must not be taken back any more.
                            None => self.settle().await?,
                        }
                    }
                    return Ok(effects);
                }
            }
        }
        Err(Error::new(ErrorKind::Busy, "others changed what was to be updated each time")
            .with("tries", TRIES))
    }

    async fn attempt(
        &self,
        selection: Selection<'_>,
        all: bool,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Attempt> {
        let found = match selection {
            Selection::Keys { keys, .. } => self.find(keys).await?,
            Selection::First => self.find_first().await?,
        };
        let Some(presents) = self.presents(selection, &found).await? else {
            return Ok(Attempt::Conflict);
        };
        let effects = change(&presents)?;
        if effects.is_empty() {
            // Several were read at several moments where others write.
            let torn = !self.exclusive
                && presents.len() > 1
                && self
                    .write(self.conditions(selection, &found), Vec::new(), durability)
                    .await?
                    .is_none();
            return Ok(if torn { Attempt::Conflict } else { Attempt::Made(effects, None) });
        }
        if effects == [Effect::Clear] {
            if !all {
                return Ok(Attempt::NeedsAll);
            }
            return self.clear(self.conditions(selection, &found), effects, durability).await;
        }
        let last = last_effects(&effects, &found)?;
        self.check_limits(&effects)?;
        let mut ops = Vec::with_capacity(last.len() + 1);
        let mut stripes: BTreeMap<u8, (Tally, Tally)> = BTreeMap::new();
        for (at, value) in last {
            let record = &found[at];
            let (gone, come) = stripes.entry(layout::stripe(&record.key)).or_default();
            self.replace(record, value, &mut ops)?;
            if let Some(stored) = &record.stored {
                gone.add(&record.key, stored.length());
            }
            if let Some(value) = value {
                come.add(&record.key, value.len() as u64);
            }
        }
        let mut conditions = self.conditions(selection, &found);
        let mut tallies = Vec::with_capacity(stripes.len());
        for (stripe, (gone, come)) in stripes {
            if gone == come {
                continue;
            }
            let (before, stored) = self.tally(stripe).await?;
            let after = match before.changed(gone, come) {
                Some(after) => after,
                None if self.exclusive => {
                    return Err(corrupt("more records were removed than there were"));
                }
                // It counts without what was found before it was read.
                None => return Ok(Attempt::Conflict),
            };
            let key = layout::tally(self.number, stripe);
            if !self.exclusive {
                conditions.push(is(key.clone(), stored));
            }
            ops.push(put(Template::plain(key), Template::plain(after.encode().to_vec())));
            tallies.push((stripe, after));
        }
        if ops.is_empty() {
            return Ok(Attempt::Made(effects, None));
        }
        self.check_batch(&conditions, &ops)?;
        // An update that is given up in between leaves them unknown.
        tallies.iter().for_each(|(stripe, _)| self.know(*stripe, None));
        let Some(version) = self.write(conditions, ops, durability).await? else {
            return Ok(Attempt::Conflict);
        };
        tallies.into_iter().for_each(|(stripe, tally)| self.know(stripe, Some(tally)));
        Ok(Attempt::Made(effects, Some(version)))
    }

    /// The selected records, each once.
    async fn find(&self, keys: &[Bytes]) -> Result<Vec<Found>> {
        let mut once = keys.to_vec();
        if once.len() > 1 {
            once.sort_unstable();
            once.dedup();
        }
        let raw = self.stored(&once).await?;
        once.into_iter().zip(raw).map(|(key, raw)| found(key, raw)).collect()
    }

    async fn find_first(&self) -> Result<Vec<Found>> {
        let (start, end) = (layout::record(self.number, b""), layout::records_end(self.number));
        let scan = Scan {
            space: Space::Records,
            start: &start,
            end: &end,
            reverse: false,
            limit: 1,
            bytes_max: usize::MAX,
        };
        let first = self.engine.scan(&scan).await?.into_iter();
        first.map(|(key, raw)| found(key.slice(layout::PREFIX_BYTES..), Some(raw))).collect()
    }

    /// What the change is to see; `None` if a value was replaced since it was
    /// found.
    async fn presents(
        &self,
        selection: Selection<'_>,
        found: &[Found],
    ) -> Result<Option<Vec<Present>>> {
        let values = !matches!(selection, Selection::Keys { values: false, .. });
        let mut once = Vec::with_capacity(found.len());
        for record in found {
            let value = match &record.stored {
                None => PresentValue::Absent,
                Some(_) if !values => PresentValue::Unread,
                Some(Stored::Inline(value)) => PresentValue::Is(value.clone()),
                Some(Stored::Chunked(chunks)) => match self.chunked(chunks).await? {
                    Some(value) => PresentValue::Is(value),
                    None if self.exclusive => {
                        return Err(corrupt("a record's chunks are not there"));
                    }
                    None => return Ok(None),
                },
            };
            once.push(Present { key: record.key.clone(), value });
        }
        Ok(Some(match selection {
            Selection::Keys { keys, .. } if keys.len() > 1 => keys
                .iter()
                .filter_map(|key| once.binary_search_by(|one| one.key.cmp(key)).ok())
                .map(|at| once[at].clone())
                .collect(),
            _ => once,
        }))
    }

    /// That what is selected is as it was found, where this process does not
    /// know by itself.
    fn conditions(&self, selection: Selection<'_>, found: &[Found]) -> Vec<Condition> {
        if self.exclusive {
            return Vec::new();
        }
        let fits = |record: &&Found| record.key.len() <= self.key_bytes_max();
        let record =
            |record: &Found| is(layout::record(self.number, &record.key), record.raw.clone());
        let mut conditions: Vec<Condition> = found.iter().filter(fits).map(record).collect();
        if let Selection::First = selection {
            let start = layout::record(self.number, b"");
            let end = match found.first() {
                Some(first) => layout::before(self.number, &first.key, self.key_bytes_max()),
                None => Some(layout::records_end(self.number)),
            };
            conditions.extend(end.map(|end| Condition::RangeEmpty {
                space: Space::Records,
                range: KeyRange { start, end },
            }));
        }
        conditions
    }

    /// Adds the steps that give a record another value, or none.
    fn replace(&self, record: &Found, value: Option<&Bytes>, ops: &mut Vec<WriteOp>) -> Result<()> {
        let key = layout::record(self.number, &record.key);
        match value {
            None if record.stored.is_none() => {}
            None => ops.push(WriteOp::Delete { space: Space::Records, key: key.into() }),
            Some(value) if value.len() <= INLINE_BYTES_MAX => {
                ops.push(put(Template::plain(key), layout::inline(value)));
            }
            Some(value) => {
                // No two values of one update have the same.
                let ordinal = u32::try_from(ops.len())
                    .map_err(|_| Error::new(ErrorKind::TooLarge, "an update has too many steps"))?;
                let chunk_bytes = CHUNK_BYTES_MAX.min(self.limits.value_bytes_max) as u32;
                let manifest = layout::manifest(ordinal, value.len(), chunk_bytes);
                ops.push(put(Template::plain(key), manifest));
                let chunks = (0u32..).zip((0..value.len()).step_by(chunk_bytes as usize));
                ops.extend(chunks.map(|(index, start)| {
                    let end = value.len().min(start + chunk_bytes as usize);
                    let key = layout::chunk(self.number, ordinal, index);
                    put(key, Template::plain(value.slice(start..end)))
                }));
            }
        }
        if let Some(Stored::Chunked(chunks)) = &record.stored {
            self.remove_chunks(chunks, ops)?;
        }
        Ok(())
    }

    fn remove_chunks(&self, chunks: &Chunks, ops: &mut Vec<WriteOp>) -> Result<()> {
        let space = Space::Records;
        if chunks.count() <= CHUNKS_ONE_BY_ONE {
            let keys = chunks.keys(self.number)?.into_iter();
            ops.extend(keys.map(|key| WriteOp::Delete { space, key: key.into() }));
        } else {
            let (start, end) = chunks.range(self.number)?;
            ops.push(WriteOp::DeleteRange { space, start: start.into(), end: end.into() });
        }
        Ok(())
    }

    async fn clear(
        &self,
        conditions: Vec<Condition>,
        effects: Vec<Effect>,
        durability: Durability,
    ) -> Result<Attempt> {
        let (start, end) = layout::whole(self.number);
        let ops = vec![WriteOp::DeleteRange { space: Space::Records, start, end }];
        self.know_all(None);
        let Some(version) = self.write(conditions, ops, durability).await? else {
            return Ok(Attempt::Conflict);
        };
        self.know_all(Some(Tally::default()));
        Ok(Attempt::Made(effects, Some(version)))
    }

    fn check_batch(&self, conditions: &[Condition], ops: &[WriteOp]) -> Result<()> {
        let bytes = self.limits.weigh(conditions, ops);
        if bytes <= self.limits.batch_bytes_max {
            return Ok(());
        }
        Err(Error::new(ErrorKind::TooLarge, "the update does not fit the engine's batch_bytes_max")
            .with("bytes", bytes)
            .with("batch_bytes_max", self.limits.batch_bytes_max))
    }

    /// Writes, and answers the version; `None` if a condition did not hold.
    async fn write(
        &self,
        conditions: Vec<Condition>,
        ops: Vec<WriteOp>,
        durability: Durability,
    ) -> Result<Option<Version>> {
        // Where stripes are all that keeps others away, they are not held
        // while the disk is waited for.
        let durability = if self.exclusive { Durability::Sequenced } else { durability };
        let numbering = if ops.is_empty() { Numbering::None } else { Numbering::Next };
        let write = Write { conditions, ops, numbering, clock: None, durability };
        match self.engine.write(write).await? {
            WriteOutcome::Written { version, .. } => Ok(Some(version)),
            WriteOutcome::Failed { .. } => Ok(None),
        }
    }
}

fn found(key: Bytes, raw: Option<Bytes>) -> Result<Found> {
    let stored = raw.as_ref().map(Stored::parse).transpose()?;
    Ok(Found { key, raw, stored })
}

fn put(key: Template, value: Template) -> WriteOp {
    WriteOp::Put { space: Space::Records, key, value }
}

fn is(key: Vec<u8>, value: Option<Bytes>) -> Condition {
    Condition::KeyIs { space: Space::Records, key, value }
}

/// For each record that has effects where it was found, and the value that
/// the last of them gives it.
fn last_effects<'a>(
    effects: &'a [Effect],
    found: &[Found],
) -> Result<Vec<(usize, Option<&'a Bytes>)>> {
    let invalid = |message| Err(Error::new(ErrorKind::Invalid, message));
    let mut last = BTreeMap::new();
    for effect in effects {
        let (key, value) = match effect {
            Effect::Clear => return invalid("a clear that is not alone in its update"),
            Effect::Set { key, value } => (key, Some(value)),
            Effect::Remove { key } => (key, None),
        };
        // Sorted, as all that are more than one.
        let Ok(at) = found.binary_search_by(|record| record.key.cmp(key)) else {
            return invalid("an effect on a key that was not selected");
        };
        last.insert(at, value);
    }
    Ok(last.into_iter().collect())
}
