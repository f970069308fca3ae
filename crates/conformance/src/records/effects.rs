//! Effects, as a log would have them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Change, Desired, Durability, Effect, Expected, KvStore, KvStoreExt, Result, Selection,
};

use super::kit::{Kit, NOW, b, together};
use super::layer::{KvLayer, KvLayered};

/// A layer that notes effects inside the change, before they are made.
#[derive(Default)]
pub struct Log {
    /// Those of one update are together. A change that is called again takes
    /// back what it said before.
    noted: Mutex<Vec<Option<Vec<Effect>>>>,
}

/// A store whose effects are noted.
pub type Logged = KvLayered<Log>;

impl Log {
    fn noted(&self) -> MutexGuard<'_, Vec<Option<Vec<Effect>>>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All effects, in the order in which they were made.
    pub fn effects(&self) -> Vec<Effect> {
        self.noted().iter().flatten().flatten().cloned().collect()
    }

    fn take_back(&self, at: &mut Option<usize>) {
        if let Some(at) = at.take() {
            self.noted()[at] = None;
        }
    }
}

#[async_trait]
impl KvLayer for Log {
    async fn update(
        &self,
        inner: &dyn KvStore,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        let mut at = None;
        let noting = &mut |found: &[hozo_traits::Present]| {
            self.take_back(&mut at);
            let effects = change(found)?;
            let mut noted = self.noted();
            at = Some(noted.len());
            noted.push(Some(effects.clone()));
            Ok(effects)
        };
        let answered = inner.update(selection, durability, noting).await;
        if answered.is_err() {
            self.take_back(&mut at);
        }
        answered
    }
}

/// Every operation by many threads on few keys; then the log, replayed once and
/// again from its middle, has to give what is in the store.
pub(super) fn run(kit: &Kit) {
    let logged: Arc<Logged> = KvLayered::new(kit.dbm(), Log::default());
    together(4, |me| {
        let (dbm, mut rng) = (&*logged, kit.rng().fork(&me.to_string()));
        for n in 0..250u32 {
            let (key, other) = (b([rng.below(5) as u8]), b([rng.below(5) as u8]));
            let value = b(n.to_string());
            let ended = match rng.below(12) {
                0 | 1 => block_on(dbm.set(key, value, rng.one_in(2), NOW)).map(drop),
                2 => block_on(dbm.remove(key, NOW)).map(drop),
                3 => block_on(dbm.append(key, value, b",", NOW)),
                4 => {
                    let desired = Desired::Set(value);
                    block_on(dbm.compare_exchange(key, Expected::Any, desired, true, NOW)).map(drop)
                }
                5 => block_on(dbm.increment(key, 3, 1, NOW)).map(drop),
                6 => {
                    let expected = [(key.clone(), Expected::Any)];
                    let desired = [(key, None), (other, Some(value))];
                    block_on(dbm.compare_exchange_many(&expected, &desired, NOW)).map(drop)
                }
                7 => block_on(dbm.rekey(key, other, rng.one_in(2), rng.one_in(2), NOW)).map(drop),
                8 => block_on(dbm.pop_first(NOW)).map(drop),
                9 => block_on(dbm.push_last(value, rng.below(3) as u64, NOW)).map(drop),
                10 => block_on(dbm.set_many(vec![(key, value.clone()), (other, value)], true, NOW))
                    .map(drop),
                _ if rng.one_in(8) => block_on(dbm.clear(NOW)),
                _ => block_on(dbm.remove_many(vec![key, other], NOW)).map(drop),
            };
            ended.expect("answered");
        }
    });
    let effects = logged.layer().effects();
    assert!(effects.len() > 100, "there is something to replay");
    let mut replayed = BTreeMap::new();
    replay(&mut replayed, &effects);
    let there: BTreeMap<Bytes, Bytes> = kit.contents().into_iter().collect();
    assert_eq!(replayed, there, "the log says something else than the store");
    // As after a crash, which leaves a store that is further than is known.
    replay(&mut replayed, &effects[effects.len() / 2..]);
    assert_eq!(replayed, there, "effects made again change something");
}

fn replay(records: &mut BTreeMap<Bytes, Bytes>, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::Set { key, value } => drop(records.insert(key.clone(), value.clone())),
            Effect::Remove { key } => drop(records.remove(key)),
            Effect::Clear => records.clear(),
        }
    }
}
