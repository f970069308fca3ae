//! Keys with the values that they had at each version.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

use crate::mutation::{Mutation, Range};

type Value = Option<Arc<[u8]>>;

/// The store: for each key its values, oldest first, each from a version on.
#[derive(Default)]
pub(crate) struct Store {
    keys: BTreeMap<Vec<u8>, Vec<(i64, Value)>>,
    /// Which keys were written when, so that what nobody can read any more goes.
    written: VecDeque<(i64, Vec<u8>)>,
}

fn at(values: &[(i64, Value)], version: i64) -> Option<&Arc<[u8]>> {
    let after = values.partition_point(|(from, _)| *from <= version);
    values[..after].last().and_then(|(_, value)| value.as_ref())
}

impl Store {
    pub(crate) fn get(&self, key: &[u8], version: i64) -> Option<&Arc<[u8]>> {
        at(self.keys.get(key)?, version)
    }

    /// The pairs of a range, ascending.
    pub(crate) fn range<'a>(
        &'a self,
        range: &Range,
        version: i64,
    ) -> impl DoubleEndedIterator<Item = (&'a Vec<u8>, &'a Arc<[u8]>)> + use<'a> {
        // The map panics over a range that ends before it begins.
        let end = range.1.clone().max(range.0.clone());
        let found = self.keys.range::<Vec<u8>, _>((Included(range.0.clone()), Excluded(end)));
        found.filter_map(move |(key, values)| Some((key, at(values, version)?)))
    }

    fn put(&mut self, version: i64, key: Vec<u8>, value: Option<Vec<u8>>) {
        let values = self.keys.entry(key.clone()).or_default();
        let value = value.map(Arc::from);
        match values.last_mut() {
            // Later in the same transaction, or in the same batch.
            Some((last, is)) if *last == version => *is = value,
            _ => values.push((version, value)),
        }
        self.written.push_back((version, key));
    }

    pub(crate) fn apply(&mut self, version: i64, mutation: Mutation) {
        match mutation {
            Mutation::Set(key, value) => self.put(version, key, Some(value)),
            Mutation::Clear(range) => {
                let keys: Vec<Vec<u8>> =
                    self.range(&range, version).map(|(key, _)| key.clone()).collect();
                for key in keys {
                    self.put(version, key, None);
                }
            }
            Mutation::Atomic(atomic, key, operand) => {
                let before = self.get(&key, version).cloned();
                self.put(version, key, atomic.apply(before.as_deref(), &operand));
            }
            // They are filled in before they come here.
            Mutation::StampedKey(key, _, value) | Mutation::StampedValue(key, value, _) => {
                self.put(version, key, Some(value));
            }
        }
    }

    /// Forgets what no read at `oldest` or above sees.
    pub(crate) fn forget(&mut self, oldest: i64) {
        while let Some((version, _)) = self.written.front()
            && *version <= oldest
        {
            let Some((_, key)) = self.written.pop_front() else { return };
            let Some(values) = self.keys.get_mut(&key) else { continue };
            let seen = values.partition_point(|(from, _)| *from <= oldest);
            values.drain(..seen.saturating_sub(1));
            if let [(from, None)] = values[..]
                && from <= oldest
            {
                self.keys.remove(&key);
            }
        }
    }
}
