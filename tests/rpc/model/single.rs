//! Operations of one record, as calls and in streams.

use bytes::Bytes;
use hozo_conformance::Rng;
use hozo_proto::StatusCode::{self, DuplicationError, InfeasibleError, NotFoundError, Success};
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof as Ask;
use hozo_proto::tkrzw_rpc::stream_response::ResponseOneof as Answer;
use hozo_proto::tkrzw_rpc::*;

use super::{Model, key, same, same_each, value};
use crate::kit::{Kit, b};

/// Requests of a stream.
const STREAMED_MAX: usize = 60;

pub(super) fn one(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Result<(), String> {
    let request = ask(kit, model, rng);
    let expected = answer(model, &request);
    let answered = call(kit, request.clone()).map_err(|status| format!("{request:?}: {status}"))?;
    same(&request, plain(answered), expected)
}

pub(super) fn streamed(kit: &Kit, model: &mut Model, rng: &mut Rng) -> Result<(), String> {
    let mut expected = Vec::new();
    let mut requests = Vec::new();
    for _ in 0..rng.below(STREAMED_MAX) {
        let request = ask(kit, model, rng);
        let omit_response = rng.one_in(4);
        let answer = answer(model, &request);
        expected.extend((!omit_response).then_some(Some(answer)));
        requests.push(StreamRequest { omit_response, request_oneof: Some(request) });
    }
    let answered =
        kit.stream(requests.clone()).map_err(|status| format!("{requests:?}: {status}"))?;
    let answered: Vec<Option<Answer>> =
        answered.into_iter().map(|answer| answer.response_oneof.map(plain)).collect();
    let answers = requests.iter().filter(|request| !request.omit_response);
    same_each(&answers.collect::<Vec<_>>(), &answered, &expected)
}

fn ask(kit: &Kit, model: &Model, rng: &mut Rng) -> Ask {
    let (dbm_index, key) = (kit.index, key(rng));
    match rng.below(7) {
        0 => Ask::EchoRequest(EchoRequest { message: format!("{key:?}") }),
        1 => Ask::GetRequest(GetRequest { dbm_index, key, omit_value: rng.one_in(5) }),
        2 => {
            let overwrite = !rng.one_in(3);
            Ask::SetRequest(SetRequest { dbm_index, key, value: value(rng), overwrite })
        }
        3 => Ask::RemoveRequest(RemoveRequest { dbm_index, key }),
        4 => {
            let delim = b(*rng.pick(&["", ",", "--"]));
            Ask::AppendRequest(AppendRequest { dbm_index, key, value: value(rng), delim })
        }
        5 => {
            let increment = *rng.pick(&[1, -1, 0, i64::MIN, i64::MAX, 1 << 40]);
            let initial = rng.below(100) as i64;
            Ask::IncrementRequest(IncrementRequest { dbm_index, key, increment, initial })
        }
        _ => Ask::CompareExchangeRequest(exchange(dbm_index, key, model, rng)),
    }
}

fn exchange(dbm_index: i32, key: Bytes, model: &Model, rng: &mut Rng) -> CompareExchangeRequest {
    // What is there more often than not, so that it holds.
    let actual = model.get(&key).cloned().filter(|_| !rng.one_in(4));
    CompareExchangeRequest {
        dbm_index,
        expected_existence: if rng.one_in(6) { rng.one_in(2) } else { model.contains_key(&key) },
        expected_value: actual.unwrap_or_else(|| value(rng)),
        expect_any_value: rng.one_in(4),
        desired_existence: !rng.one_in(3),
        desired_value: value(rng),
        desire_no_update: rng.one_in(6),
        get_actual: rng.one_in(2),
        notify: rng.one_in(2),
        retry_wait: 0.0,
        key,
    }
}

/// The model's answer.
fn answer(model: &mut Model, request: &Ask) -> Answer {
    let status = |code: StatusCode| Some(code.with(""));
    let missing = |present: bool| if present { Success } else { NotFoundError };
    match request {
        Ask::EchoRequest(ask) => Answer::EchoResponse(EchoResponse {
            status: status(Success),
            echo: ask.message.clone(),
        }),
        Ask::GetRequest(ask) => {
            let found = model.get(&ask.key);
            let value = found.filter(|_| !ask.omit_value).cloned().unwrap_or_default();
            Answer::GetResponse(GetResponse { status: status(missing(found.is_some())), value })
        }
        Ask::SetRequest(ask) => {
            let exists = model.contains_key(&ask.key) && !ask.overwrite;
            if !exists {
                model.insert(ask.key.clone(), ask.value.clone());
            }
            let code = if exists { DuplicationError } else { Success };
            Answer::SetResponse(SetResponse { status: status(code) })
        }
        Ask::RemoveRequest(ask) => {
            let code = missing(model.remove(&ask.key).is_some());
            Answer::RemoveResponse(RemoveResponse { status: status(code) })
        }
        Ask::AppendRequest(ask) => {
            append(model, &ask.key, &ask.value, &ask.delim);
            Answer::AppendResponse(AppendResponse { status: status(Success) })
        }
        Ask::IncrementRequest(ask) => {
            let current = increment(model, ask);
            Answer::IncrementResponse(IncrementResponse { status: status(Success), current })
        }
        Ask::CompareExchangeRequest(ask) => {
            let before = model.get(&ask.key).cloned();
            let holds = match &before {
                None => !ask.expected_existence,
                Some(value) => {
                    ask.expected_existence && (ask.expect_any_value || *value == ask.expected_value)
                }
            };
            if holds && !ask.desire_no_update {
                let wish = ask.desired_existence.then(|| ask.desired_value.clone());
                apply(model, &ask.key, wish);
            }
            let actual = before.clone().filter(|_| ask.get_actual).unwrap_or_default();
            let found = before.is_some();
            let code = if holds { Success } else { InfeasibleError };
            let status = status(code);
            Answer::CompareExchangeResponse(CompareExchangeResponse { status, actual, found })
        }
    }
}

/// Sets or removes.
pub(super) fn apply(model: &mut Model, key: &Bytes, value: Option<Bytes>) {
    match value {
        Some(value) => drop(model.insert(key.clone(), value)),
        None => drop(model.remove(key)),
    }
}

pub(super) fn append(model: &mut Model, key: &Bytes, value: &Bytes, delim: &Bytes) {
    let joined = match model.get(key) {
        Some(before) => b([&before[..], &delim[..], &value[..]].concat()),
        None => value.clone(),
    };
    model.insert(key.clone(), joined);
}

fn increment(model: &mut Model, ask: &IncrementRequest) -> i64 {
    let before = model.get(&ask.key).map(|value| {
        let leading = &value[..value.len().min(8)];
        leading.iter().fold(0_i64, |number, byte| number << 8 | i64::from(*byte))
    });
    if ask.increment == i64::MIN {
        return before.unwrap_or(ask.initial);
    }
    let after = before.unwrap_or(ask.initial).wrapping_add(ask.increment);
    model.insert(ask.key.clone(), b(after.to_be_bytes()));
    after
}

fn call(kit: &Kit, request: Ask) -> Result<Answer, tonic::Status> {
    Ok(match request {
        Ask::EchoRequest(ask) => Answer::EchoResponse(kit.echo(ask)?),
        Ask::GetRequest(ask) => Answer::GetResponse(kit.get(ask)?),
        Ask::SetRequest(ask) => Answer::SetResponse(kit.set(ask)?),
        Ask::RemoveRequest(ask) => Answer::RemoveResponse(kit.remove(ask)?),
        Ask::AppendRequest(ask) => Answer::AppendResponse(kit.append(ask)?),
        Ask::IncrementRequest(ask) => Answer::IncrementResponse(kit.increment(ask)?),
        Ask::CompareExchangeRequest(ask) => {
            Answer::CompareExchangeResponse(kit.compare_exchange(ask)?)
        }
    })
}

/// Without the words for people, which are the server's own.
fn plain(mut answer: Answer) -> Answer {
    let status = match &mut answer {
        Answer::EchoResponse(answer) => &mut answer.status,
        Answer::GetResponse(answer) => &mut answer.status,
        Answer::SetResponse(answer) => &mut answer.status,
        Answer::RemoveResponse(answer) => &mut answer.status,
        Answer::AppendResponse(answer) => &mut answer.status,
        Answer::IncrementResponse(answer) => &mut answer.status,
        Answer::CompareExchangeResponse(answer) => &mut answer.status,
    };
    status.get_or_insert_default().message.clear();
    answer
}
