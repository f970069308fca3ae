//! The rpc `Iterate`: moving through a DBM, step by step.

use bytes::Bytes;
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::iterate_request::OpType;
use hozo_proto::tkrzw_rpc::{IterateRequest, IterateResponse};
use hozo_traits::Result;
use tonic::{Status, Streaming};

use super::access::{Access, Right};
use super::answers::{Answers, Next, Requests};
use super::call::Call;
use super::cursor::Cursor;
use super::status::{failure, plain, success};

pub(super) fn serve(
    call: Call,
    access: Access,
    streaming: Streaming<IterateRequest>,
) -> Answers<IterateResponse> {
    Answers::new(|out| async move {
        let service = call.service();
        let mut requests = Requests::new(streaming, &service.options.stopping);
        let mut cursor: Option<Cursor<'_>> = None;
        while let Next::Request(request) = requests.next().await? {
            let operation = OpType::try_from(request.operation);
            let right = match operation {
                Ok(OpType::OpSet | OpType::OpRemove) => Right::Write,
                _ => Right::Read,
            };
            let dbm = service.dbm(&access, request.dbm_index, right)?;
            let operation = operation.map_err(|_| Status::invalid_argument("unknown operation"))?;
            let cursor = match &mut cursor {
                Some(cursor) if cursor.dbm().index == dbm.index => cursor,
                other => other.insert(Cursor::new(dbm)),
            };
            if matches!(operation, OpType::OpGet | OpType::OpStep) {
                // Before anything is done: the answers to what came before go out
                // together with this one.
                service.options.crowd.let_in()?;
            }
            let response = match answer(cursor, operation, request).await {
                Ok(response) => response,
                Err(error) => with_status(failure(&error)),
            };
            out.give(response).await;
        }
        Ok(())
    })
}

async fn answer(
    cursor: &mut Cursor<'_>,
    operation: OpType,
    request: IterateRequest,
) -> Result<IterateResponse> {
    let IterateRequest { key, value, jump_inclusive, omit_key, omit_value, .. } = request;
    let at_one = match operation {
        OpType::OpNone => return Ok(IterateResponse::default()),
        OpType::OpFirst => cursor.first().await.map(|()| true)?,
        OpType::OpLast => cursor.last().await.map(|()| true)?,
        OpType::OpJump => cursor.jump(key).await?,
        OpType::OpJumpLower => cursor.jump_lower(key, jump_inclusive).await.map(|()| true)?,
        OpType::OpJumpUpper => cursor.jump_upper(key, jump_inclusive).await.map(|()| true)?,
        OpType::OpNext => cursor.next().await?,
        OpType::OpPrevious => cursor.previous().await?,
        OpType::OpSet => cursor.set(value).await?,
        OpType::OpRemove => cursor.remove().await?,
        OpType::OpGet | OpType::OpStep => {
            let Some((key, value)) = cursor.get().await? else {
                return Ok(with_status(plain(StatusCode::NotFoundError)));
            };
            if operation == OpType::OpStep {
                cursor.next().await?;
            }
            let key = if omit_key { Bytes::new() } else { key };
            let value = if omit_value { Bytes::new() } else { value };
            return Ok(IterateResponse { status: success(), key, value });
        }
    };
    let status = if at_one { success() } else { plain(StatusCode::NotFoundError) };
    Ok(with_status(status))
}

fn with_status(status: Option<hozo_proto::tkrzw_rpc::StatusProto>) -> IterateResponse {
    IterateResponse { status, key: Bytes::new(), value: Bytes::new() }
}
