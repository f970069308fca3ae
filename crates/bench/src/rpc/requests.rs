//! Requests, encoded once: what differs from one to the next is put in.

use bytes::{BufMut, Bytes, BytesMut};
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof;
use hozo_proto::tkrzw_rpc::stream_response::ResponseOneof;
use hozo_proto::tkrzw_rpc::{
    EchoRequest, EchoResponse, GetRequest, GetResponse, IncrementRequest, IncrementResponse,
    SetRequest, SetResponse, StatusProto, StreamRequest, StreamResponse,
};
use prost::Message;

use super::call::PREFIX_BYTES;
use super::case::{Case, Mode, Workload};
use super::records::Records;
use super::trouble::Trouble;
use crate::latency::Op;
use crate::random::Random;

#[cfg(test)]
mod tests;

/// Methods by name, in unary mode.
pub(super) const METHODS: [&str; 4] = ["Get", "Set", "Increment", "Echo"];
const GET: usize = 0;
const SET: usize = 1;
const INCREMENT: usize = 2;
const ECHO: usize = 3;

/// What requests of a case are made from.
pub(super) struct Requests {
    records: Records,
    workload: Workload,
    mode: Mode,
    dbm_index: i32,
    get: Template,
    set: Template,
    echo: Bytes,
}

/// A request, ready to be sent.
pub(super) struct Made {
    /// For histograms.
    pub(super) op: Op,
    /// Its place in [`METHODS`].
    pub(super) method: usize,
    /// The message, framed.
    pub(super) message: Bytes,
    /// What the answer must be.
    pub(super) expected: Expected,
}

/// What an answer must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expected {
    /// A value of the record of this number.
    ValueOf(u64),
    /// Only that it was done.
    Done,
    /// One more than the lane's last.
    Next,
    /// What was sent.
    Same,
}

/// What one lane of a connection knows.
pub(super) struct Lane {
    random: Random,
    /// The message that adds one to its counter.
    increment: Bytes,
    /// What the counter came to; not known at first, and after an error.
    counted: Option<i64>,
}

impl Requests {
    pub(super) fn new(case: &Case, records: Records, dbm_index: i32) -> Self {
        let mode = case.mode;
        // What is replaced has the length of what it is replaced by.
        let key = Bytes::from(vec![0xAA; records.key_bytes()]);
        let value = Bytes::from(vec![0xBB; records.value_bytes()]);
        let get = GetRequest { dbm_index, key: key.clone(), ..Default::default() };
        let set = SetRequest { dbm_index, key: key.clone(), value: value.clone(), overwrite: true };
        let message = "e".repeat(case.value_bytes);
        Requests {
            get: Template::new(framed(mode, RequestOneof::GetRequest(get)), &key, &[]),
            set: Template::new(framed(mode, RequestOneof::SetRequest(set)), &key, &value),
            echo: framed(mode, RequestOneof::EchoRequest(EchoRequest { message })),
            workload: case.workload,
            records,
            mode,
            dbm_index,
        }
    }

    /// A lane; the number is its own among all of the case.
    pub(super) fn lane(&self, number: u64, seed: u64) -> Lane {
        let request = IncrementRequest {
            dbm_index: self.dbm_index,
            key: self.records.counter(number),
            increment: 1,
            initial: 0,
        };
        Lane {
            random: Random::part(seed, number),
            increment: framed(self.mode, RequestOneof::IncrementRequest(request)),
            counted: None,
        }
    }

    /// The lane's next request.
    pub(super) fn next(&self, lane: &mut Lane) -> Made {
        match self.workload {
            Workload::Get => self.get(&mut lane.random),
            Workload::Set => self.set(&mut lane.random),
            Workload::Mixed(gets) if lane.random.below(100) < u64::from(gets) => {
                self.get(&mut lane.random)
            }
            Workload::Mixed(_) => self.set(&mut lane.random),
            Workload::Increment => Made {
                op: Op::ReadModifyWrite,
                method: INCREMENT,
                message: lane.increment.clone(),
                expected: Expected::Next,
            },
            Workload::Echo => Made {
                op: Op::Read,
                method: ECHO,
                message: self.echo.clone(),
                expected: Expected::Same,
            },
        }
    }

    fn get(&self, random: &mut Random) -> Made {
        let number = random.below(self.records.count);
        let mut message = BytesMut::from(&*self.get.bytes);
        self.records.write_key(number, self.get.key(&mut message));
        Made {
            op: Op::Read,
            method: GET,
            message: message.freeze(),
            expected: Expected::ValueOf(number),
        }
    }

    fn set(&self, random: &mut Random) -> Made {
        let number = random.below(self.records.count);
        let mut message = BytesMut::from(&*self.set.bytes);
        self.records.write_key(number, self.set.key(&mut message));
        let version = random.next_u64() as u32;
        self.records.write_value(number, version, self.set.value(&mut message));
        Made { op: Op::Update, method: SET, message: message.freeze(), expected: Expected::Done }
    }

    /// Judges an answer.
    pub(super) fn check(
        &self,
        made: Expected,
        method: usize,
        lane: &mut Lane,
        answer: Bytes,
    ) -> Result<(), Trouble> {
        match opened(self.mode, method, answer)? {
            ResponseOneof::GetResponse(answer) => {
                done(answer.status)?;
                match made {
                    Expected::ValueOf(number) if self.records.is_value(number, &answer.value) => {
                        Ok(())
                    }
                    _ => Err(wrong(format!("the value has {} bytes", answer.value.len()))),
                }
            }
            ResponseOneof::SetResponse(answer) if made == Expected::Done => done(answer.status),
            ResponseOneof::IncrementResponse(answer) if made == Expected::Next => {
                let last = lane.counted.take();
                done(answer.status)?;
                lane.counted = Some(answer.current);
                match last {
                    Some(last) if answer.current != last.wrapping_add(1) => {
                        Err(wrong(format!("the counter went from {last} to {}", answer.current)))
                    }
                    _ => Ok(()),
                }
            }
            ResponseOneof::EchoResponse(answer) if made == Expected::Same => {
                done(answer.status)?;
                let same = self.echo.ends_with(answer.echo.as_bytes())
                    && answer.echo.len() == self.records.value_bytes();
                if same { Ok(()) } else { Err(wrong("the echo is another".to_owned())) }
            }
            _ => Err(Trouble::garbage("the answer is to another request")),
        }
    }
}

fn wrong(message: String) -> Trouble {
    Trouble::of("wrong value", message)
}

/// Whether a status is success. None at all is, too: zero is not sent.
pub(super) fn done(status: Option<StatusProto>) -> Result<(), Trouble> {
    match status {
        Some(status) if status.code != StatusCode::Success.as_i32() => {
            Err(Trouble::of(status.status_code().name(), status.message))
        }
        _ => Ok(()),
    }
}

/// The answer that a message has.
fn opened(mode: Mode, method: usize, message: Bytes) -> Result<ResponseOneof, Trouble> {
    let broken = |e: prost::DecodeError| Trouble::garbage(e.to_string());
    if mode == Mode::Stream {
        let answer = StreamResponse::decode(message).map_err(broken)?;
        return answer.response_oneof.ok_or_else(|| Trouble::garbage("the answer is empty"));
    }
    Ok(match method {
        GET => ResponseOneof::GetResponse(GetResponse::decode(message).map_err(broken)?),
        SET => ResponseOneof::SetResponse(SetResponse::decode(message).map_err(broken)?),
        INCREMENT => {
            ResponseOneof::IncrementResponse(IncrementResponse::decode(message).map_err(broken)?)
        }
        _ => ResponseOneof::EchoResponse(EchoResponse::decode(message).map_err(broken)?),
    })
}

/// A request as the mode has it, framed.
fn framed(mode: Mode, request: RequestOneof) -> Bytes {
    if mode == Mode::Stream {
        return frame(&StreamRequest { omit_response: false, request_oneof: Some(request) });
    }
    match request {
        RequestOneof::GetRequest(request) => frame(&request),
        RequestOneof::SetRequest(request) => frame(&request),
        RequestOneof::IncrementRequest(request) => frame(&request),
        RequestOneof::EchoRequest(request) => frame(&request),
        RequestOneof::RemoveRequest(request) => frame(&request),
        RequestOneof::AppendRequest(request) => frame(&request),
        RequestOneof::CompareExchangeRequest(request) => frame(&request),
    }
}

/// A message with its prefix.
pub(super) fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + length);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length).expect("messages are far below 4 GiB"));
    message.encode(&mut framed).expect("there is room");
    framed.freeze()
}

/// A message with places for a key and a value.
struct Template {
    bytes: Bytes,
    key: std::ops::Range<usize>,
    value: std::ops::Range<usize>,
}

impl Template {
    fn new(bytes: Bytes, key: &[u8], value: &[u8]) -> Self {
        let place = |of: &[u8], from: usize| {
            let found = bytes[from..].windows(of.len().max(1)).position(|part| part == of);
            let at = found.map_or(bytes.len(), |at| from + at);
            at..at + of.len()
        };
        let key = place(key, 0);
        let value = if value.is_empty() { 0..0 } else { place(value, key.end) };
        Template { bytes, key, value }
    }

    fn key<'b>(&self, message: &'b mut [u8]) -> &'b mut [u8] {
        &mut message[self.key.clone()]
    }

    fn value<'b>(&self, message: &'b mut [u8]) -> &'b mut [u8] {
        &mut message[self.value.clone()]
    }
}
