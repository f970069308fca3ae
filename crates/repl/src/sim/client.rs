//! What clients ask of a simulated server.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use hozo_traits::{
    Durability, Effect, Error, ErrorKind, KvStore, Present, PresentValue, Result, Selection,
};
use parking_lot::Mutex;

use super::machine::Promise;
use super::net::Life;
use super::tasks::Dice;
use crate::shared::Shared;

pub(super) const KEYS: u64 = 8;

#[derive(Clone, Debug)]
pub(super) enum Op {
    Set(Bytes, Bytes),
    Remove(Bytes),
    Append(Bytes, Bytes),
    Increment(Bytes),
    /// Several records at once, if the first is as it was seen or not there.
    Exchange(Vec<Bytes>, Bytes, bool),
    Rotate(Bytes),
    Clear,
    ClearIf(Vec<Bytes>),
}

impl Op {
    pub(super) fn draw(dice: &Dice, number: u64) -> Op {
        let key = || Bytes::from(format!("key{}", dice.below(KEYS)));
        let value = || {
            let length = if dice.one_in(3) { dice.below(6000) } else { dice.below(20) };
            let mut value = format!("v{number}.");
            value.extend(std::iter::repeat_n('x', length as usize));
            Bytes::from(value)
        };
        match dice.below(40) {
            0..=15 => Op::Set(key(), value()),
            16..=20 => Op::Remove(key()),
            21..=24 => Op::Append(key(), value()),
            25..=29 => Op::Increment(key()),
            30..=36 => {
                let keys = (0..1 + dice.below(4)).map(|_| key()).collect();
                Op::Exchange(keys, value(), dice.one_in(2))
            }
            37 => Op::Rotate(value()),
            38 => Op::Clear,
            _ => Op::ClearIf(vec![key()]),
        }
    }

    fn keys(&self) -> Vec<Bytes> {
        match self {
            Op::Set(key, _) | Op::Remove(key) | Op::Append(key, _) | Op::Increment(key) => {
                vec![key.clone()]
            }
            Op::Exchange(keys, ..) | Op::ClearIf(keys) => keys.clone(),
            Op::Rotate(_) | Op::Clear => Vec::new(),
        }
    }

    fn decide(&self, found: &[Present]) -> Vec<Effect> {
        let is = |at: usize| match &found[at].value {
            PresentValue::Is(value) => Some(value.clone()),
            _ => None,
        };
        let set = |key: &Bytes, value: Bytes| Effect::Set { key: key.clone(), value };
        match self {
            Op::Set(key, value) => vec![set(key, value.clone())],
            Op::Remove(key) => match is(0) {
                Some(_) => vec![Effect::Remove { key: key.clone() }],
                None => Vec::new(),
            },
            Op::Append(key, value) => {
                let mut all = is(0).unwrap_or_default().to_vec();
                all.truncate(2000);
                all.extend_from_slice(value);
                vec![set(key, all.into())]
            }
            Op::Increment(key) => {
                let number = is(0).and_then(|value| {
                    std::str::from_utf8(&value).ok().and_then(|text| text.parse::<u64>().ok())
                });
                vec![set(key, number.map_or(1, |number| number + 1).to_string().into())]
            }
            Op::Exchange(keys, value, remove) => {
                if is(0).is_some_and(|value| value.len() % 2 == 1) {
                    return Vec::new();
                }
                let each = |(at, key): (usize, &Bytes)| match *remove && at % 2 == 1 {
                    true => Effect::Remove { key: key.clone() },
                    false => set(key, [&value[..], at.to_string().as_bytes()].concat().into()),
                };
                keys.iter().enumerate().map(each).collect()
            }
            Op::Rotate(value) => match found.first() {
                Some(first) => vec![set(&first.key, value.clone())],
                None => Vec::new(),
            },
            Op::Clear => vec![Effect::Clear],
            Op::ClearIf(_) => match is(0) {
                Some(_) => vec![Effect::Clear],
                None => Vec::new(),
            },
        }
    }
}

/// What a server answered.
pub(super) struct Report {
    pub(super) index: usize,
    pub(super) life: Arc<Life>,
    /// The update's number, if it changed something.
    pub(super) seq: u64,
    pub(super) outcome: Result<Promise, String>,
}

pub(super) struct Client {
    pub(super) index: usize,
    pub(super) life: Arc<Life>,
    pub(super) shared: Arc<Shared>,
    pub(super) dbm: Arc<dyn KvStore>,
    pub(super) reports: Arc<Mutex<Vec<Report>>>,
}

impl Client {
    pub(super) async fn ask(self, op: Op, durability: Durability) {
        let me = self.shared.ulog.me();
        let fenced = self.life.told.load(Ordering::SeqCst);
        let keys = op.keys();
        let selection = match op {
            Op::Rotate(_) => Selection::First,
            _ => Selection::Keys { keys: &keys, values: true },
        };
        let mut seq = 0;
        let answer = self
            .dbm
            .update(selection, durability, &mut |found| {
                let effects = op.decide(found);
                // Nothing comes between this and the log.
                seq = match effects.is_empty() {
                    true => 0,
                    false => self.shared.ulog.reach_of(me).seq + 1,
                };
                Ok(effects)
            })
            .await;
        if !self.life.goes_on() {
            return;
        }
        // Unless it is another one's follower now, or was promoted.
        let fenced = fenced && self.life.told.load(Ordering::SeqCst);
        let outcome = match answer {
            Ok(_) if fenced => Err("a fenced server took a write".to_owned()),
            Ok(_) => Ok(match (self.shared.config.ack > 0, durability) {
                (true, _) => Promise::Acked,
                (false, Durability::Durable) => Promise::Durable,
                _ => Promise::Made,
            }),
            Err(error) if fenced => match says_promoted(&error) {
                true => Ok(Promise::None),
                false => Err(format!("a fenced server does not say why: {error}")),
            },
            Err(error) => match error.kind() {
                ErrorKind::ReadOnly
                | ErrorKind::Busy
                | ErrorKind::TimedOut
                | ErrorKind::Unavailable => return,
                _ => Err(format!("a client was told: {error}")),
            },
        };
        let (index, life) = (self.index, self.life);
        self.reports.lock().push(Report { index, life, seq, outcome });
    }
}

fn says_promoted(error: &Error) -> bool {
    error.kind() == ErrorKind::ReadOnly && error.to_string().contains("promoted")
}
