//! Operations on one record, for calls and for streams alike.

use std::slice::from_ref;

use bytes::Bytes;
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::{
    AppendRequest, AppendResponse, CompareExchangeRequest, CompareExchangeResponse, GetRequest,
    GetResponse, IncrementRequest, IncrementResponse, RekeyRequest, RekeyResponse, RemoveRequest,
    RemoveResponse, SetRequest, SetResponse,
};
use hozo_traits::{Desired, Durability, Expected, KvStoreExt, Outcome, PresentValue};

use super::dbm::{Changed, Served};
use super::status::{failure, outcome, plain, success};

pub(super) async fn get(dbm: &Served, request: GetRequest) -> GetResponse {
    let read = dbm.records().get_many(from_ref(&request.key)).await;
    match dbm.checked(read).map(|mut values| values.pop().flatten()) {
        Ok(Some(value)) => {
            let value = if request.omit_value { Bytes::new() } else { value };
            GetResponse { status: success(), value }
        }
        Ok(None) => GetResponse { status: plain(StatusCode::NotFoundError), value: Bytes::new() },
        Err(error) => GetResponse { status: failure(&error), value: Bytes::new() },
    }
}

pub(super) async fn set(dbm: &Served, request: SetRequest, durability: Durability) -> SetResponse {
    let SetRequest { key, value, overwrite, .. } = request;
    let update = dbm.records().set(key.clone(), value, overwrite, durability);
    let status = match dbm.update(update).await {
        Ok(result) => {
            if result == Outcome::Done {
                dbm.changed(Changed::Set(&key));
            }
            outcome(result)
        }
        Err(error) => failure(&error),
    };
    SetResponse { status }
}

pub(super) async fn remove(
    dbm: &Served,
    request: RemoveRequest,
    durability: Durability,
) -> RemoveResponse {
    let update = dbm.records().remove(request.key.clone(), durability);
    let status = match dbm.update(update).await {
        Ok(result) => {
            if result == Outcome::Done {
                dbm.changed(Changed::Removed(&request.key));
            }
            outcome(result)
        }
        Err(error) => failure(&error),
    };
    RemoveResponse { status }
}

pub(super) async fn append(
    dbm: &Served,
    request: AppendRequest,
    durability: Durability,
) -> AppendResponse {
    let AppendRequest { key, value, delim, .. } = request;
    let records = dbm.growing();
    let update = records.append(key.clone(), value, &delim, durability);
    let status = match dbm.update(update).await {
        Ok(()) => {
            dbm.changed(Changed::Set(&key));
            success()
        }
        Err(error) => failure(&error),
    };
    AppendResponse { status }
}

/// Compares and exchanges once, without waiting.
pub(super) async fn compare_exchange(
    dbm: &Served,
    request: &CompareExchangeRequest,
    durability: Durability,
) -> CompareExchangeResponse {
    let key = &request.key;
    let desired = desired(request);
    let removes = desired == Desired::Remove;
    let changes = desired != Desired::Unchanged;
    let update = dbm.records().compare_exchange(
        key.clone(),
        expected(request),
        desired,
        request.get_actual,
        durability,
    );
    let exchanged = match dbm.update(update).await {
        Ok(exchanged) => exchanged,
        Err(error) => {
            let status = failure(&error);
            return CompareExchangeResponse { status, actual: Bytes::new(), found: false };
        }
    };
    if exchanged.done && changes {
        dbm.changed(if removes { Changed::Removed(key) } else { Changed::Set(key) });
    }
    let status = if exchanged.done { success() } else { plain(StatusCode::InfeasibleError) };
    let found = exchanged.actual != PresentValue::Absent;
    let actual = match exchanged.actual {
        PresentValue::Is(value) if request.get_actual => value,
        _ => Bytes::new(),
    };
    CompareExchangeResponse { status, actual, found }
}

/// Whether an exchange failed only because the record is not as expected.
pub(super) fn is_mismatch(response: &CompareExchangeResponse) -> bool {
    let code = response.status.as_ref().map_or(0, |status| status.code);
    code == StatusCode::InfeasibleError.as_i32()
}

/// That there is none wins over that any will do.
fn expected(request: &CompareExchangeRequest) -> Expected {
    if !request.expected_existence {
        Expected::Absent
    } else if request.expect_any_value {
        Expected::Any
    } else {
        Expected::Is(request.expected_value.clone())
    }
}

/// That nothing is updated wins over everything else.
fn desired(request: &CompareExchangeRequest) -> Desired {
    if request.desire_no_update {
        Desired::Unchanged
    } else if request.desired_existence {
        Desired::Set(request.desired_value.clone())
    } else {
        Desired::Remove
    }
}

pub(super) async fn increment(
    dbm: &Served,
    request: IncrementRequest,
    durability: Durability,
) -> IncrementResponse {
    let IncrementRequest { key, increment, initial, .. } = request;
    let update = dbm.records().increment(key.clone(), increment, initial, durability);
    match dbm.update(update).await {
        Ok(current) => {
            if increment != i64::MIN {
                dbm.changed(Changed::Set(&key));
            }
            IncrementResponse { status: success(), current }
        }
        Err(error) => IncrementResponse { status: failure(&error), current: 0 },
    }
}

pub(super) async fn rekey(
    dbm: &Served,
    request: RekeyRequest,
    durability: Durability,
) -> RekeyResponse {
    let RekeyRequest { old_key, new_key, overwrite, copying, .. } = request;
    let update =
        dbm.records().rekey(old_key.clone(), new_key.clone(), overwrite, copying, durability);
    let status = match dbm.update(update).await {
        Ok(result) => {
            if result == Outcome::Done && old_key != new_key {
                dbm.changed(Changed::Set(&new_key));
                if !copying {
                    dbm.changed(Changed::Removed(&old_key));
                }
            }
            outcome(result)
        }
        Err(error) => failure(&error),
    };
    RekeyResponse { status }
}
