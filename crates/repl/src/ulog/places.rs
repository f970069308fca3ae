//! Where in the log a position is.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

use hozo_log::Log;
use hozo_traits::{Position, Result, ServerId, Timestamp};
use parking_lot::Mutex;

use super::Place;
use super::codec::{STATE, State};

/// The states in the log that are known, by where they are: of each segment the
/// first, once it was asked for, and those written since the log was opened.
#[derive(Default)]
pub(super) struct Places(Mutex<Known>);

#[derive(Default)]
struct Known {
    states: BTreeMap<Place, Arc<State>>,
    /// By where a segment begins, or the log in it, the first state behind it;
    /// of the newest segment the known states may be others.
    firsts: BTreeMap<Place, Place>,
    /// What is before this is not what the records were made of.
    from: Place,
}

impl Known {
    fn forget_before(&mut self, place: Place) {
        self.states = self.states.split_off(&place);
        self.firsts = self.firsts.split_off(&place);
    }
}

impl Places {
    pub(super) fn add(&self, place: Place, state: State) {
        self.0.lock().states.insert(place, Arc::new(state));
    }

    /// The log begins anew here, at a state that is about to be written.
    pub(super) fn restart(&self, place: Place) {
        let mut known = self.0.lock();
        known.from = known.from.max(place);
        known.forget_before(place);
    }

    /// Where the log begins anew, or begins.
    pub(super) fn from(&self) -> Place {
        self.0.lock().from
    }

    pub(super) fn forget_before(&self, place: Place) {
        self.0.lock().forget_before(place);
    }

    /// Where to begin for what is after a position: everything before is in it.
    /// `None` if the log does not reach back so far.
    pub(super) fn after(
        &self,
        log: &Log,
        position: &Position,
    ) -> Result<Option<(Place, Arc<State>)>> {
        self.last(log, |state| position.covers(&state.position))
    }

    /// Where to begin for what is not older than a time; the oldest place if
    /// the log does not reach back so far.
    pub(super) fn since(&self, log: &Log, time: Timestamp) -> Result<Option<(Place, Arc<State>)>> {
        match self.last(log, |state| state.newest < time)? {
            Some(found) => Ok(Some(found)),
            None => self.first(log),
        }
    }

    /// Where to begin for a server's updates after a number; the oldest place if
    /// the log does not reach back so far.
    pub(super) fn behind(
        &self,
        log: &Log,
        server: ServerId,
        seq: u64,
    ) -> Result<Option<(Place, Arc<State>)>> {
        match self.last(log, |state| state.position.of(server).seq <= seq)? {
            Some(found) => Ok(Some(found)),
            None => self.first(log),
        }
    }

    /// The oldest place at which can be begun.
    pub(super) fn first(&self, log: &Log) -> Result<Option<(Place, Arc<State>)>> {
        for piece in log.pieces() {
            if let Some(found) = self.first_in(log, piece.first, piece.end)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The last state of which something holds, which holds of all before it.
    fn last(
        &self,
        log: &Log,
        holds: impl Fn(&State) -> bool,
    ) -> Result<Option<(Place, Arc<State>)>> {
        let pieces = log.pieces();
        for piece in pieces.iter().rev() {
            let Some((first, state)) = self.first_in(log, piece.first, piece.end)? else {
                continue;
            };
            if !holds(&state) {
                continue;
            }
            let known = self.0.lock();
            let rest = known.states.range((Included(first), Excluded(piece.end)));
            let last = rest.take_while(|(_, state)| holds(state)).last();
            let last = last.map(|(place, state)| (*place, Arc::clone(state)));
            return Ok(Some(last.unwrap_or((first, state))));
        }
        Ok(None)
    }

    /// The first state in a segment at which can be begun.
    fn first_in(&self, log: &Log, from: Place, to: Place) -> Result<Option<(Place, Arc<State>)>> {
        let from = {
            let known = self.0.lock();
            let from = from.max(known.from);
            if from >= to {
                return Ok(None);
            }
            let first = known.firsts.get(&from).and_then(|at| known.states.get_key_value(at));
            if let Some((place, state)) = first {
                return Ok(Some((*place, Arc::clone(state))));
            }
            from
        };
        // States are written soon after a segment begins.
        for record in log.records_from(from) {
            let record = record?;
            if record.position >= to {
                break;
            }
            if record.kind == STATE {
                let state = Arc::new(State::decode(record.value)?);
                let mut known = self.0.lock();
                known.states.insert(record.position, Arc::clone(&state));
                known.firsts.insert(from, record.position);
                return Ok(Some((record.position, state)));
            }
        }
        Ok(None)
    }
}
