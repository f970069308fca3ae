//! Answers of a stream that wait for stable storage together.

use hozo_proto::tkrzw_rpc::stream_response::ResponseOneof;
use hozo_proto::tkrzw_rpc::{StatusProto, StreamResponse};

use super::Inner;
use super::answers::Out;
use super::status::failure;
use super::stream::Done;

/// Answers that are held back, and their bytes.
const HELD_MAX: usize = 1024;
const HELD_BYTES_MAX: usize = 1 << 20;

/// Where a DBM answers only what is on stable storage, the updates that arrived
/// together are made one after the other and synchronised once, and then
/// answered. Answers to whatever else came between wait with them, for order.
#[derive(Default)]
pub(super) struct Held {
    answers: Vec<(Done, bool)>,
    bytes: usize,
    /// The DBMs to synchronise, each once.
    unsynced: Vec<usize>,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.answers.len() >= HELD_MAX || self.bytes >= HELD_BYTES_MAX
    }

    pub(super) fn hold(&mut self, done: Done, omit: bool) {
        self.bytes += done.response.encoded_len();
        if let Some(index) = done.unsynced
            && !self.unsynced.contains(&index)
        {
            self.unsynced.push(index);
        }
        self.answers.push((done, omit));
    }

    /// Synchronises what is to be, and answers.
    pub(super) async fn give(&mut self, service: &Inner, out: &Out<StreamResponse>) {
        for index in std::mem::take(&mut self.unsynced) {
            let dbm = &service.dbms[index];
            if let Err(error) = dbm.updated(dbm.records().synchronise().await) {
                let status = failure(&error);
                let answers = self.answers.iter_mut().map(|(done, _)| done);
                for done in answers.filter(|done| done.unsynced == Some(index)) {
                    *status_of(&mut done.response) = status.clone();
                }
            }
        }
        self.bytes = 0;
        for (done, omit) in std::mem::take(&mut self.answers) {
            if !omit {
                out.give(StreamResponse { response_oneof: Some(done.response) }).await;
            }
        }
    }
}

pub(super) fn status(response: &ResponseOneof) -> &Option<StatusProto> {
    match response {
        ResponseOneof::EchoResponse(response) => &response.status,
        ResponseOneof::GetResponse(response) => &response.status,
        ResponseOneof::SetResponse(response) => &response.status,
        ResponseOneof::RemoveResponse(response) => &response.status,
        ResponseOneof::AppendResponse(response) => &response.status,
        ResponseOneof::CompareExchangeResponse(response) => &response.status,
        ResponseOneof::IncrementResponse(response) => &response.status,
    }
}

fn status_of(response: &mut ResponseOneof) -> &mut Option<StatusProto> {
    match response {
        ResponseOneof::EchoResponse(response) => &mut response.status,
        ResponseOneof::GetResponse(response) => &mut response.status,
        ResponseOneof::SetResponse(response) => &mut response.status,
        ResponseOneof::RemoveResponse(response) => &mut response.status,
        ResponseOneof::AppendResponse(response) => &mut response.status,
        ResponseOneof::CompareExchangeResponse(response) => &mut response.status,
        ResponseOneof::IncrementResponse(response) => &mut response.status,
    }
}
