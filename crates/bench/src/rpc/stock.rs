//! Putting records into a server before it is measured, and taking them out
//! afterwards.

use bytes::Bytes;
use hozo::traits::{Error, ErrorKind, Result};
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::{
    BytesPair, RemoveMultiRequest, RemoveMultiResponse, SetMultiRequest, SetMultiResponse,
    StatusProto,
};
use prost::Message;
use tokio::runtime::Builder;
use tokio::time::{Duration, timeout};

use super::call::unary;
use super::connection::Connection;
use super::records::Records;
use super::requests::{done, frame};
use super::server::Server;
use super::trouble::Trouble;

/// How much is put into one request; far below gRPC's usual limit of 4 MiB.
const BATCH_BYTES: usize = 512 << 10;
const BATCH_RECORDS_MAX: u64 = 4_000;
/// How long one of them may take.
const BATCH_MAX: Duration = Duration::from_secs(60);

/// Puts in all records, whatever was there under their keys.
pub(super) fn fill(
    server: &Server,
    records: &Records,
    progress: &mut dyn FnMut(f64),
) -> Result<()> {
    let request = |numbers: std::ops::Range<u64>| {
        let pair = |number| BytesPair { first: records.key(number), second: records.value(number) };
        let records = numbers.map(pair).collect();
        frame(&SetMultiRequest { dbm_index: server.dbm_index, records, overwrite: true })
    };
    let check = |answer| {
        let answer = SetMultiResponse::decode(answer).map_err(broken)?;
        done(answer.status)
    };
    let failed = "the records cannot be put into the server";
    in_batches(server, records, "SetMulti", &request, &check, progress).map_err(because(failed))
}

/// Takes them out again, with the counters of so many lanes.
pub(super) fn clear(server: &Server, records: &Records, lanes: usize) -> Result<()> {
    let request = |numbers: std::ops::Range<u64>| {
        // Counters are few, and go with the first batch.
        let counters = if numbers.start == 0 { 0..lanes } else { 0..0 };
        let counters = counters.map(|lane| records.counter(lane as u64));
        let keys = numbers.map(|number| records.key(number)).chain(counters).collect();
        frame(&RemoveMultiRequest { dbm_index: server.dbm_index, keys })
    };
    let check = |answer| {
        let answer = RemoveMultiResponse::decode(answer).map_err(broken)?;
        let gone = |status: &StatusProto| status.status_code() == StatusCode::NotFoundError;
        done(answer.status.filter(|status| !gone(status)))
    };
    let failed = "the records cannot be taken out of the server again";
    in_batches(server, records, "RemoveMulti", &request, &check, &mut |_| ())
        .map_err(because(failed))
}

fn in_batches(
    server: &Server,
    records: &Records,
    method: &str,
    request: &dyn Fn(std::ops::Range<u64>) -> Bytes,
    check: &dyn Fn(Bytes) -> Result<(), Trouble>,
    progress: &mut dyn FnMut(f64),
) -> Result<(), Failed> {
    let record_bytes = records.key_bytes() + records.value_bytes() + 16;
    let batch = ((BATCH_BYTES / record_bytes) as u64).clamp(1, BATCH_RECORDS_MAX);
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Failed::runtime)?;
    runtime.block_on(async {
        let connection = Connection::open(server).await.map_err(Failed::Unreached)?;
        let (sender, head) = (connection.sender(), connection.head(method));
        let mut from = 0;
        while from < records.count {
            let to = (from + batch).min(records.count);
            let call = unary(&sender, &head, request(from..to));
            let answer = match timeout(BATCH_MAX, call).await {
                Ok(answer) => answer?,
                Err(_) => return Err(Trouble::of("timed out", "after a minute").into()),
            };
            check(answer)?;
            from = to;
            progress(from as f64 / records.count as f64);
        }
        Ok(())
    })
}

fn broken(e: prost::DecodeError) -> Trouble {
    Trouble::garbage(e.to_string())
}

enum Failed {
    Unreached(Error),
    Refused(Trouble),
}

impl Failed {
    fn runtime(e: std::io::Error) -> Self {
        let what = "no runtime can be made to speak to the server";
        Failed::Unreached(Error::new(ErrorKind::Unavailable, what).caused_by(e))
    }
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Failed::Refused(trouble)
    }
}

fn because(what: &'static str) -> impl Fn(Failed) -> Error {
    move |failed| match failed {
        Failed::Unreached(e) => e,
        Failed::Refused(trouble) => trouble.into_error(what),
    }
}
