//! Whether what happened to each key can have happened in some order that is
//! that of time.
//!
//! Every write is of a value of its own and answers the value before it, so the
//! writes of a key are a chain, and each write and read has its place along it.
//! What ended before another began must have the earlier place.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use hozo_traits::exec::block_on;
use hozo_traits::{KvStore, KvStoreExt, Present, PresentValue, Selection};

use super::clauses::overlap;
use super::kit::{Kit, NOW, b, set, together};
use crate::Rng;

const KEYS: usize = 4;
const STEPS: usize = 300;

/// A write or a read, and when it was under way.
#[derive(Clone, Debug)]
pub struct Event {
    /// Of which key.
    pub key: usize,
    /// A moment before it was asked for.
    pub begun: u64,
    /// A moment after it was answered.
    pub ended: u64,
    /// What it was.
    pub what: What,
}

/// Values are numbers; 0 is none.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// A value of its own was written over another.
    Write {
        /// What was there.
        before: u64,
        /// What is there now.
        value: u64,
    },
    /// It was seen and left as it is.
    Read(u64),
}

pub(super) fn run(kit: &Kit) {
    let clock = AtomicU64::new(1);
    let histories = together(4, |me| {
        let (dbm, mut rng) = (kit.dbm(), kit.rng().fork(&me.to_string()));
        let step = |n: usize| {
            let key = rng.below(KEYS);
            let begun = clock.fetch_add(1, Ordering::SeqCst);
            let value = ((me + 1) * 1_000_000 + n) as u64;
            let what = step(&*dbm, key, value, &mut rng);
            Event { key, begun, ended: clock.fetch_add(1, Ordering::SeqCst), what }
        };
        (0..STEPS).map(step).collect::<Vec<Event>>()
    });
    let history: Vec<Event> = histories.into_iter().flatten().collect();
    if let Some(wrong) = violation(&history) {
        panic!("{wrong}");
    }
}

fn number(value: &PresentValue) -> u64 {
    match value {
        PresentValue::Is(value) => u64::from_be_bytes(value[..8].try_into().expect("8 bytes")),
        _ => 0,
    }
}

fn step(dbm: &dyn KvStore, key: usize, value: u64, rng: &mut Rng) -> What {
    let key = b([key as u8]);
    if rng.one_in(2) {
        let found = block_on(dbm.get(&key)).expect("read");
        return What::Read(found.map_or(0, |value| number(&PresentValue::Is(value))));
    }
    let mut before = 0;
    // Some are large enough to be stored in another way.
    let bytes =
        [&value.to_be_bytes()[..], &vec![0; if rng.one_in(10) { 70_000 } else { 0 }]].concat();
    let selection = Selection::Keys { keys: std::slice::from_ref(&key), values: true };
    let change = &mut |found: &[Present]| {
        overlap(rng);
        before = number(&found[0].value);
        Ok(vec![set(&key, &bytes)])
    };
    block_on(dbm.update(selection, NOW, change)).expect("written");
    What::Write { before, value }
}

/// What cannot have happened, if anything. No two writes of a key may be of the
/// same value.
pub fn violation(history: &[Event]) -> Option<String> {
    let mut keys: BTreeMap<usize, Vec<&Event>> = BTreeMap::new();
    for event in history {
        keys.entry(event.key).or_default().push(event);
    }
    keys.into_values().find_map(violation_of_key)
}

fn violation_of_key(mut events: Vec<&Event>) -> Option<String> {
    let mut after = HashMap::new();
    for event in &events {
        if let What::Write { before, value } = event.what
            && let Some(other) = after.insert(before, value)
        {
            return Some(format!("{other} and {value} were both written over {before}"));
        }
    }
    // A write's place is even, that of the reads of its value the odd one after.
    let mut places = HashMap::from([(0, 0u64)]);
    let mut value = 0;
    for place in 1.. {
        let Some(next) = after.get(&value) else { break };
        places.insert(*next, 2 * place);
        value = *next;
    }
    let place = |event: &Event| match event.what {
        What::Write { value, .. } => places.get(&value).copied(),
        What::Read(value) => places.get(&value).map(|place| place + 1),
    };
    if let Some(lost) = events.iter().find(|event| place(event).is_none()) {
        return Some(format!("{lost:?} has no place among the writes of its key"));
    }
    // The latest place of all that ended before.
    events.sort_by_key(|event| event.begun);
    let mut by_end = events.clone();
    by_end.sort_by_key(|event| event.ended);
    let (mut ended, mut latest): (_, Option<&Event>) = (by_end.into_iter().peekable(), None);
    for event in events {
        while let Some(earlier) = ended.next_if(|other| other.ended < event.begun) {
            if latest.is_none_or(|latest| place(earlier) > place(latest)) {
                latest = Some(earlier);
            }
        }
        if let Some(latest) = latest
            && place(latest) > place(event)
        {
            return Some(format!("{latest:?} ended before {event:?} began, and comes after it"));
        }
    }
    None
}
