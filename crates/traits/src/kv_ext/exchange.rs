//! Comparing and exchanging.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use crate::{Effect, Present, PresentValue};

/// What a record must be for it to be exchanged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// There is none.
    Absent,
    /// There is one, whatever its value.
    Any,
    /// There is one with this value.
    Is(Bytes),
}

/// What a record becomes if it is as expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Desired {
    /// It stays as it is.
    Unchanged,
    /// It has this value.
    Set(Bytes),
    /// It is gone; that it was not there is all right.
    Remove,
}

/// What a comparison found, and whether it led to an exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchanged {
    /// Whether the record was as expected, so that it is as desired now.
    pub done: bool,
    /// What it was before.
    pub actual: PresentValue,
}

impl Expected {
    /// Whether the value must be read to tell.
    pub(super) fn reads(&self) -> bool {
        matches!(self, Expected::Is(_))
    }

    pub(super) fn holds(&self, actual: &PresentValue) -> bool {
        match (self, actual) {
            (Expected::Absent, actual) => *actual == PresentValue::Absent,
            (Expected::Any, actual) => *actual != PresentValue::Absent,
            (Expected::Is(wanted), PresentValue::Is(value)) => wanted == value,
            (Expected::Is(_), _) => false,
        }
    }
}

impl Desired {
    pub(super) fn effect(&self, key: &Bytes, before: &PresentValue) -> Option<Effect> {
        match self {
            Desired::Set(value) => Some(Effect::Set { key: key.clone(), value: value.clone() }),
            Desired::Remove if *before != PresentValue::Absent => {
                Some(Effect::Remove { key: key.clone() })
            }
            Desired::Remove | Desired::Unchanged => None,
        }
    }
}

/// Keys, each once.
#[derive(Default)]
pub(super) struct Distinct {
    places: HashMap<Bytes, usize>,
    keys: Vec<Bytes>,
}

impl Distinct {
    /// Where the key is among all; there it is put if it is new.
    pub(super) fn place(&mut self, key: &Bytes) -> usize {
        *self.places.entry(key.clone()).or_insert_with(|| {
            self.keys.push(key.clone());
            self.keys.len() - 1
        })
    }

    pub(super) fn all(&self) -> &[Bytes] {
        &self.keys
    }
}

/// The effects that make the records as desired, one for each key.
pub(super) fn effects<'a>(
    before: impl ExactSizeIterator<Item = &'a Present> + DoubleEndedIterator,
    desired: &[(Bytes, Option<Bytes>)],
) -> Vec<Effect> {
    let mut seen = HashSet::new();
    let mut effects = Vec::with_capacity(desired.len());
    for (present, (key, value)) in before.zip(desired).rev() {
        if seen.insert(key) {
            let desired = value.clone().map_or(Desired::Remove, Desired::Set);
            effects.extend(desired.effect(key, &present.value));
        }
    }
    effects.reverse();
    effects
}
