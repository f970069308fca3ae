//! Calls that are begun and not ended as they should be.

use hozo_conformance::Rng;
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof as Ask;
use hozo_proto::tkrzw_rpc::*;
use prost::Message;

use super::frames::*;
use crate::kit::Kit;
use crate::server::Server;

/// Requests of a stream that goes on and on.
const ENDLESS: usize = 100_000;

fn path(rpc: &str) -> String {
    format!("/tkrzw_rpc.DBMService/{rpc}")
}

fn any_path(rng: &mut Rng, rpcs: &[&str]) -> String {
    path(rpcs[rng.below(rpcs.len())])
}

/// More calls at once than one connection may have; then on many connections.
pub(super) fn thousands_of_streams(server: &Server, rng: &mut Rng) {
    let mut open = Vec::new();
    for n in 0..30 {
        let mut raw = Raw::greet(server.address());
        let rpc = any_path(rng, &["Stream", "Iterate", "Get", "PopFirst"]);
        let many = if n == 0 { 20_000 } else { 1000 };
        for stream in 0..many {
            if !raw.begin(2 * stream + 1, &rpc) {
                break;
            }
            raw.sip();
        }
        open.push(raw);
    }
}

/// Messages of 4 MiB, of which some came, and no more will.
pub(super) fn unfinished(server: &Server, _rng: &mut Rng) {
    let mut open = Vec::new();
    for _ in 0..35 {
        let mut raw = Raw::greet(server.address());
        let mut started = message(&vec![0; (4 << 20) - 100]);
        started.truncate(16_000);
        for stream in (1..200).step_by(2) {
            let said =
                raw.begin(stream, &path("Set")) && raw.say(&frame(DATA, 0, stream, &started));
            raw.sip();
            if !said {
                break;
            }
        }
        open.push(raw);
    }
}

/// The five bytes before a message say that it has 4 GiB, or that it is
/// compressed.
pub(super) fn huge_claims(server: &Server, rng: &mut Rng) {
    for _ in 0..100 {
        let mut raw = Raw::greet(server.address());
        let rpc = any_path(rng, &["Set", "Stream", "Iterate", "GetMulti"]);
        raw.begin(1, &rpc);
        let length = *rng.pick(&[u32::MAX, 1 << 31, (4 << 20) + 1]);
        let mut head = vec![rng.below(3) as u8];
        head.extend(length.to_be_bytes());
        head.extend(vec![0x0a; 10_000]);
        let flags = if rng.one_in(2) { END_STREAM } else { 0 };
        let _ = raw.say(&frame(DATA, flags, 1, &head))
            && (0..200).all(|_| raw.say(&frame(DATA, 0, 1, &[0; 16_000])));
        if rng.one_in(4) {
            raw.drain();
        }
    }
}

/// Protobuf that is none, to every call.
pub(super) fn nonsense(server: &Server, rng: &mut Rng) {
    let rpcs = [
        "Echo",
        "Inspect",
        "Get",
        "GetMulti",
        "Set",
        "SetMulti",
        "Append",
        "CompareExchange",
        "CompareExchangeMulti",
        "Rekey",
        "Search",
        "Stream",
        "Iterate",
        "Replicate",
        "Nothing",
    ];
    for _ in 0..40 {
        let mut raw = Raw::greet(server.address());
        for stream in (1..60).step_by(2) {
            let mut bytes = vec![0; rng.below(600)];
            rng.fill(&mut bytes);
            // Groups within groups, and lengths beyond the end.
            if rng.one_in(3) {
                bytes = vec![*rng.pick(&[0x0b, 0x0a, 0x12, 0xff]); 5000];
            }
            let said = raw.begin(stream, &any_path(rng, &rpcs))
                && raw.say(&frame(DATA, END_STREAM, stream, &message(&bytes)));
            raw.sip();
            if !said {
                break;
            }
        }
    }
}

/// Asks for 200 KiB again and again. The answers have no window; or they have one,
/// and the socket is not read.
pub(super) fn never_read(server: &Server, rng: &mut Rng) {
    let get = GetRequest { dbm_index: 0, key: "large".into(), omit_value: false };
    let ask = StreamRequest { omit_response: false, request_oneof: Some(Ask::GetRequest(get)) };
    let asked = message(&ask.encode_to_vec()).repeat(400);
    let first = |operation| IterateRequest { operation, ..Default::default() };
    let step = message(&first(11).encode_to_vec());
    let walked = [
        message(&first(1).encode_to_vec()),
        [step, message(&first(1).encode_to_vec())].concat().repeat(300),
    ]
    .concat();
    let mut open = Vec::new();
    for _ in 0..40 {
        let window = *rng.pick(&[0, 1 << 30]);
        let mut raw = Raw::greet_with(server.address(), &[(4, window)]);
        // All of the connection's window, too.
        raw.say(&frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes()));
        for stream in (1..40).step_by(2) {
            let (rpc, bytes) =
                if rng.one_in(2) { ("Stream", &asked) } else { ("Iterate", &walked) };
            let mut said = raw.begin(stream, &path(rpc));
            for part in bytes.chunks(2500) {
                said = said && raw.say(&frame(DATA, 0, stream, part));
            }
            if !said {
                break;
            }
        }
        open.push(raw);
    }
}

/// A stream that goes on, each request answered and read.
pub(super) fn endless_stream(server: &Server, _rng: &mut Rng) {
    let kit = Kit::as_is(server.address(), 0);
    let echo = EchoRequest { message: "on and on".repeat(20) };
    let ask = StreamRequest { omit_response: false, request_oneof: Some(Ask::EchoRequest(echo)) };
    let mut client = kit.client();
    let answered = kit.run(async move {
        let requests = tokio_stream::iter(std::iter::repeat_n(ask, ENDLESS));
        let mut answers = client.stream(requests).await.expect("begun").into_inner();
        let mut answered = 0;
        while answers.message().await.expect("answered").is_some() {
            answered += 1;
        }
        answered
    });
    assert_eq!(answered, ENDLESS);
}
