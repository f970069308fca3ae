//! Many records at once, in as few updates as they fit into.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Outcome;
use crate::{Durability, Effect, KvStore, Present, Result, Selection};

/// Records that one update selects, however small they are.
const RECORDS_MAX: usize = 65_536;

/// What to go through, and whether the values that are there matter.
pub(super) struct Input {
    pub(super) records: Vec<(Bytes, Bytes)>,
    pub(super) values: bool,
}

/// In the order of keys, each once: the first that was given.
pub(super) fn by_key(records: Vec<(Bytes, Bytes)>) -> Vec<(Bytes, Bytes)> {
    let mut sorted = BTreeMap::new();
    for (key, value) in records {
        sorted.entry(key).or_insert(value);
    }
    sorted.into_iter().collect()
}

type Each<'a> = &'a (dyn Fn(&Present, &Bytes) -> Result<Effect, Outcome> + Sync);

/// Does `each` to all, and answers the keys of those where it was refused.
pub(super) async fn in_parts<S: KvStore + ?Sized>(
    store: &S,
    input: Input,
    durability: Durability,
    each: Each<'_>,
) -> Result<Vec<Bytes>> {
    let bytes_max = store.capabilities().update_bytes_max;
    let mut rest = &input.records[..];
    let mut refused = Vec::new();
    while !rest.is_empty() {
        let keys: Vec<Bytes> =
            fitting(rest, bytes_max).iter().map(|(key, _)| key.clone()).collect();
        let mut done = 0;
        let mut refused_now = Vec::new();
        let selection = Selection::Keys { keys: &keys, values: input.values };
        store
            .update(selection, durability, &mut |found| {
                let mut effects = Vec::new();
                let mut bytes = 0;
                (done, refused_now) = (0, Vec::new());
                for (present, (key, value)) in found.iter().zip(rest) {
                    match each(present, value) {
                        Ok(effect) => {
                            bytes += effect.bytes();
                            // What alone is too large is for the store to refuse.
                            if bytes > bytes_max && !effects.is_empty() {
                                return Ok(effects);
                            }
                            effects.push(effect);
                        }
                        Err(_) => refused_now.push(key.clone()),
                    }
                    done += 1;
                }
                Ok(effects)
            })
            .await?;
        refused.append(&mut refused_now);
        // A store that calls no change would make this endless.
        rest = &rest[done.max(1)..];
    }
    Ok(refused)
}

/// Those at the beginning that fit as they are; one at least.
fn fitting(records: &[(Bytes, Bytes)], bytes_max: usize) -> &[(Bytes, Bytes)] {
    let mut bytes = 0usize;
    let fits = records.iter().take(RECORDS_MAX).take_while(|(key, value)| {
        bytes = bytes.saturating_add(Effect::OVERHEAD_BYTES + key.len() + value.len());
        bytes <= bytes_max
    });
    let count = fits.count().max(1);
    &records[..count]
}
