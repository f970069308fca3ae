//! Operations of several records, or of the whole DBM.

use std::collections::BTreeMap;

use bytes::Bytes;
use hozo_conformance::Rng;
use hozo_proto::StatusCode::{DuplicationError, InfeasibleError, NotFoundError, Success};
use hozo_proto::tkrzw_rpc::*;

use super::{Model, key, same, single, value};
use crate::kit::{Kit, b, code};

type Done = Result<(), String>;

pub(super) fn run(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    match rng.below(40) {
        0..5 => get_multi(kit, model, rng),
        5..10 => set_multi(kit, model, rng),
        10..14 => remove_multi(kit, model, rng),
        14..17 => append_multi(kit, model, rng),
        17..23 if !kit.is_peer => exchange_multi(kit, model, rng),
        23..27 => rekey(kit, model, rng),
        27..31 => pop(kit, model, rng),
        31..34 => push(kit, model, rng),
        34..37 => search(kit, model, rng),
        37 => clear(kit, model, rng),
        _ => look_after(kit, model, rng),
    }
}

fn keys(rng: &mut Rng) -> Vec<Bytes> {
    (0..rng.below(12)).map(|_| key(rng)).collect()
}

fn records(rng: &mut Rng) -> Vec<BytesPair> {
    (0..rng.below(12)).map(|_| BytesPair { first: key(rng), second: value(rng) }).collect()
}

/// Sorted, and of equal keys the first.
fn firsts(records: &[BytesPair]) -> BTreeMap<Bytes, Bytes> {
    let mut firsts = BTreeMap::new();
    for BytesPair { first, second } in records {
        firsts.entry(first.clone()).or_insert_with(|| second.clone());
    }
    firsts
}

fn get_multi(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    let request = GetMultiRequest { dbm_index: kit.index, keys: keys(rng) };
    let answer = kit.get_multi(request.clone()).map_err(|e| format!("{request:?}: {e}"))?;
    let found: BTreeMap<_, _> = request
        .keys
        .iter()
        .filter_map(|key| Some((key.clone(), model.get(key)?.clone())))
        .collect();
    let all = request.keys.iter().all(|key| model.contains_key(key));
    let records = found.into_iter().map(|(first, second)| BytesPair { first, second }).collect();
    let expected = if all { Success } else { NotFoundError };
    same(&request, (code(&answer.status), answer.records), (expected, records))
}

fn set_multi(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    let (dbm_index, overwrite) = (kit.index, rng.one_in(2));
    let request = SetMultiRequest { dbm_index, records: records(rng), overwrite };
    let answer = kit.set_multi(request.clone()).map_err(|e| format!("{request:?}: {e}"))?;
    let mut expected = Success;
    for (key, value) in firsts(&request.records) {
        if model.contains_key(&key) && !overwrite {
            expected = DuplicationError;
        } else {
            model.insert(key, value);
        }
    }
    same(&request, code(&answer.status), expected)
}

fn remove_multi(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    let request = RemoveMultiRequest { dbm_index: kit.index, keys: keys(rng) };
    let answer = kit.remove_multi(request.clone()).map_err(|e| format!("{request:?}: {e}"))?;
    let missing = request.keys.iter().filter(|key| model.remove(*key).is_none()).count();
    let expected = if missing == 0 { Success } else { NotFoundError };
    same(&request, code(&answer.status), expected)
}

fn append_multi(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    let (dbm_index, delim) = (kit.index, b(*rng.pick(&["", "/"])));
    let request = AppendMultiRequest { dbm_index, records: records(rng), delim };
    let answer = kit.append_multi(request.clone()).map_err(|e| format!("{request:?}: {e}"))?;
    for (key, value) in firsts(&request.records) {
        single::append(model, &key, &value, &request.delim);
    }
    same(&request, code(&answer.status), Success)
}

fn exchange_multi(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    let expected: Vec<RecordState> = (0..rng.below(5))
        .map(|_| {
            let key = key(rng);
            let actual = model.get(&key).filter(|_| !rng.one_in(12)).cloned();
            let existence = if rng.one_in(12) { rng.one_in(2) } else { actual.is_some() };
            let any_value = rng.one_in(4);
            RecordState { existence, value: actual.unwrap_or_default(), any_value, key }
        })
        .collect();
    let mut desired: Vec<RecordState> = (0..rng.below(5))
        .map(|_| RecordState {
            existence: !rng.one_in(3),
            key: key(rng),
            value: value(rng),
            any_value: rng.one_in(4),
        })
        .collect();
    desired.sort_by(|a, b| a.key.cmp(&b.key));
    desired.dedup_by(|a, b| a.key == b.key);
    let request = CompareExchangeMultiRequest { dbm_index: kit.index, expected, desired };
    let answer =
        kit.compare_exchange_multi(request.clone()).map_err(|e| format!("{request:?}: {e}"))?;
    let holds = request.expected.iter().all(|state| match model.get(&state.key) {
        None => !state.existence,
        Some(value) => state.existence && (state.any_value || *value == state.value),
    });
    if holds {
        for state in &request.desired {
            let wish = state.existence.then(|| state.value.clone());
            single::apply(model, &state.key, wish);
        }
    }
    let expected = if holds { Success } else { InfeasibleError };
    same(&request, code(&answer.status), expected)
}

fn rekey(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    let (dbm_index, overwrite, copying) = (kit.index, rng.one_in(2), rng.one_in(3));
    let request =
        RekeyRequest { dbm_index, old_key: key(rng), new_key: key(rng), overwrite, copying };
    let answer = kit.rekey(request.clone()).map_err(|e| format!("{request:?}: {e}"))?;
    let expected = match model.get(&request.old_key).cloned() {
        None => NotFoundError,
        Some(_) if model.contains_key(&request.new_key) && !overwrite => DuplicationError,
        Some(value) => {
            if !copying {
                model.remove(&request.old_key);
            }
            model.insert(request.new_key.clone(), value);
            Success
        }
    };
    same(&request, code(&answer.status), expected)
}

fn pop(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    let omit_value = rng.one_in(4);
    let request = PopFirstRequest { dbm_index: kit.index, omit_value, ..Default::default() };
    let answer = kit.pop_first(request).map_err(|e| format!("{request:?}: {e}"))?;
    // Without an order any record may be the first.
    let first = match kit.ordered {
        true => model.first_key_value().map(|(key, value)| (key.clone(), value.clone())),
        false => model.get_key_value(&answer.key).map(|(k, v)| (k.clone(), v.clone())),
    };
    if first.is_none() && !model.is_empty() {
        return Err(format!("{request:?} took {answer:?}, which was not there"));
    }
    let expected = match &first {
        None => (NotFoundError, Bytes::new(), Bytes::new()),
        Some((key, _)) if omit_value => (Success, key.clone(), Bytes::new()),
        Some((key, value)) => (Success, key.clone(), value.clone()),
    };
    if let Some((key, _)) = first {
        model.remove(&key);
    }
    same(&request, (code(&answer.status), answer.key, answer.value), expected)
}

fn push(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    let (from, notify) = (rng.below(4) as u64, rng.one_in(2));
    let wtime = (from as f64 + 0.5) / 1e8;
    let request = PushLastRequest { dbm_index: kit.index, value: value(rng), wtime, notify };
    let answer = kit.push_last(request.clone()).map_err(|e| format!("{request:?}: {e}"))?;
    let mut keys = (from..).map(|n| b(n.to_be_bytes()));
    let free = keys.find(|key| !model.contains_key(key)).expect("endless");
    model.insert(free, request.value.clone());
    same(&request, code(&answer.status), Success)
}

fn search(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    let mode = *rng.pick(&["begin", "contain", "end"]);
    let (dbm_index, pattern) = (kit.index, b(rng.below(30).to_string()));
    let request = SearchRequest { dbm_index, mode: mode.to_owned(), pattern, capacity: 0 };
    let mut answer = kit.search(request.clone()).map_err(|e| format!("{request:?}: {e}"))?;
    answer.matched.sort();
    let pattern = &request.pattern[..];
    let matches = |key: &&Bytes| match mode {
        "begin" => key.starts_with(pattern),
        "end" => key.ends_with(pattern),
        _ => key.windows(pattern.len()).any(|part| part == pattern),
    };
    let expected = model.keys().filter(matches).cloned().collect();
    same(&request, (code(&answer.status), answer.matched), (Success, expected))
}

fn clear(kit: &Kit, model: &mut Model, _rng: &mut Rng) -> Done {
    let request = ClearRequest { dbm_index: kit.index };
    let answer = kit.clear(request).map_err(|e| format!("{request:?}: {e}"))?;
    model.clear();
    same(&request, code(&answer.status), Success)
}

/// What changes no record.
fn look_after(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Done {
    let dbm_index = kit.index;
    if rng.one_in(4) {
        let answer = kit.rebuild(RebuildRequest { dbm_index, params: vec![] });
        same(&"rebuild", code(&answer.map_err(|e| e.to_string())?.status), Success)?;
    }
    if rng.one_in(4) {
        let request = SynchronizeRequest { dbm_index, hard: rng.one_in(2), params: vec![] };
        let answer = kit.synchronize(request).map_err(|e| e.to_string())?;
        same(&"synchronize", code(&answer.status), Success)?;
    }
    same(&"count", kit.counted(), model.len() as i64)
}
