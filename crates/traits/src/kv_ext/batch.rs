//! Many records at once, in as few updates as they fit into.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Outcome;
use crate::{Durability, Effect, KvStore, Present, Result, Selection};

/// Records that one update selects, however small they are.
const RECORDS_MAX: usize = 65_536;
/// Keys whose values are read without looking before how long they are.
pub(super) const UNSEEN_MAX: usize = 16;
/// What the values come to that one update of more keys reads, so that a request
/// of many small keys does not bring a whole DBM into memory. One value of any
/// length is read by itself.
pub(super) const VALUES_BYTES_MAX: usize = 64 << 20;

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
        let mut keys: Vec<Bytes> =
            fitting(rest, bytes_max).iter().map(|(key, _)| key.clone()).collect();
        if input.values {
            keys.truncate(within(store, &keys, bytes_max.min(VALUES_BYTES_MAX)).await?);
        }
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

/// How many keys from the beginning have values of so many bytes together; one
/// at least. Few enough are not looked at.
pub(super) async fn within<S: KvStore + ?Sized>(
    store: &S,
    keys: &[Bytes],
    bytes_max: usize,
) -> Result<usize> {
    if keys.len() <= UNSEEN_MAX {
        return Ok(keys.len());
    }
    let (mut count, mut bytes) = (0, 0usize);
    for part in keys.chunks(UNSEEN_MAX) {
        for value in store.get_many(part).await? {
            bytes = bytes.saturating_add(value.map_or(0, |value| value.len()));
            if bytes > bytes_max {
                return Ok(count.max(1));
            }
            count += 1;
        }
    }
    Ok(count)
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
