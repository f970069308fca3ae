//! Iterators, compared with a place in the map.

use std::ops::Bound::{Excluded, Included, Unbounded};

use bytes::Bytes;
use hozo_conformance::Rng;
use hozo_proto::StatusCode::{NotFoundError, Success};
use hozo_proto::tkrzw_rpc::iterate_request::OpType::{self, *};
use hozo_proto::tkrzw_rpc::{IterateRequest, IterateResponse};

use super::{Model, key, same, same_each, value};
use crate::kit::{Kit, code};

const STEPS_MAX: usize = 40;

pub(super) fn run(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Result<(), String> {
    if kit.ordered { ordered(kit, model, rng) } else { unordered(kit, model, rng) }
}

/// What an operation answers: whether it succeeded and the record. Where a jump
/// leads to no record its status is the server's affair.
type Seen = (Option<bool>, Bytes, Bytes);

fn seen(answer: &IterateResponse) -> Seen {
    let found = match code(&answer.status) {
        Success => true,
        NotFoundError => false,
        other => panic!("an iterator answered {other}"),
    };
    (Some(found), answer.key.clone(), answer.value.clone())
}

fn ordered(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Result<(), String> {
    let any = [
        OpNone,
        OpFirst,
        OpLast,
        OpJump,
        OpJumpLower,
        OpJumpUpper,
        OpNext,
        OpPrevious,
        OpGet,
        OpSet,
        OpRemove,
        OpStep,
        OpNext,
        OpPrevious,
        OpGet,
        OpStep,
    ];
    let mut place: Option<Bytes> = None;
    let (mut requests, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..rng.below(STEPS_MAX) {
        let request = IterateRequest {
            key: key(rng),
            value: value(rng),
            jump_inclusive: rng.one_in(2),
            omit_key: rng.one_in(8),
            omit_value: rng.one_in(8),
            ..kit.step(*rng.pick(&any))
        };
        expected.push(follow(model, &mut place, &request));
        requests.push(request);
    }
    let answers = kit.iterate(requests.clone()).map_err(|e| format!("{requests:?}: {e}"))?;
    let mut answered: Vec<Seen> = answers.iter().map(seen).collect();
    for (one, expected) in answered.iter_mut().zip(&expected) {
        if expected.0.is_none() {
            one.0 = None;
        }
    }
    same_each(&requests, &answered, &expected)
}

/// Does to the model what the request does.
fn follow(model: &mut Model, place: &mut Option<Bytes>, request: &IterateRequest) -> Seen {
    let first = |range: (_, _)| model.range::<Bytes, _>(range).next().map(|(key, _)| key.clone());
    let last =
        |range: (_, _)| model.range::<Bytes, _>(range).next_back().map(|(key, _)| key.clone());
    let key = &request.key;
    let nothing = |found| (found, Bytes::new(), Bytes::new());
    let went = |to: Option<Bytes>, place: &mut Option<Bytes>| {
        let found = to.is_some().then_some(true);
        *place = to;
        nothing(found)
    };
    let bound = if request.jump_inclusive { Included(key) } else { Excluded(key) };
    let operation = OpType::try_from(request.operation).expect("one of them");
    match operation {
        OpNone => return nothing(Some(true)),
        OpFirst => return went(first((Unbounded, Unbounded)), place),
        OpLast => return went(last((Unbounded, Unbounded)), place),
        OpJump => return went(first((Included(key), Unbounded)), place),
        OpJumpLower => return went(last((Unbounded, bound)), place),
        OpJumpUpper => return went(first((bound, Unbounded)), place),
        _ => {}
    }
    let Some(here) = place.clone() else { return nothing(Some(false)) };
    let record = || {
        let value = if request.omit_value { Bytes::new() } else { model[&here].clone() };
        (Some(true), if request.omit_key { Bytes::new() } else { here.clone() }, value)
    };
    let next = first((Excluded(&here), Unbounded));
    match operation {
        OpNext => {
            *place = next;
            nothing(Some(true))
        }
        OpPrevious => {
            *place = last((Unbounded, Excluded(&here)));
            nothing(Some(true))
        }
        OpGet => record(),
        OpStep => {
            let seen = record();
            *place = next;
            seen
        }
        OpSet => {
            model.insert(here, request.value.clone());
            nothing(Some(true))
        }
        _ => {
            model.remove(&here);
            *place = next;
            nothing(Some(true))
        }
    }
}

/// Goes through all records and changes some as they come.
fn unordered(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Result<(), String> {
    let mut requests = vec![kit.step(OpFirst)];
    let mut removed = Vec::new();
    for _ in 0..model.len() {
        requests.push(kit.step(OpGet));
        let change = rng.one_in(8);
        removed.push(change);
        requests.push(kit.step(if change { OpRemove } else { OpNext }));
    }
    let answers = kit.iterate(requests).map_err(|e| format!("an iterator: {e}"))?;
    let met: Vec<Seen> = answers[1..].iter().step_by(2).map(seen).collect();
    let mut records: Vec<(Bytes, Bytes)> =
        met.iter().map(|(_, k, v)| (k.clone(), v.clone())).collect();
    records.sort();
    let expected: Vec<(Bytes, Bytes)> = model.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    same(&"each record once", records, expected)?;
    for ((_, key, _), removed) in met.iter().zip(removed) {
        if removed {
            model.remove(key);
        }
    }
    Ok(())
}
