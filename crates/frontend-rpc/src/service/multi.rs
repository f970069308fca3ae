//! Operations on several records.

use std::collections::BTreeSet;

use bytes::Bytes;
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::{
    AppendMultiRequest, AppendMultiResponse, BytesPair, CompareExchangeMultiRequest,
    CompareExchangeMultiResponse, GetMultiRequest, GetMultiResponse, RecordState,
    RemoveMultiRequest, RemoveMultiResponse, SetMultiRequest, SetMultiResponse,
};
use hozo_traits::{Expected, KvStoreExt};
use tonic::Status;

use super::dbm::{Changed, Served};
use super::status::{answer_too_large, failure, plain, success};

/// Records that are read at a time, and about how many bytes.
const PART_RECORDS: usize = 32;
const PART_BYTES: usize = 1 << 20;
/// What a record has in an answer besides its key and value, at least.
const RECORD_OVERHEAD_BYTES: usize = 6;

/// Reads records in parts, so that no more is in memory than an answer may have
/// and a part besides.
pub(super) async fn get(
    dbm: &Served,
    request: GetMultiRequest,
    bytes_max: usize,
) -> Result<GetMultiResponse, Status> {
    let sorted: BTreeSet<Bytes> = request.keys.into_iter().collect();
    let keys: Vec<Bytes> = sorted.into_iter().collect();
    let mut response = GetMultiResponse { status: success(), records: Vec::new() };
    let (mut rest, mut bytes, mut largest) = (&keys[..], 0usize, PART_BYTES / 16);
    while !rest.is_empty() {
        let count = (PART_BYTES / largest.max(1)).clamp(1, PART_RECORDS).min(rest.len());
        let (part, after) = rest.split_at(count);
        let values = match dbm.checked(dbm.records().get_many(part).await) {
            Ok(values) => values,
            Err(error) => {
                response.status = failure(&error);
                return Ok(response);
            }
        };
        for (key, value) in part.iter().zip(values) {
            let Some(value) = value else {
                response.status = plain(StatusCode::NotFoundError);
                continue;
            };
            largest = largest.max(value.len());
            bytes = bytes.saturating_add(key.len() + value.len() + RECORD_OVERHEAD_BYTES);
            if bytes > bytes_max {
                return Err(answer_too_large(bytes_max));
            }
            response.records.push(BytesPair { first: key.clone(), second: value });
        }
        rest = after;
    }
    Ok(response)
}

pub(super) async fn set(dbm: &Served, request: SetMultiRequest) -> SetMultiResponse {
    let records = pairs(request.records);
    let any = !records.is_empty();
    let update = dbm.records().set_many(records, request.overwrite, dbm.durability());
    let result = dbm.update(update).await;
    if any && result.is_ok() {
        dbm.changed(Changed::Any);
    }
    let status = match result {
        Ok(kept) if kept.is_empty() => success(),
        Ok(_) => plain(StatusCode::DuplicationError),
        Err(error) => failure(&error),
    };
    SetMultiResponse { status }
}

pub(super) async fn remove(dbm: &Served, request: RemoveMultiRequest) -> RemoveMultiResponse {
    let any = !request.keys.is_empty();
    let update = dbm.records().remove_many(request.keys, dbm.durability());
    let result = dbm.update(update).await;
    if any && result.is_ok() {
        dbm.changed(Changed::Any);
    }
    let status = match result {
        Ok(missing) if missing.is_empty() => success(),
        Ok(_) => plain(StatusCode::NotFoundError),
        Err(error) => failure(&error),
    };
    RemoveMultiResponse { status }
}

pub(super) async fn append(dbm: &Served, request: AppendMultiRequest) -> AppendMultiResponse {
    let records = pairs(request.records);
    let any = !records.is_empty();
    let growing = dbm.growing();
    let update = growing.append_many(records, &request.delim, dbm.durability());
    let result = dbm.update(update).await;
    if any && result.is_ok() {
        dbm.changed(Changed::Any);
    }
    let status = match result {
        Ok(()) => success(),
        Err(error) => failure(&error),
    };
    AppendMultiResponse { status }
}

pub(super) async fn compare_exchange(
    dbm: &Served,
    request: CompareExchangeMultiRequest,
) -> CompareExchangeMultiResponse {
    let expected: Vec<(Bytes, Expected)> = request.expected.into_iter().map(expected).collect();
    // Whether any value would do means nothing in what is desired.
    let desired = request.desired.into_iter();
    let desired: Vec<(Bytes, Option<Bytes>)> =
        desired.map(|state| (state.key, state.existence.then_some(state.value))).collect();
    let update = dbm.records().compare_exchange_many(&expected, &desired, dbm.durability());
    let status = match dbm.update(update).await {
        Ok(true) => {
            if !desired.is_empty() {
                dbm.changed(Changed::Any);
            }
            success()
        }
        Ok(false) => plain(StatusCode::InfeasibleError),
        Err(error) => failure(&error),
    };
    CompareExchangeMultiResponse { status }
}

fn expected(state: RecordState) -> (Bytes, Expected) {
    let expected = match (state.existence, state.any_value) {
        (false, _) => Expected::Absent,
        (true, true) => Expected::Any,
        (true, false) => Expected::Is(state.value),
    };
    (state.key, expected)
}

fn pairs(records: Vec<BytesPair>) -> Vec<(Bytes, Bytes)> {
    records.into_iter().map(|pair| (pair.first, pair.second)).collect()
}
