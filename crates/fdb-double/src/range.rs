//! Reading ranges, and finding keys.

use std::collections::BTreeSet;

use crate::codes::{self, Code};
use crate::future::Pairs;
use crate::mutation::{Mutation, Range};
use crate::store::Store;

/// Above every key that can be read without asking for more.
const END: &[u8] = b"\xff";
/// What one answer has at most, with each streaming mode from `small` on.
const MODE_BYTES: [usize; 4] = [256, 1000, 4096, 80_000];
/// The same for the mode `iterator`, by iteration.
const ITERATION_BYTES: [usize; 6] = [4096, 6144, 9216, 13_824, 20_736, 80_000];

/// A key, described by one that is known.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    pub(crate) key: Vec<u8>,
    pub(crate) or_equal: bool,
    pub(crate) offset: i32,
}

/// A range that is to be read.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) begin: Selector,
    pub(crate) end: Selector,
    pub(crate) limit: i32,
    pub(crate) target_bytes: i32,
    pub(crate) mode: i32,
    pub(crate) iteration: i32,
    pub(crate) reverse: bool,
}

/// What a transaction sees.
pub(crate) struct View<'a> {
    pub(crate) store: &'a Store,
    pub(crate) version: i64,
    /// Its own changes, where it sees them.
    pub(crate) mutations: &'a [Mutation],
}

type Pair = (Vec<u8>, Vec<u8>);

impl View<'_> {
    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Code> {
        let mut value = self.store.get(key, self.version).map(|value| value.to_vec());
        for mutation in self.mutations {
            match mutation {
                Mutation::Set(k, v) if k == key => value = Some(v.clone()),
                Mutation::Clear((begin, end)) if **begin <= *key && *key < **end => value = None,
                Mutation::Atomic(atomic, k, operand) if k == key => {
                    value = atomic.apply(value.as_deref(), operand);
                }
                Mutation::StampedValue(k, _, _) if k == key => {
                    return Err(codes::ACCESSED_UNREADABLE);
                }
                Mutation::StampedKey(k, at, _) if same_but_stamp(k, *at, key) => {
                    return Err(codes::ACCESSED_UNREADABLE);
                }
                _ => {}
            }
        }
        Ok(value)
    }

    /// Some pairs of a range, in the order asked for.
    fn pairs(&self, range: &Range, reverse: bool, most: usize) -> Result<Vec<Pair>, Code> {
        let owned = |(key, value): (&Vec<u8>, &std::sync::Arc<[u8]>)| (key.clone(), value.to_vec());
        if self.mutations.is_empty() {
            let found = self.store.range(range, self.version);
            return Ok(if reverse {
                found.rev().take(most).map(owned).collect()
            } else {
                found.take(most).map(owned).collect()
            });
        }
        let mut keys: BTreeSet<Vec<u8>> =
            self.store.range(range, self.version).map(|(key, _)| key.clone()).collect();
        for mutation in self.mutations {
            if let Mutation::Set(key, _)
            | Mutation::Atomic(_, key, _)
            | Mutation::StampedValue(key, _, _)
            | Mutation::StampedKey(key, _, _) = mutation
                && range.0 <= *key
                && *key < range.1
            {
                keys.insert(key.clone());
            }
        }
        let mut pairs = Vec::new();
        for key in keys {
            if let Some(value) = self.get(&key)? {
                pairs.push((key, value));
            }
        }
        if reverse {
            pairs.reverse();
        }
        pairs.truncate(most);
        Ok(pairs)
    }

    /// The key that a selector describes; the end of the keys, or their beginning,
    /// where there is none.
    pub(crate) fn resolve(&self, selector: &Selector) -> Result<Vec<u8>, Code> {
        let Selector { key, or_equal, offset } = selector;
        let mut edge = key.clone();
        // Above the key itself if that is not to count, or is to count from below.
        if *or_equal {
            edge.push(0);
        }
        if *offset >= 1 {
            let count = usize::try_from(*offset).unwrap_or(usize::MAX);
            let found = self.pairs(&(edge, END.to_vec()), false, count)?;
            return Ok(if found.len() == count { last(found) } else { END.to_vec() });
        }
        let count = usize::try_from(1 - i64::from(*offset)).unwrap_or(usize::MAX);
        let found = self.pairs(&(Vec::new(), edge), true, count)?;
        Ok(if found.len() == count { last(found) } else { Vec::new() })
    }

    fn bound(&self, selector: &Selector) -> Result<Vec<u8>, Code> {
        match selector {
            // As good as the key that is found there.
            Selector { key, or_equal: false, offset: 1 } => Ok(key.clone()),
            Selector { key, or_equal: true, offset: 1 } => Ok([key.as_slice(), &[0]].concat()),
            _ => self.resolve(selector),
        }
    }

    /// Reads a part of a range, and says which keys it has looked at.
    pub(crate) fn read(&self, request: &Request) -> Result<(Pairs, Range), Code> {
        let range = (self.bound(&request.begin)?, self.bound(&request.end)?);
        if range.0 >= range.1 {
            return Ok((Pairs::new(Vec::new(), false), (range.0.clone(), range.0)));
        }
        let (rows, bytes) = request.limits()?;
        // A step beyond, to see whether it ends there.
        let found = self.pairs(&range, request.reverse, rows.saturating_add(1))?;
        let mut pairs = Vec::new();
        let mut taken = 0;
        for (key, value) in found {
            if pairs.len() >= rows || taken >= bytes {
                break;
            }
            taken += key.len() + value.len();
            pairs.push((key, value));
        }
        // The real one says so too where a limit falls on the last pair.
        let more = !pairs.is_empty() && (pairs.len() >= rows || taken >= bytes);
        let seen = match pairs.last() {
            Some((key, _)) if more && request.reverse => (key.clone(), range.1),
            Some((key, _)) if more => (range.0, [key.as_slice(), &[0]].concat()),
            _ => range,
        };
        Ok((Pairs::new(pairs, more), seen))
    }
}

fn last(found: Vec<Pair>) -> Vec<u8> {
    found.into_iter().next_back().map(|(key, _)| key).unwrap_or_default()
}

/// Whether a key is one that a stamped key may become.
fn same_but_stamp(stamped: &[u8], at: usize, key: &[u8]) -> bool {
    stamped.len() == key.len() && stamped[..at] == key[..at] && stamped[at + 10..] == key[at + 10..]
}

impl Request {
    /// Pairs and bytes that one answer has at most.
    fn limits(&self) -> Result<(usize, usize), Code> {
        let limit = |n: i32| match usize::try_from(n) {
            Ok(0) => Ok(usize::MAX),
            Ok(n) => Ok(n),
            Err(_) => Err(codes::RANGE_LIMITS_INVALID),
        };
        let (rows, target) = (limit(self.limit)?, limit(self.target_bytes)?);
        let by_mode = match self.mode {
            // want_all, as serial.
            -2 => MODE_BYTES[3],
            -1 => match usize::try_from(self.iteration) {
                Ok(n) if n > 0 => ITERATION_BYTES[(n - 1).min(ITERATION_BYTES.len() - 1)],
                _ => return Err(codes::INVALID_OPERATION),
            },
            0 if rows == usize::MAX && target == usize::MAX => {
                return Err(codes::EXACT_WITHOUT_LIMITS);
            }
            0 => usize::MAX,
            1..=4 => MODE_BYTES[self.mode as usize - 1],
            _ => return Err(codes::INVALID_OPERATION),
        };
        Ok((rows, target.min(by_mode)))
    }
}
