//! The rpc `Stream`: many operations in order.

use hozo_proto::tkrzw_rpc::stream_request::RequestOneof;
use hozo_proto::tkrzw_rpc::stream_response::ResponseOneof;
use hozo_proto::tkrzw_rpc::{EchoResponse, StreamRequest, StreamResponse};
use hozo_traits::Durability;
use tonic::{Status, Streaming};

use super::access::{Access, Right};
use super::answers::{Answers, Next, Out, Requests};
use super::call::Call;
use super::dbm::Served;
use super::held::{Held, status};
use super::status::success;
use super::{Inner, single};

/// Requests without answers that are done in a row before other tasks have
/// their turn.
const ROW_MAX: usize = 256;

/// What became of a request.
pub(super) struct Done {
    pub(super) response: ResponseOneof,
    /// The DBM that was updated and promises more than the update did: it is to
    /// be synchronised before this is answered.
    pub(super) unsynced: Option<usize>,
}

pub(super) fn serve(
    call: Call,
    access: Access,
    streaming: Streaming<StreamRequest>,
) -> Answers<StreamResponse> {
    Answers::new(|out| async move {
        let service = call.service();
        let mut requests = Requests::new(streaming, &service.options.stopping);
        let mut held = Held::default();
        let talked = talk(service, &access, &mut requests, &mut held, &out).await;
        // What was done before a failure is answered before it.
        held.give(service, &out).await;
        talked
    })
}

async fn talk(
    service: &Inner,
    access: &Access,
    requests: &mut Requests<StreamRequest>,
    held: &mut Held,
    out: &Out<StreamResponse>,
) -> Result<(), Status> {
    let mut row = 0;
    loop {
        let next = if held.is_empty() {
            requests.next().await?
        } else if held.is_full() {
            Next::NotYet
        } else {
            requests.arrived().await?
        };
        let request = match next {
            Next::Request(request) => request,
            Next::NotYet => {
                held.give(service, out).await;
                continue;
            }
            Next::End => return Ok(()),
        };
        let omit = request.omit_response;
        access.holds()?;
        if !omit && answers_bytes(&request) {
            service.options.crowd.let_in()?;
        }
        let done = service.one(access, request).await?;
        if done.unsynced.is_some() || !held.is_empty() {
            held.hold(done, omit);
        } else if !omit {
            row = 0;
            out.give(StreamResponse { response_oneof: Some(done.response) }).await;
        }
        row += usize::from(omit);
        if row >= ROW_MAX {
            row = 0;
            tokio::task::yield_now().await;
        }
    }
}

impl Inner {
    /// One operation. Waiting for records, and waking who waits, is for calls of
    /// their own: here the first is ignored.
    async fn one(&self, access: &Access, request: StreamRequest) -> Result<Done, Status> {
        let Some(request) = request.request_oneof else {
            return Err(Status::invalid_argument("unknow request"));
        };
        let read = |index| self.dbm(access, index, Right::Read);
        let write = |index| self.dbm(access, index, Right::Write);
        Ok(match request {
            RequestOneof::EchoRequest(request) => Done {
                response: ResponseOneof::EchoResponse(EchoResponse {
                    status: success(),
                    echo: request.message,
                }),
                unsynced: None,
            },
            RequestOneof::GetRequest(request) => {
                let response = single::get(read(request.dbm_index)?, request).await;
                Done { response: ResponseOneof::GetResponse(response), unsynced: None }
            }
            RequestOneof::SetRequest(request) => {
                let dbm = write(request.dbm_index)?;
                let response = single::set(dbm, request, Durability::Sequenced).await;
                updated(dbm, true, ResponseOneof::SetResponse(response))
            }
            RequestOneof::RemoveRequest(request) => {
                let dbm = write(request.dbm_index)?;
                let response = single::remove(dbm, request, Durability::Sequenced).await;
                updated(dbm, true, ResponseOneof::RemoveResponse(response))
            }
            RequestOneof::AppendRequest(request) => {
                let dbm = write(request.dbm_index)?;
                let response = single::append(dbm, request, Durability::Sequenced).await;
                updated(dbm, true, ResponseOneof::AppendResponse(response))
            }
            RequestOneof::CompareExchangeRequest(request) => {
                let dbm = write(request.dbm_index)?;
                let response = single::compare_exchange(dbm, &request, Durability::Sequenced).await;
                // Removing what is not there is no change.
                let desires = request.desired_existence || response.found;
                let changes = desires && !request.desire_no_update;
                updated(dbm, changes, ResponseOneof::CompareExchangeResponse(response))
            }
            RequestOneof::IncrementRequest(request) => {
                let dbm = write(request.dbm_index)?;
                let changes = request.increment != i64::MIN;
                let response = single::increment(dbm, request, Durability::Sequenced).await;
                updated(dbm, changes, ResponseOneof::IncrementResponse(response))
            }
        })
    }
}

/// Whether the answer may be large. If so there must be room before anything is
/// done: the answers to what came before go out together with it.
fn answers_bytes(request: &StreamRequest) -> bool {
    match &request.request_oneof {
        Some(RequestOneof::GetRequest(request)) => !request.omit_value,
        Some(RequestOneof::CompareExchangeRequest(request)) => request.get_actual,
        Some(RequestOneof::EchoRequest(_)) => true,
        _ => false,
    }
}

/// What is to be synchronised if it `changes` something and was done.
fn updated(dbm: &Served, changes: bool, response: ResponseOneof) -> Done {
    let is_done = status(&response).as_ref().is_none_or(|status| status.code == 0);
    let unsynced = changes && is_done && dbm.durability() == Durability::Durable;
    Done { unsynced: unsynced.then_some(dbm.index), response }
}
