//! kill -9 while records are being updated.
//!
//! Each writer makes updates that follow from its name and a number, so that
//! whoever knows the number knows all of the writer's records. Every update
//! also counts in one record that all share: that puts them all in an order.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Durability, Effect, Error, ErrorKind, KvStore, KvStoreExt, Present, PresentValue, Result,
    Selection, SystemAmbient,
};
use tempfile::TempDir;

use super::StoreFixture;
use super::kit::{b, removed, scan_all, set};
use crate::Rng;
use crate::crash::{Rounds, acknowledge, child, this_binary};

const DIR_VARIABLE: &str = "HOZO_CRASH_DIR";
const WRITERS: usize = 3;
/// Records of each writer; update `n` is about number `n % RECORDS`.
const RECORDS: u64 = 8;
/// After so many crashes a new store is begun.
const ROUNDS_PER_STORE: usize = 10;
const DBM: &str = "main";
const TURN: &str = "turn";

/// What the rounds met.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Tally {
    pub(super) verified: usize,
    pub(super) durable: usize,
    pub(super) sequenced: usize,
    pub(super) unanswered_found: usize,
    pub(super) unanswered_gone: usize,
}

/// What update `n` of a writer leaves in its record; `None` removes it.
fn left(writer: usize, n: u64) -> Option<Bytes> {
    let mut rng = Rng::new(n).fork(&writer.to_string());
    if rng.one_in(5) {
        return None;
    }
    let mut value = vec![0; if rng.one_in(12) { 90_000 } else { rng.below(300) }];
    rng.fill(&mut value);
    Some(value.into())
}

fn durability(writer: usize, n: u64) -> Durability {
    let mut rng = Rng::new(n).fork(&format!("durability {writer}"));
    if rng.one_in(2) { Durability::Durable } else { Durability::Sequenced }
}

fn number_key(writer: usize) -> Bytes {
    b(format!("{writer}/number"))
}

fn record_key(writer: usize, n: u64) -> Bytes {
    b(format!("{writer}/{}", n % RECORDS))
}

fn number(value: &PresentValue) -> u64 {
    match value {
        PresentValue::Is(value) => value[..].try_into().map_or(0, u64::from_be_bytes),
        _ => 0,
    }
}

/// The child: updates until it is killed.
fn updates(fixture: &dyn StoreFixture, dir: &Path, seed: u64) -> Result<()> {
    let dbm = fixture.open(dir, Arc::new(SystemAmbient))?.records(DBM)?;
    let failed = thread::scope(|scope| {
        let write = |writer: usize| {
            let dbm = &dbm;
            scope.spawn(move || {
                let mut rng = Rng::new(seed).fork(&writer.to_string());
                loop {
                    if let Err(error) = one(&**dbm, writer, &mut rng) {
                        return error;
                    }
                }
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(write).collect();
        writers.into_iter().map(|w| w.join().expect("no writer panics")).next()
    });
    Err(failed.unwrap_or_else(|| Error::new(ErrorKind::Internal, "no writers")))
}

fn one(dbm: &dyn KvStore, writer: usize, rng: &mut Rng) -> Result<()> {
    let found = block_on(dbm.get(&number_key(writer)))?;
    let n = 1 + found.map_or(0, |value| number(&PresentValue::Is(value)));
    let how = durability(writer, n);
    acknowledge(&format!("sends {writer} {n}"));
    let keys = [b(TURN), number_key(writer), record_key(writer, n)];
    let mut turn = 0;
    let selection = Selection::Keys { keys: &keys, values: true };
    let change = &mut |found: &[Present]| {
        turn = 1 + number(&found[0].value);
        let record = match left(writer, n) {
            Some(value) => Effect::Set { key: keys[2].clone(), value },
            None => removed(&keys[2]),
        };
        Ok(vec![set(TURN, turn.to_be_bytes()), set(&keys[1], n.to_be_bytes()), record])
    };
    block_on(dbm.update(selection, how, change))?;
    let word = if how == Durability::Durable { "durable" } else { "sequenced" };
    acknowledge(&format!("{word} {writer} {n} {turn}"));
    if rng.one_in(40) {
        block_on(dbm.synchronise())?;
    }
    if rng.one_in(60) {
        block_on(dbm.rebuild())?;
    }
    Ok(())
}

/// What the children were promised since the store was last looked at.
#[derive(Default)]
struct Acknowledged {
    /// The newest number that each writer sent.
    sent: BTreeMap<usize, u64>,
    /// By turn: the writer, its number, whether it was durable.
    made: BTreeMap<u64, (usize, u64, bool)>,
}

impl Acknowledged {
    fn add(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        let writer = words.get(1)?.parse().ok()?;
        let n = words.get(2)?.parse().ok()?;
        if words[0] == "sends" {
            self.sent.insert(writer, n);
        } else {
            let durable = words[0] == "durable";
            self.made.insert(words.get(3)?.parse().ok()?, (writer, n, durable));
        }
        Some(())
    }
}

/// Runs the rounds; see [`crate::crash::page_store`], which this is for records.
///
/// # Errors
/// Says what did not survive, or what the child could not do.
pub(super) fn records(
    fixture: &dyn StoreFixture,
    name: &str,
    rounds: &Rounds,
) -> Result<Tally, String> {
    if let Some(seed) = child() {
        let dir = env::var_os(DIR_VARIABLE).ok_or("the child was not told its directory")?;
        let ended = updates(fixture, &PathBuf::from(dir), seed);
        return ended.map(|()| Tally::default()).map_err(|e| e.to_string());
    }
    let mut dirs = Vec::new();
    for _ in 0..rounds.count.div_ceil(ROUNDS_PER_STORE) {
        dirs.push(TempDir::with_prefix("hozo-crash-").map_err(|e| format!("no scratch: {e}"))?);
    }
    let dir = |number: usize| dirs[number / ROUNDS_PER_STORE].path();
    let mut tally = Tally::default();
    // How far each writer was when the store was last looked at.
    let mut before = [0; WRITERS];
    rounds.run(
        |round| {
            let mut command = this_binary(name, round);
            command.env(DIR_VARIABLE, dir(round.number));
            command
        },
        |round, lines| {
            if round.number.is_multiple_of(ROUNDS_PER_STORE) {
                before = [0; WRITERS];
            }
            let mut known = Acknowledged::default();
            for line in &lines {
                known.add(line).ok_or_else(|| format!("the child said {line:?}"))?;
            }
            let store = fixture.open(dir(round.number), Arc::new(SystemAmbient));
            let store = store.map_err(|e| format!("does not open after a crash: {e}"))?;
            let dbm = store.records(DBM).map_err(|e| format!("no DBM after a crash: {e}"))?;
            before = verify(&*dbm, &before, &known, &mut tally)?;
            Ok(())
        },
    )?;
    Ok(tally)
}

/// Verifies that what is there is a prefix of what was made, with all that was
/// durable, and each update whole; answers how far each writer is.
fn verify(
    dbm: &dyn KvStore,
    before: &[u64; WRITERS],
    known: &Acknowledged,
    tally: &mut Tally,
) -> Result<[u64; WRITERS], String> {
    let found = scan_all(dbm, 100, false).map_err(|e| format!("cannot be scanned: {e}"))?;
    let count = block_on(dbm.count()).map_err(|e| format!("cannot be counted: {e}"))?;
    if count != found.len() as u64 {
        return Err(format!("the count is {count}, and there are {} records", found.len()));
    }
    let found: BTreeMap<Bytes, Bytes> = found.into_iter().collect();
    let read = |key: &Bytes| found.get(key).map_or(0, |v| number(&PresentValue::Is(v.clone())));
    let turns = read(&b(TURN));
    let mut reached = [0; WRITERS];
    let mut expected =
        BTreeMap::from_iter(found.get_key_value(&b(TURN)).map(|(k, v)| (k.clone(), v.clone())));
    for (writer, reached) in reached.iter_mut().enumerate() {
        *reached = read(&number_key(writer));
        if *reached > 0 {
            expected.insert(number_key(writer), b(reached.to_be_bytes()));
        }
        for n in (*reached).saturating_sub(RECORDS - 1).max(1)..=*reached {
            expected.extend(left(writer, n).map(|value| (record_key(writer, n), value)));
        }
    }
    if found != expected {
        let wrong = |key: &&Bytes| found.get(*key) != expected.get(*key);
        let keys: Vec<_> = found.keys().chain(expected.keys()).filter(wrong).collect();
        return Err(format!("updates are there in part: {keys:?}, writers are at {reached:?}"));
    }
    if reached.iter().sum::<u64>() != turns {
        return Err(format!("{turns} updates, and writers are at {reached:?}"));
    }
    for (turn, (writer, n, durable)) in &known.made {
        if (*turn <= turns) != (*n <= reached[*writer]) {
            return Err(format!(
                "update {n} of writer {writer} was number {turn}; {turns} are there, and the \
                 writer is at {}: no prefix",
                reached[*writer]
            ));
        }
        if *durable && *turn > turns {
            return Err(format!("update {n} of writer {writer} was durable, and is lost"));
        }
    }
    tally.count(before, known, &reached)?;
    Ok(reached)
}

impl Tally {
    fn count(
        &mut self,
        before: &[u64; WRITERS],
        known: &Acknowledged,
        reached: &[u64; WRITERS],
    ) -> Result<(), String> {
        self.verified += 1;
        let durable = known.made.values().filter(|(_, _, durable)| *durable).count();
        self.durable += durable;
        self.sequenced += known.made.len() - durable;
        for (writer, reached) in reached.iter().enumerate() {
            let sent = known.sent.get(&writer).copied().unwrap_or(before[writer]);
            if *reached > sent {
                return Err(format!("writer {writer} is at {reached}, and sent {sent}"));
            }
            let answered = known.made.values().any(|(w, n, _)| *w == writer && *n == sent);
            match sent > before[writer] && !answered {
                true if *reached == sent => self.unanswered_found += 1,
                true => self.unanswered_gone += 1,
                false => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
