//! What is known of a server from its log, and what has to be true of it.

use std::collections::BTreeMap;

use hozo_traits::{Position, ServerId, Update, What};

use super::check::same;
use super::store::{Map, apply};
use crate::shared::Shared;
use crate::ulog::Place;

pub(super) const DBMS: usize = 2;

/// What a server's log says, as far as it was read.
#[derive(Clone, Default)]
pub(super) struct Watch {
    /// Up to where.
    pub(super) place: Place,
    pub(super) position: Position,
    /// What the records have to be.
    pub(super) records: Vec<Map>,
    /// Whether `records` is known: not while a snapshot is loaded.
    pub(super) known: bool,
    /// The digests of all updates that the log has, or had.
    pub(super) digests: BTreeMap<(ServerId, u64), u32>,
    /// The updates since `base`.
    pub(super) trail: Vec<Update>,
    pub(super) base: (Position, Vec<Map>),
}

/// A position, to be found: servers, numbers, digests.
type Numbers = Vec<(u32, u64, u32)>;

/// What all servers together have shown.
#[derive(Default)]
pub(super) struct Known {
    /// What the records are at a position, whoever is there.
    states: BTreeMap<Numbers, (Vec<Map>, String)>,
}

impl Known {
    /// A server has these records at this position: so has everybody.
    pub(super) fn state(
        &mut self,
        who: &str,
        position: &Position,
        records: &[Map],
    ) -> Result<(), String> {
        let key: Vec<_> =
            position.iter().map(|(id, reach)| (id.get(), reach.seq, reach.digest)).collect();
        let Some((others, whose)) = self.states.get(&key) else {
            self.states.insert(key, (records.to_vec(), who.to_owned()));
            return Ok(());
        };
        same(who, position, others, records)
            .map_err(|what| format!("{who} has other records than {whose} had there: {what}"))
    }
}

impl Watch {
    /// Begins to watch a server that has these records and nothing under way.
    pub(super) fn begin(&mut self, shared: &Shared, records: Vec<Map>, known: bool) {
        self.place = shared.ulog.end();
        self.position = shared.ulog.state().position;
        self.trail.clear();
        self.base = (self.position.clone(), records.clone());
        self.records = records;
        self.known = known;
        for (server, reach) in self.position.iter() {
            self.digests.insert((server, reach.seq), reach.digest);
        }
    }

    /// Reads on.
    pub(super) fn read(
        &mut self,
        who: &str,
        shared: &Shared,
        all: &mut Known,
    ) -> Result<Vec<Update>, String> {
        let end = shared.ulog.end();
        if end == self.place {
            return Ok(Vec::new());
        }
        let mut updates = Vec::new();
        let read = shared.ulog.replay(self.place, |update| {
            updates.push(update.clone());
            Ok(())
        });
        read.map_err(|error| format!("the log of {who} cannot be read: {error}"))?;
        self.place = end;
        for update in &updates {
            let here = self.position.of(update.origin);
            if update.reach.seq != here.seq + 1 && self.known {
                return Err(format!(
                    "{who} logged {}:{} after {}",
                    update.origin, update.reach.seq, self.position
                ));
            }
            self.position.set(update.origin, update.reach);
            self.digests.insert((update.origin, update.reach.seq), update.reach.digest);
            if let What::Records { dbm, effects, .. } = &update.what {
                apply(&mut self.records[*dbm as usize], effects);
            }
            self.trail.push(update.clone());
            if self.known {
                all.state(who, &self.position, &self.records)?;
            }
        }
        let said = shared.ulog.state().position;
        if said != self.position {
            // It begins anew, after a snapshot.
            self.position = said;
            self.known = false;
            for (server, reach) in self.position.iter() {
                self.digests.insert((server, reach.seq), reach.digest);
            }
        }
        Ok(updates)
    }

    /// What the records were when the log went so far.
    pub(super) fn at(&self, position: &Position) -> Option<(Vec<Map>, Vec<Update>)> {
        let (mut at, mut records) = self.base.clone();
        let mut rest = self.trail.iter();
        while at != *position {
            let update = rest.next()?;
            at.set(update.origin, update.reach);
            if let What::Records { dbm, effects, .. } = &update.what {
                apply(&mut records[*dbm as usize], effects);
            }
        }
        Some((records, rest.cloned().collect()))
    }
}
