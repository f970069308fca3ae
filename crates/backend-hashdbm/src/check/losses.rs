//! Which keys are lost with what cannot be read: their names, and what becomes
//! of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use hozo_log::survey::{Batch, Gap, Visit, key_in};
use hozo_log::{Position, Record};
use hozo_ordered::{Space, salvage};
use hozo_traits::Result;

use super::Kind;
use super::compare::{Said, said};
use super::findings::{Loss, NAMES_MAX};
use super::index::{Entry, View};
use super::name;

/// A key whose newest value cannot be read.
pub(super) struct Lost {
    /// The key, where it is known.
    pub(super) key: Option<Vec<u8>>,
    hash: u64,
}

/// Goes through the log a second time.
pub(super) struct Losses<'a> {
    kind: Kind,
    view: Option<&'a View>,
    complete: Position,
    /// By where the newest value was.
    lost: BTreeMap<Position, Lost>,
    /// Where each was, by key, or by what a table keeps of a key's hash.
    by_key: HashMap<Vec<u8>, Position>,
    by_hash: HashMap<u64, Position>,
    /// Those that have an older value, or were written later.
    older: BTreeSet<Position>,
    later: BTreeSet<Position>,
    /// Versions of pages that say nothing without what is lost.
    dependent: BTreeSet<Vec<u8>>,
}

impl<'a> Losses<'a> {
    pub(super) fn new(
        kind: Kind,
        view: Option<&'a View>,
        lost: Vec<Entry>,
        complete: Position,
    ) -> Self {
        let mut losses = Losses {
            kind,
            view,
            complete,
            lost: BTreeMap::new(),
            by_key: HashMap::new(),
            by_hash: HashMap::new(),
            older: BTreeSet::new(),
            later: BTreeSet::new(),
            dependent: BTreeSet::new(),
        };
        for Entry { key, hash, position } in lost {
            match &key {
                Some(key) => losses.by_key.insert(key.clone(), position),
                None => losses.by_hash.insert(hash, position),
            };
            losses.lost.insert(position, Lost { key, hash });
        }
        losses
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lost.is_empty()
    }

    fn of(&self, key: &[u8]) -> Option<Position> {
        match self.kind {
            Kind::Pages => self.by_key.get(key).copied(),
            Kind::Records => self.by_hash.get(&self.view?.hash(key)).copied(),
        }
    }

    fn meet(&mut self, record: &Record<'_>) -> Result<()> {
        let (said, key) = said(self.kind, record);
        let later = record.position >= self.complete;
        let found = self.of(&key);
        match said {
            Said::RemoveAll if later => self.later.extend(self.lost.keys()),
            Said::RemoveAll => self.older.clear(),
            Said::RemoveRange(end) => {
                let within: Vec<Position> = self
                    .lost
                    .iter()
                    .filter(|(_, lost)| lost.key.as_ref().is_some_and(|k| *k >= key && *k < end))
                    .map(|(position, _)| *position)
                    .collect();
                if later {
                    self.later.extend(within);
                } else {
                    self.older.retain(|position| !within.contains(position));
                }
            }
            Said::Set if later => {
                self.later.extend(found);
                self.depends(&key, record)?;
            }
            Said::Remove if later => self.later.extend(found),
            Said::Remove => self.older.retain(|position| Some(*position) != found),
            Said::Set => {
                self.older.extend(found.filter(|position| record.position < *position));
                self.depends(&key, record)?;
            }
        }
        Ok(())
    }

    /// Notes a version of a page that needs something that is lost.
    fn depends(&mut self, key: &[u8], record: &Record<'_>) -> Result<()> {
        if self.kind != Kind::Pages || key[0] != Space::Pages.number() {
            return Ok(());
        }
        let value = Bytes::copy_from_slice(record.value);
        let Ok(Some((space, needed))) = salvage::needs(record.key, &value) else { return Ok(()) };
        let needed = [&[space.number()], needed.as_slice()].concat();
        // What is not in the index yet is taken to be the newest.
        let newest = match self.view {
            Some(view) if record.position < self.complete => {
                view.find(key)?.contains(&record.position)
            }
            _ => true,
        };
        if newest && self.by_key.contains_key(&needed) {
            self.dependent.insert(key.to_vec());
        }
        Ok(())
    }

    fn name(&mut self, position: Position, key: &[u8]) {
        let Some(lost) = self.lost.get_mut(&position).filter(|lost| lost.key.is_none()) else {
            return;
        };
        // What the table has of its hash says whether these are its bytes.
        if self.view.is_some_and(|view| view.hash(key) == lost.hash) {
            lost.key = Some(key.to_vec());
        }
    }

    /// Says what is lost; answers it, without what was written again since.
    pub(super) fn finish(mut self, loss: &mut Loss) -> Vec<Lost> {
        for position in &self.later {
            self.lost.remove(position);
        }
        self.older.retain(|position| self.lost.contains_key(position));
        if self.kind == Kind::Pages {
            // An older version of a page is never read for a lost one.
            let is_page = |position: &Position| {
                let key = self.lost.get(position).and_then(|lost| lost.key.as_ref());
                key.is_some_and(|key| key[0] == Space::Pages.number())
            };
            self.older.retain(|position| !is_page(position));
        }
        let keys = self.lost.values().filter_map(|lost| lost.key.as_ref());
        self.dependent.retain(|key| !self.by_key.contains_key(key));
        loss.keys = (self.lost.len() + self.dependent.len()) as u64;
        loss.older = self.older.len() as u64;
        let names = keys.chain(&self.dependent).map(|key| match self.kind {
            Kind::Pages => name::of_page(key),
            Kind::Records => name::of_record(key),
        });
        loss.names = names.take(NAMES_MAX).collect();
        self.lost.into_values().collect()
    }
}

impl Visit for Losses<'_> {
    fn batch(&mut self, batch: &Batch<'_>) -> Result<()> {
        batch.iter().try_for_each(|record| self.meet(record))
    }

    fn part(&mut self, records: &Batch<'_>) -> Result<()> {
        for record in records {
            self.name(record.position, record.key);
            if let (Said::Set, key) = said(self.kind, record) {
                self.depends(&key, record)?;
            }
        }
        Ok(())
    }

    fn gap(&mut self, gap: Gap, bytes: &[u8]) -> Result<()> {
        let there: Vec<Position> = self.lost.range(gap.from..gap.to).map(|(at, _)| *at).collect();
        for position in there {
            let from = usize::try_from(position - gap.from).unwrap_or(usize::MAX);
            if let Some(key) = bytes.get(from..).and_then(key_in) {
                self.name(position, key);
            }
        }
        Ok(())
    }

    fn progress(&mut self, _: u64) {}
}
