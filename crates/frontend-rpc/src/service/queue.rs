//! A DBM as a queue: values are pushed at its end and taken from its beginning.

use bytes::Bytes;
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::{PopFirstRequest, PopFirstResponse, PushLastRequest, PushLastResponse};
use hozo_traits::{Ambient, KvStoreExt, push_time};

use super::dbm::{Changed, Served};
use super::status::{failure, plain, success};

/// Hundred-millionths of a second, which keys count, in a microsecond.
const TICKS_PER_MICRO: u64 = 100;

pub(super) async fn push_last(
    dbm: &Served,
    request: PushLastRequest,
    ambient: &dyn Ambient,
) -> PushLastResponse {
    let from = if request.wtime < 0.0 {
        ambient.now().as_micros().saturating_mul(TICKS_PER_MICRO)
    } else {
        push_time(request.wtime)
    };
    let update = dbm.records().push_last(request.value, from, dbm.durability());
    let status = match dbm.update(update).await {
        Ok(key) => {
            dbm.changed(Changed::Set(&key));
            success()
        }
        Err(error) => failure(&error),
    };
    PushLastResponse { status }
}

/// Takes the first record once, without waiting.
pub(super) async fn pop_first(dbm: &Served, request: &PopFirstRequest) -> PopFirstResponse {
    let update = dbm.records().pop_first(dbm.durability());
    let (key, value) = match dbm.update(update).await {
        Ok(Some(record)) => record,
        Ok(None) => return empty(plain(StatusCode::NotFoundError)),
        Err(error) => return empty(failure(&error)),
    };
    dbm.changed(Changed::Removed(&key));
    // There may be more for those who wait.
    dbm.waiters.wake_next();
    PopFirstResponse {
        status: success(),
        key: if request.omit_key { Bytes::new() } else { key },
        value: if request.omit_value { Bytes::new() } else { value },
    }
}

fn empty(status: Option<hozo_proto::tkrzw_rpc::StatusProto>) -> PopFirstResponse {
    PopFirstResponse { status, key: Bytes::new(), value: Bytes::new() }
}

/// Whether nothing was taken only because there is no record.
pub(super) fn is_empty(response: &PopFirstResponse) -> bool {
    let code = response.status.as_ref().map_or(0, |status| status.code);
    code == StatusCode::NotFoundError.as_i32()
}
