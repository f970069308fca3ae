//! Large messages.

use hozo_proto::StatusCode::Success;
use hozo_proto::tkrzw_rpc::*;
use tonic::Code;

use super::Clause;
use crate::kit::{Kit, b, code};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("a_value_of_three_mebibytes", large),
    Clause::new("a_message_over_the_limit_is_refused", too_large),
    Clause::new("large_values_in_a_stream", large_in_a_stream),
];

const MIB: usize = 1 << 20;

fn set(kit: &Kit, key: &str, bytes: usize) -> SetRequest {
    let value = b(vec![b'v'; bytes]);
    SetRequest { dbm_index: kit.index, key: b(key), value, overwrite: true }
}

fn large(kit: &Kit) {
    let answer = kit.set(set(kit, "key", 3 * MIB)).expect("answered");
    assert_eq!(code(&answer.status), Success, "{answer:?}");
    assert_eq!(kit.value("key").map(|value| value.len()), Some(3 * MIB));
}

fn too_large(kit: &Kit) {
    kit.put("key", "before");
    for bytes in [4 * MIB, 6 * MIB] {
        let error = kit.set(set(kit, "key", bytes)).expect_err("over the limit");
        assert_eq!(error.code(), Code::ResourceExhausted, "{error:?}");
    }
    assert_eq!(kit.value("key"), Some(b("before")));
}

fn large_in_a_stream(kit: &Kit) {
    let ask = |request| StreamRequest { omit_response: false, request_oneof: Some(request) };
    let mut requests = Vec::new();
    for n in 0..8 {
        let key = format!("{n}");
        requests.push(ask(stream_request::RequestOneof::SetRequest(set(kit, &key, 2 * MIB))));
        let get = GetRequest { dbm_index: kit.index, key: b(key), omit_value: false };
        requests.push(ask(stream_request::RequestOneof::GetRequest(get)));
    }
    let answers = kit.stream(requests).expect("answered");
    let lengths = answers.iter().filter_map(|answer| match &answer.response_oneof {
        Some(stream_response::ResponseOneof::GetResponse(get)) => Some(get.value.len()),
        _ => None,
    });
    assert_eq!(lengths.collect::<Vec<_>>(), [2 * MIB; 8]);
}
