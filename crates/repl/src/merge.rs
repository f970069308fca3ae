//! Settling what two masters changed without knowing of each other.
//!
//! The later update stands: by time, and for equal times by server id. Both
//! sides compare the same two updates, so both settle on the same value
//! whichever they met first. Times never go back along a chain of updates that
//! knew of each other, so who knew wins, whatever the clocks say.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use hozo_traits::{Effect, ServerId, Timestamp, Update, What};
use xxhash_rust::xxh3::Xxh3;

/// Keys that are remembered; of more the oldest are forgotten, and conflicts
/// over those are not found.
const KEYS_MAX: usize = 4 << 20;

/// When something was changed, and by whom.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Stamp {
    pub(crate) time: Timestamp,
    pub(crate) server: ServerId,
}

impl Stamp {
    pub(crate) fn of(update: &Update) -> Stamp {
        Stamp { time: update.time, server: update.server }
    }
}

/// A key that two servers changed without knowing of each other; `None` if one
/// of both cleared the DBM.
pub(crate) struct Contest {
    pub(crate) key: Option<Bytes>,
    pub(crate) kept: Stamp,
    pub(crate) lost: Stamp,
}

/// What this server changed that the server it follows may not know of yet.
#[derive(Default)]
pub(crate) struct Recent {
    remembers: bool,
    /// Whether what was changed before it began to remember is in it, too.
    complete: bool,
    /// By a hash of DBM and key: the last change here that stands, and its number.
    keys: HashMap<u128, (u64, Stamp)>,
    /// In the order of numbers.
    order: VecDeque<(u64, u128)>,
    /// When a DBM was last cleared here.
    cleared: BTreeMap<u32, (u64, Stamp)>,
}

/// What is left of an update.
pub(crate) struct Settled {
    pub(crate) effects: Vec<Effect>,
    pub(crate) reduced: bool,
    pub(crate) conflicts: Vec<Contest>,
}

fn hash(dbm: u32, key: &[u8]) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(&dbm.to_le_bytes());
    hasher.update(key);
    hasher.digest128()
}

impl Recent {
    pub(crate) fn remember(&mut self, remember: bool) {
        self.remembers = remember;
        if !remember {
            *self = Recent::default();
        }
    }

    /// Whether the log has changes that should be remembered and are not.
    pub(crate) fn lacks_older(&self) -> bool {
        self.remembers && !self.complete
    }

    /// Forgets all, to be told of all changes again that are in the log.
    pub(crate) fn begin_again(&mut self) {
        *self = Recent { remembers: self.remembers, complete: true, ..Recent::default() };
    }

    /// This server made an update.
    pub(crate) fn changed_here(&mut self, update: &Update) {
        if !self.remembers {
            return;
        }
        let What::Records { dbm, effects, .. } = &update.what else { return };
        let (seq, stamp) = (update.reach.seq, Stamp::of(update));
        for effect in effects {
            match effect {
                Effect::Set { key, .. } | Effect::Remove { key } => {
                    let hash = hash(*dbm, key);
                    self.keys.insert(hash, (seq, stamp));
                    self.order.push_back((seq, hash));
                }
                // What is about to be cleared has no other stamp.
                Effect::Clear => {
                    self.cleared.insert(*dbm, (seq, stamp));
                }
            }
        }
        while self.order.len() > KEYS_MAX {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((seq, hash)) = self.order.pop_front()
            && self.keys.get(&hash).is_some_and(|(last, _)| *last == seq)
        {
            self.keys.remove(&hash);
        }
    }

    /// The server that is followed knows what was changed here up to a number.
    pub(crate) fn known(&mut self, seq: u64) {
        while self.order.front().is_some_and(|(first, _)| *first <= seq) {
            self.forget_first();
        }
        self.cleared.retain(|_, (last, _)| *last > seq);
    }

    /// The first of the updates that are remembered, by number.
    pub(crate) fn first(&self) -> Option<u64> {
        let cleared = self.cleared.values().map(|(seq, _)| *seq).min();
        let keys = self.order.front().map(|(seq, _)| *seq);
        cleared.into_iter().chain(keys).min()
    }

    /// What of another server's update is to be done here, which did not know
    /// of what is remembered.
    pub(crate) fn merge(&mut self, update: &Update) -> Settled {
        let What::Records { dbm, effects, reduced } = &update.what else {
            return Settled { effects: Vec::new(), reduced: false, conflicts: Vec::new() };
        };
        let whole = |reduced| Settled { effects: effects.clone(), reduced, conflicts: Vec::new() };
        if self.keys.is_empty() && self.cleared.is_empty() {
            return whole(*reduced);
        }
        let stamp = Stamp::of(update);
        let mut settled = Settled { effects: Vec::new(), reduced: *reduced, conflicts: Vec::new() };
        for effect in effects {
            let (key, here) = match effect {
                Effect::Set { key, .. } | Effect::Remove { key } => {
                    let key_stamp = self.keys.get(&hash(*dbm, key)).map(|(_, stamp)| *stamp);
                    let cleared = self.cleared.get(dbm).map(|(_, stamp)| *stamp);
                    (Some(key.clone()), key_stamp.max(cleared))
                }
                Effect::Clear => (None, self.cleared.get(dbm).map(|(_, stamp)| *stamp)),
            };
            match here {
                None => settled.effects.push(effect.clone()),
                Some(here) if stamp > here => {
                    settled.conflicts.push(contest(key.clone(), stamp, here));
                    if let Some(key) = key {
                        self.keys.remove(&hash(*dbm, &key));
                    }
                    settled.effects.push(effect.clone());
                }
                Some(here) => {
                    settled.conflicts.push(contest(key, here, stamp));
                    settled.reduced = true;
                }
            }
        }
        settled
    }

    /// When a key was changed here without the other server's knowledge, if it
    /// was.
    pub(crate) fn stamp_of(&self, dbm: u32, key: &[u8]) -> Option<Stamp> {
        self.keys.get(&hash(dbm, key)).map(|(_, stamp)| *stamp)
    }

    /// Whether anything may have been changed here without the other server's
    /// knowledge.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.cleared.is_empty()
    }
}

pub(crate) fn contest(key: Option<Bytes>, kept: Stamp, lost: Stamp) -> Contest {
    Contest { key, kept, lost }
}

#[cfg(test)]
mod tests;
