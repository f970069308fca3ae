//! A position among the records of a DBM, and moving it.

use std::collections::VecDeque;
use std::ops::Bound;
use std::slice::from_ref;

use bytes::Bytes;
use hozo_traits::{Desired, Error, ErrorKind, Expected, KvScan, KvStoreExt, Outcome, Result};

use super::dbm::{Changed, Served};

/// Keys that are read ahead, at first and at most, and their bytes.
const AHEAD_MIN: usize = 2;
const AHEAD_MAX: usize = 256;
const AHEAD_BYTES: usize = 64 << 10;

/// Where an iterator is.
///
/// It keeps a key, not a place in the store: whatever happens to the store
/// meanwhile, it goes on from there. A record that has gone is passed over,
/// unless the client was shown it: then changing it would change another one
/// than it means.
pub(super) struct Cursor<'a> {
    dbm: &'a Served,
    /// `None` before the first record, and after the last.
    position: Option<Position>,
    /// The keys after it, in the direction of the last move.
    ahead: VecDeque<Bytes>,
    /// Whether there may be more after those.
    more: bool,
    reverse: bool,
    /// What [`Served::changes`] was before the keys ahead were read: they are
    /// right while it is the same.
    as_of: u64,
    /// How many keys to read ahead next.
    part: usize,
}

struct Position {
    key: Bytes,
    /// Whether the client was answered this record.
    shown: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(dbm: &'a Served) -> Self {
        Cursor {
            dbm,
            position: None,
            ahead: VecDeque::new(),
            more: false,
            reverse: false,
            as_of: 0,
            part: AHEAD_MIN,
        }
    }

    pub(super) fn dbm(&self) -> &'a Served {
        self.dbm
    }

    fn is_ordered(&self) -> bool {
        self.dbm.records().capabilities().ordered
    }

    /// What only an ordered store can do.
    fn need_order(&self) -> Result<()> {
        if self.is_ordered() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "the store lacks the capability ordered: only forward, from the first record or a key",
        )
        .with("backend", self.dbm.records().capabilities().backend))
    }

    pub(super) async fn first(&mut self) -> Result<()> {
        self.go(Bound::Unbounded, false).await
    }

    pub(super) async fn last(&mut self) -> Result<()> {
        self.need_order()?;
        self.go(Bound::Unbounded, true).await
    }

    /// To the key, or to the next one in an ordered store; false if an unordered
    /// one has no such key.
    pub(super) async fn jump(&mut self, key: Bytes) -> Result<bool> {
        if self.is_ordered() {
            self.go(Bound::Included(key), false).await?;
            return Ok(true);
        }
        let found = self.dbm.records().get(&key).await;
        let found = self.dbm.checked(found)?.is_some();
        self.ahead.clear();
        // That no keys are ahead is not known to be the end.
        (self.more, self.reverse, self.part) = (true, false, AHEAD_MIN);
        self.as_of = self.dbm.changes();
        self.position = found.then_some(Position { key, shown: false });
        Ok(found)
    }

    pub(super) async fn jump_lower(&mut self, key: Bytes, inclusive: bool) -> Result<()> {
        self.need_order()?;
        self.go(bound(key, inclusive), true).await
    }

    pub(super) async fn jump_upper(&mut self, key: Bytes, inclusive: bool) -> Result<()> {
        self.need_order()?;
        self.go(bound(key, inclusive), false).await
    }

    /// To the next record; false if it was at none.
    pub(super) async fn next(&mut self) -> Result<bool> {
        self.step(false).await
    }

    pub(super) async fn previous(&mut self) -> Result<bool> {
        self.need_order()?;
        self.step(true).await
    }

    /// The record; `None` if it is at none.
    pub(super) async fn get(&mut self) -> Result<Option<(Bytes, Bytes)>> {
        while let Some(position) = &mut self.position {
            let read = self.dbm.records().get_many(from_ref(&position.key)).await;
            if let Some(value) = self.dbm.checked(read)?.pop().flatten() {
                position.shown = true;
                return Ok(Some((position.key.clone(), value)));
            }
            self.step(self.reverse).await?;
        }
        Ok(None)
    }

    /// Sets the record's value; false if it is at none.
    pub(super) async fn set(&mut self, value: Bytes) -> Result<bool> {
        while let Some(position) = &self.position {
            let (key, shown) = (position.key.clone(), position.shown);
            let desired = Desired::Set(value.clone());
            let records = self.dbm.records();
            let durability = self.dbm.durability();
            let set =
                records.compare_exchange(key.clone(), Expected::Any, desired, false, durability);
            if self.dbm.update(set).await?.done {
                self.changed(Changed::Set(&key));
                return Ok(true);
            }
            if shown {
                return Ok(false);
            }
            self.step(self.reverse).await?;
        }
        Ok(false)
    }

    /// Removes the record and goes to the next; false if it is at none.
    pub(super) async fn remove(&mut self) -> Result<bool> {
        while let Some(position) = &self.position {
            let (key, shown) = (position.key.clone(), position.shown);
            let removed = self.dbm.records().remove(key.clone(), self.dbm.durability());
            if self.dbm.update(removed).await? == Outcome::Done {
                self.changed(Changed::Removed(&key));
                self.step(false).await?;
                return Ok(true);
            }
            if shown {
                return Ok(false);
            }
            self.step(self.reverse).await?;
        }
        Ok(false)
    }

    /// The keys ahead stay right after a change of the record that this is at.
    fn changed(&mut self, what: Changed<'_>) {
        let before = self.dbm.changed(what);
        if before == self.as_of {
            self.as_of = before.wrapping_add(1);
        }
    }

    /// To the neighbour; false if it was at none.
    async fn step(&mut self, reverse: bool) -> Result<bool> {
        let Some(position) = &self.position else { return Ok(false) };
        let right = self.reverse == reverse && self.as_of == self.dbm.changes();
        if right && let Some(key) = self.ahead.pop_front() {
            self.position = Some(Position { key, shown: false });
        } else if right && !self.more {
            self.position = None;
        } else {
            let from = Bound::Excluded(position.key.clone());
            self.part = if right { (self.part * 4).min(AHEAD_MAX) } else { AHEAD_MIN };
            self.read(from, reverse).await?;
        }
        Ok(true)
    }

    /// To the first record from there on.
    async fn go(&mut self, from: Bound<Bytes>, reverse: bool) -> Result<()> {
        self.part = AHEAD_MIN;
        self.read(from, reverse).await
    }

    async fn read(&mut self, from: Bound<Bytes>, reverse: bool) -> Result<()> {
        let as_of = self.dbm.changes();
        let from = from.as_ref().map(|key| &key[..]);
        let (start, end) =
            if reverse { (Bound::Unbounded, from) } else { (from, Bound::Unbounded) };
        let scan =
            KvScan { start, end, reverse, limit: self.part, bytes_max: AHEAD_BYTES, values: false };
        let part = self.dbm.checked(self.dbm.records().scan(scan).await)?;
        (self.as_of, self.reverse, self.more) = (as_of, reverse, part.more);
        self.ahead = part.records.into_iter().map(|(key, _)| key).collect();
        self.position = self.ahead.pop_front().map(|key| Position { key, shown: false });
        Ok(())
    }
}

fn bound(key: Bytes, inclusive: bool) -> Bound<Bytes> {
    if inclusive { Bound::Included(key) } else { Bound::Excluded(key) }
}
