//! Operations on a DBM as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::{
    ClearResponse, CountResponse, GetFileSizeResponse, RebuildRequest, RebuildResponse,
    SearchRequest, SearchResponse, ShouldBeRebuiltResponse, StatusProto, StringPair,
    SynchronizeRequest, SynchronizeResponse,
};
use hozo_records::{Mode, search_within};
use hozo_traits::{KvStoreExt, Result};
use tokio::time::Instant;
use tonic::Status;

use super::Inner;
use super::dbm::{Changed, Served};
use super::status::{failure, success};
use super::tuning::is_known;

/// The parameter that asks for a copy.
pub(super) const MAKE_BACKUP: &str = "make_backup";

pub(super) async fn count(dbm: &Served) -> CountResponse {
    match dbm.checked(dbm.records().count().await) {
        Ok(count) => CountResponse { status: success(), count: signed(count) },
        Err(error) => CountResponse { status: failure(&error), count: 0 },
    }
}

/// What is in memory has no file; Tkrzw's clients expect to be told so.
pub(super) async fn file_size(dbm: &Served) -> GetFileSizeResponse {
    if !dbm.records().capabilities().persistent {
        let status = StatusCode::PreconditionError.with("the store is in memory and has no file");
        return GetFileSizeResponse { status: Some(status), file_size: 0 };
    }
    match dbm.checked(dbm.records().sizes().await) {
        Ok(sizes) => GetFileSizeResponse { status: success(), file_size: signed(sizes.file_bytes) },
        Err(error) => GetFileSizeResponse { status: failure(&error), file_size: 0 },
    }
}

pub(super) async fn should_be_rebuilt(dbm: &Served) -> ShouldBeRebuiltResponse {
    match dbm.checked(dbm.records().sizes().await) {
        Ok(sizes) => ShouldBeRebuiltResponse { status: success(), tobe: sizes.should_be_rebuilt },
        Err(error) => ShouldBeRebuiltResponse { status: failure(&error), tobe: false },
    }
}

/// The protocol's numbers have a sign; no store has records or bytes that many.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Whose rebuild is under way, until this is dropped.
struct Rebuilding(Arc<AtomicBool>);

impl Drop for Rebuilding {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Inner {
    pub(super) async fn clear(&self, dbm: &Served) -> Result<ClearResponse, Status> {
        let (records, durability) = (Arc::clone(&dbm.dbm.records), dbm.durability());
        let clearing = self.long(move |_| async move { records.clear(durability).await });
        let result = dbm.update_long(clearing).await?;
        if result.is_ok() {
            dbm.changed(Changed::Any);
        }
        Ok(ClearResponse { status: done(result) })
    }

    pub(super) async fn rebuild(
        &self,
        dbm: &Served,
        request: RebuildRequest,
    ) -> Result<RebuildResponse, Status> {
        if let Some(unknown) = request.params.iter().find(|param| !is_known(&param.first)) {
            let message = format!("unsupported parameter: {}", unknown.first);
            let status = Some(StatusCode::InvalidArgumentError.with(message));
            return Ok(RebuildResponse { status });
        }
        // One is enough: a second is answered at once, as Tkrzw does.
        if dbm.rebuilding.swap(true, Ordering::Acquire) {
            return Ok(RebuildResponse { status: success() });
        }
        let rebuilding = Rebuilding(Arc::clone(&dbm.rebuilding));
        let records = Arc::clone(&dbm.dbm.records);
        // It ends with the work, which goes on for a while after who asked for it.
        let rebuild = |_| async move {
            let _rebuilding = rebuilding;
            records.rebuild().await
        };
        let result = self.long(rebuild).await?;
        Ok(RebuildResponse { status: done(dbm.updated(result)) })
    }

    /// Puts everything on stable storage, asked for softly or not.
    pub(super) async fn synchronise(
        &self,
        dbm: &Served,
        request: SynchronizeRequest,
    ) -> Result<SynchronizeResponse, Status> {
        let records = Arc::clone(&dbm.dbm.records);
        let result = self.long(move |_| async move { records.synchronise().await }).await?;
        let status = match dbm.updated(result) {
            Ok(()) if asks_for_copy(&request.params) => Some(no_copy(dbm)),
            result => done(result),
        };
        Ok(SynchronizeResponse { status })
    }

    pub(super) async fn search(
        &self,
        dbm: &Served,
        request: SearchRequest,
    ) -> Result<SearchResponse, Status> {
        let mode: Mode = match request.mode.parse() {
            Ok(mode) => mode,
            Err(error) => return Ok(SearchResponse { status: failure(&error), matched: vec![] }),
        };
        let (bytes_max, time_max) = (self.options.message_bytes_max, self.options.search_time_max);
        let records = Arc::clone(&dbm.dbm.records);
        let SearchRequest { pattern, capacity, .. } = request;
        let found = self
            .long(move |wanted| async move {
                // From when it has its turn.
                let end = Instant::now() + time_max;
                let go_on = || wanted.until(end);
                search_within(&*records, mode, &pattern, capacity, bytes_max, &go_on).await
            })
            .await?;
        let matched = match dbm.checked(found) {
            Ok(matched) => matched,
            Err(error) => return Ok(SearchResponse { status: failure(&error), matched: vec![] }),
        };
        Ok(SearchResponse { status: success(), matched })
    }
}

/// Why there is no copy. The words for a store without files are Tkrzw's.
fn no_copy(dbm: &Served) -> StatusProto {
    if !dbm.records().capabilities().persistent {
        return StatusCode::InfeasibleError.with("no file is associated");
    }
    StatusCode::NotImplementedError.with(
        "make_backup is not implemented: `hozo dbm export FILE` writes the records to a file \
         while others go on",
    )
}

pub(super) fn asks_for_copy(params: &[StringPair]) -> bool {
    params.iter().any(|param| param.first == MAKE_BACKUP)
}

fn done(result: Result<()>) -> Option<StatusProto> {
    match result {
        Ok(()) => success(),
        Err(error) => failure(&error),
    }
}
