//! The DBM's operations by name, over any [`KvStore`].

use std::collections::BTreeSet;
use std::slice::from_ref;

use async_trait::async_trait;
use bytes::Bytes;

use self::batch::{Input, VALUES_BYTES_MAX, by_key, in_parts, within};
use self::exchange::Distinct;
use self::number::{big_endian, joined};
use crate::{
    Durability, Effect, Error, ErrorKind, KvStore, Present, PresentValue, Result, Selection,
};

mod batch;
mod exchange;
mod number;
#[cfg(test)]
mod tests;

pub use self::exchange::{Desired, Exchanged, Expected};
pub use self::number::push_time;

/// What became of an operation on one record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// It was done.
    Done,
    /// Nothing was done: there is no record of the key.
    Missing,
    /// Nothing was done: there is a record already, and it was not to be
    /// overwritten.
    Exists,
}

/// Candidates that [`KvStoreExt::push_last`] looks at in one update.
const PUSH_KEYS_MAX: u64 = 256;

/// The DBM's operations: each is one [`KvStore::update`], so it is atomic, and a
/// layer that wraps `update` sees its effects.
///
/// An operation that changes nothing has no effects.
#[async_trait]
pub trait KvStoreExt: KvStore {
    /// The value of one key.
    async fn get(&self, key: &Bytes) -> Result<Option<Bytes>> {
        Ok(self.get_many(from_ref(key)).await?.pop().flatten())
    }

    /// Sets a record. Without `overwrite` one that exists stays as it is:
    /// [`Outcome::Exists`].
    async fn set(
        &self,
        key: Bytes,
        value: Bytes,
        overwrite: bool,
        durability: Durability,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::Done;
        let selection = Selection::Keys { keys: from_ref(&key), values: false };
        self.update(selection, durability, &mut |found| {
            if !overwrite && exists(found) {
                outcome = Outcome::Exists;
                return Ok(Vec::new());
            }
            outcome = Outcome::Done;
            Ok(vec![Effect::Set { key: key.clone(), value: value.clone() }])
        })
        .await?;
        Ok(outcome)
    }

    /// Removes a record, or answers [`Outcome::Missing`].
    async fn remove(&self, key: Bytes, durability: Durability) -> Result<Outcome> {
        let mut outcome = Outcome::Done;
        let selection = Selection::Keys { keys: from_ref(&key), values: false };
        self.update(selection, durability, &mut |found| {
            if !exists(found) {
                outcome = Outcome::Missing;
                return Ok(Vec::new());
            }
            outcome = Outcome::Done;
            Ok(vec![Effect::Remove { key: key.clone() }])
        })
        .await?;
        Ok(outcome)
    }

    /// Appends to a record's value, after `delimiter`; a record that is not
    /// there is made, without it.
    async fn append(
        &self,
        key: Bytes,
        value: Bytes,
        delimiter: &[u8],
        durability: Durability,
    ) -> Result<()> {
        let selection = Selection::Keys { keys: from_ref(&key), values: true };
        self.update(selection, durability, &mut |found| {
            let value = joined(value_of(found), delimiter, &value);
            Ok(vec![Effect::Set { key: key.clone(), value }])
        })
        .await?;
        Ok(())
    }

    /// Changes a record if it is as expected, and answers whether it was. The
    /// value that it had is answered if `actual` asks for it, or if it had to
    /// be read.
    async fn compare_exchange(
        &self,
        key: Bytes,
        expected: Expected,
        desired: Desired,
        actual: bool,
        durability: Durability,
    ) -> Result<Exchanged> {
        let mut answer = Exchanged { done: false, actual: PresentValue::Absent };
        let values = actual || expected.reads();
        let selection = Selection::Keys { keys: from_ref(&key), values };
        self.update(selection, durability, &mut |found| {
            let value = found.first().map_or(&PresentValue::Absent, |present| &present.value);
            answer = Exchanged { done: expected.holds(value), actual: value.clone() };
            let change = answer.done.then(|| desired.effect(&key, value)).flatten();
            Ok(change.into_iter().collect())
        })
        .await?;
        Ok(answer)
    }

    /// If every record of `expected` is as expected, sets and removes those of
    /// `desired`, all as one; answers whether it did. Of a key that is desired
    /// twice, the last counts.
    ///
    /// [`TooLarge`](ErrorKind::TooLarge) if a value is expected and those of all
    /// keys are more than 64 MiB: they would have to be read at once. Up to 16
    /// keys may have any.
    async fn compare_exchange_many(
        &self,
        expected: &[(Bytes, Expected)],
        desired: &[(Bytes, Option<Bytes>)],
        durability: Durability,
    ) -> Result<bool> {
        // Each key once: a store may read a value for each that is selected.
        let mut keys = Distinct::default();
        let compared: Vec<usize> = expected.iter().map(|(key, _)| keys.place(key)).collect();
        let changed: Vec<usize> = desired.iter().map(|(key, _)| keys.place(key)).collect();
        let values = expected.iter().any(|(_, expected)| expected.reads());
        if values && within(self, keys.all(), VALUES_BYTES_MAX).await? < keys.all().len() {
            let what = "the values of the keys to compare and exchange are too many bytes to read \
                        at once: ask for fewer keys";
            return Err(Error::new(ErrorKind::TooLarge, what).with("bytes_max", VALUES_BYTES_MAX));
        }
        let mut done = false;
        let selection = Selection::Keys { keys: keys.all(), values };
        self.update(selection, durability, &mut |found| {
            let mut compared = compared.iter().zip(expected);
            done = compared.all(|(place, (_, wanted))| wanted.holds(&found[*place].value));
            if !done {
                return Ok(Vec::new());
            }
            let before = changed.iter().map(|place| &found[*place]);
            Ok(exchange::effects(before, desired))
        })
        .await?;
        Ok(done)
    }

    /// Adds to a number, 8 bytes big-endian and signed, and answers the sum. A
    /// record that is not there counts as `initial`. `i64::MIN` adds nothing
    /// and stores nothing. Sums wrap around.
    ///
    /// Of a value with more bytes the first 8 are the number; one with fewer
    /// is a number of so many bytes, not negative. Either is 8 bytes long
    /// afterwards.
    async fn increment(
        &self,
        key: Bytes,
        by: i64,
        initial: i64,
        durability: Durability,
    ) -> Result<i64> {
        let mut current = initial;
        let selection = Selection::Keys { keys: from_ref(&key), values: true };
        self.update(selection, durability, &mut |found| {
            let before = value_of(found).map_or(initial, |value| big_endian(value));
            current = before;
            if by == i64::MIN {
                return Ok(Vec::new());
            }
            current = before.wrapping_add(by);
            let value = Bytes::copy_from_slice(&current.to_be_bytes());
            Ok(vec![Effect::Set { key: key.clone(), value }])
        })
        .await?;
        Ok(current)
    }

    /// Gives a record another key; `copying` leaves the old one there as well.
    ///
    /// [`Outcome::Missing`] if there is no record `old`; otherwise
    /// [`Outcome::Exists`] if there is one `new` that is not to be overwritten.
    /// With both the same and `overwrite`, nothing changes.
    async fn rekey(
        &self,
        old: Bytes,
        new: Bytes,
        overwrite: bool,
        copying: bool,
        durability: Durability,
    ) -> Result<Outcome> {
        let keys = [old.clone(), new.clone()];
        let mut outcome = Outcome::Done;
        let selection = Selection::Keys { keys: &keys, values: true };
        self.update(selection, durability, &mut |found| {
            let Some(value) = value_of(found) else {
                outcome = Outcome::Missing;
                return Ok(Vec::new());
            };
            if !overwrite && exists(&found[1..]) {
                outcome = Outcome::Exists;
                return Ok(Vec::new());
            }
            outcome = Outcome::Done;
            if old == new {
                return Ok(Vec::new());
            }
            let mut effects = vec![Effect::Set { key: new.clone(), value: value.clone() }];
            if !copying {
                effects.push(Effect::Remove { key: old.clone() });
            }
            Ok(effects)
        })
        .await?;
        Ok(outcome)
    }

    /// Removes the first record in the order of scans and answers it; `None`
    /// if there is none.
    async fn pop_first(&self, durability: Durability) -> Result<Option<(Bytes, Bytes)>> {
        let mut popped = None;
        self.update(Selection::First, durability, &mut |found| {
            popped = found.first().and_then(|present| match &present.value {
                PresentValue::Is(value) => Some((present.key.clone(), value.clone())),
                PresentValue::Absent | PresentValue::Unread => None,
            });
            Ok(popped.iter().map(|(key, _)| Effect::Remove { key: key.clone() }).collect())
        })
        .await?;
        Ok(popped)
    }

    /// Sets a record whose key is `from` as 8 bytes big-endian, or the next
    /// number that has no record, and answers the key. [`push_time`] makes
    /// `from` of a time.
    async fn push_last(&self, value: Bytes, from: u64, durability: Durability) -> Result<Bytes> {
        let (mut from, mut count) = (from, 1);
        loop {
            let last = from.saturating_add(count - 1);
            let numbers = from..=last;
            let keys: Vec<Bytes> =
                numbers.map(|number| Bytes::copy_from_slice(&number.to_be_bytes())).collect();
            let mut taken = None;
            let selection = Selection::Keys { keys: &keys, values: false };
            self.update(selection, durability, &mut |found| {
                let free = found.iter().find(|present| present.value == PresentValue::Absent);
                taken = free.map(|present| present.key.clone());
                let set = |key: &Bytes| Effect::Set { key: key.clone(), value: value.clone() };
                Ok(taken.iter().map(set).collect())
            })
            .await?;
            if let Some(key) = taken {
                return Ok(key);
            }
            from = last.checked_add(1).ok_or_else(|| {
                Error::new(ErrorKind::TooLarge, "every key from there to the last has a record")
            })?;
            count = (count * 4).min(PUSH_KEYS_MAX);
        }
    }

    /// Removes every record.
    async fn clear(&self, durability: Durability) -> Result<()> {
        let selection = Selection::Keys { keys: &[], values: false };
        self.update(selection, durability, &mut |_| Ok(vec![Effect::Clear])).await?;
        Ok(())
    }

    /// [`set`](Self::set) for many, in the order of keys; of a key that is
    /// there twice, the first counts. Answers the keys that exist and were not
    /// overwritten; the others are set. As one update if it fits
    /// [`update_bytes_max`](crate::KvCapabilities::update_bytes_max), otherwise
    /// as few.
    async fn set_many(
        &self,
        records: Vec<(Bytes, Bytes)>,
        overwrite: bool,
        durability: Durability,
    ) -> Result<Vec<Bytes>> {
        let each = move |present: &Present, value: &Bytes| {
            if !overwrite && present.value != PresentValue::Absent {
                return Err(Outcome::Exists);
            }
            Ok(Effect::Set { key: present.key.clone(), value: value.clone() })
        };
        in_parts(self, Input { records: by_key(records), values: false }, durability, &each).await
    }

    /// [`remove`](Self::remove) for many. Answers the keys that had no record, in
    /// their order: one that is there twice has none the second time.
    async fn remove_many(&self, keys: Vec<Bytes>, durability: Durability) -> Result<Vec<Bytes>> {
        let each = |present: &Present, _: &Bytes| match present.value {
            PresentValue::Absent => Err(Outcome::Missing),
            _ => Ok(Effect::Remove { key: present.key.clone() }),
        };
        let mut sorted = keys;
        sorted.sort_unstable();
        let repeated: BTreeSet<Bytes> = sorted
            .windows(2)
            .filter(|pair| pair[0] == pair[1])
            .map(|pair| pair[0].clone())
            .collect();
        sorted.dedup();
        let records = sorted.into_iter().map(|key| (key, Bytes::new())).collect();
        let input = Input { records, values: false };
        let missing = in_parts(self, input, durability, &each).await?;
        Ok(missing.into_iter().collect::<BTreeSet<_>>().union(&repeated).cloned().collect())
    }

    /// [`append`](Self::append) for many, as [`set_many`](Self::set_many)
    /// takes them. More than 16 whose values come to more than 64 MiB are
    /// several updates.
    async fn append_many(
        &self,
        records: Vec<(Bytes, Bytes)>,
        delimiter: &[u8],
        durability: Durability,
    ) -> Result<()> {
        let each = |present: &Present, value: &Bytes| {
            let value = joined(value_of(from_ref(present)), delimiter, value);
            Ok(Effect::Set { key: present.key.clone(), value })
        };
        let input = Input { records: by_key(records), values: true };
        in_parts(self, input, durability, &each).await?;
        Ok(())
    }
}

impl<S: KvStore + ?Sized> KvStoreExt for S {}

fn exists(found: &[Present]) -> bool {
    found.first().is_some_and(|present| present.value != PresentValue::Absent)
}

/// The value of the first, if it has one.
fn value_of(found: &[Present]) -> Option<&Bytes> {
    match &found.first()?.value {
        PresentValue::Is(value) => Some(value),
        PresentValue::Absent | PresentValue::Unread => None,
    }
}
