//! The protocol's numbers, written down a second time: as bytes on the wire.

use std::collections::BTreeMap;

use hozo_proto::tkrzw_rpc::*;
use hozo_proto::{FILE_DESCRIPTOR_SET, StatusCode};
use prost::Message;
use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::Type;

/// Both ways; `hex` may have spaces, for the eye.
#[track_caller]
fn wire<M: Message + Default + PartialEq + std::fmt::Debug>(message: M, hex: &str) {
    let encoded: String = message.encode_to_vec().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(encoded, hex.replace(' ', ""));
    let decoded = M::decode(message.encode_to_vec().as_slice());
    assert_eq!(decoded, Ok(message));
}

// The first byte of a field is its number times 8, plus 0 for integers and bools,
// 1 for a double and 2 for bytes, text and messages.

#[test]
fn requests_have_the_bytes_of_the_protocol() {
    wire(GetRequest { dbm_index: 1, key: "k".into(), omit_value: true }, "0801 12016b 1801");
    wire(
        SetRequest { dbm_index: 2, key: "k".into(), value: "v".into(), overwrite: true },
        "0802 12016b 1a0176 2001",
    );
    wire(
        CompareExchangeRequest {
            dbm_index: -1,
            key: "k".into(),
            expected_existence: true,
            expected_value: "e".into(),
            expect_any_value: true,
            desired_existence: true,
            desired_value: "d".into(),
            desire_no_update: true,
            get_actual: true,
            retry_wait: 1.0,
            notify: true,
        },
        "08ffffffffffffffffff01 12016b 1801 220165 2801 3001 3a0164 4001 4801 51000000000000f03f 5801",
    );
    wire(
        PushLastRequest { dbm_index: 0, value: "v".into(), wtime: -1.0, notify: true },
        "120176 19000000000000f0bf 2001",
    );
    wire(
        CompareExchangeMultiRequest {
            dbm_index: 0,
            expected: vec![RecordState {
                existence: true,
                key: "k".into(),
                value: "v".into(),
                any_value: true,
            }],
            desired: vec![RecordState::default()],
        },
        "120a 0801 12016b 1a0176 2001 1a00",
    );
}

#[test]
fn streams_have_the_bytes_of_the_protocol() {
    use stream_request::RequestOneof;
    let get = GetRequest { dbm_index: 1, key: "k".into(), omit_value: false };
    wire(
        StreamRequest { request_oneof: Some(RequestOneof::GetRequest(get)), omit_response: true },
        "1205 0801 12016b a80601",
    );
    let increment = IncrementRequest { dbm_index: 0, key: "k".into(), increment: 2, initial: 3 };
    wire(
        StreamRequest {
            request_oneof: Some(RequestOneof::IncrementRequest(increment)),
            omit_response: false,
        },
        "3a07 12016b 1802 2003",
    );
    wire(StreamRequest::default(), "");
    let found = CompareExchangeResponse { status: None, actual: "a".into(), found: true };
    wire(
        StreamResponse {
            response_oneof: Some(stream_response::ResponseOneof::CompareExchangeResponse(found)),
        },
        "3205 120161 1801",
    );
    wire(
        IterateRequest {
            dbm_index: 1,
            operation: iterate_request::OpType::OpStep as i32,
            key: "k".into(),
            value: "v".into(),
            jump_inclusive: true,
            omit_key: true,
            omit_value: true,
        },
        "0801 100b 1a016b 220176 2801 3001 3801",
    );
    wire(
        IterateResponse {
            status: Some(StatusCode::NotFoundError.with("no")),
            key: "k".into(),
            value: "v".into(),
        },
        "0a06 0807 12026e6f 12016b 1a0176",
    );
}

#[test]
fn replication_has_the_bytes_of_the_protocol() {
    wire(
        ReplicateRequest { min_timestamp: 300, server_id: 2, wait_time: -1.0 },
        "08ac02 1002 19000000000000f0bf",
    );
    wire(
        ReplicateResponse {
            status: Some(StatusCode::Success.with("")),
            timestamp: 300,
            server_id: 2,
            dbm_index: 1,
            op_type: replicate_response::OpType::OpClear as i32,
            key: "k".into(),
            value: "v".into(),
        },
        "0a00 10ac02 1802 2001 2803 32016b 3a0176",
    );
    wire(
        ChangeMasterRequest { master: "m".into(), timestamp_skew: -1 },
        "0a016d 10ffffffffffffffffff01",
    );
}

fn descriptors() -> prost_types::FileDescriptorProto {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("a FileDescriptorSet");
    let packages: Vec<_> = set.file.iter().map(|file| file.package().to_owned()).collect();
    assert_eq!(packages, ["tkrzw_rpc", "hozo.v1"]);
    set.file.into_iter().next().expect("two files")
}

#[test]
fn every_rpc_is_there_under_its_path() {
    let mut left = BTreeMap::new();
    let unary = "Echo Inspect Get GetMulti Set SetMulti Remove RemoveMulti Append AppendMulti \
        CompareExchange Increment CompareExchangeMulti Rekey PopFirst PushLast Count GetFileSize \
        Clear Rebuild ShouldBeRebuilt Synchronize Search ChangeMaster";
    left.extend(unary.split_whitespace().map(|name| (name, (false, false))));
    left.extend([("Stream", (true, true)), ("Iterate", (true, true))]);
    left.insert("Replicate", (false, true));
    assert_eq!(left.len(), 27);

    let file = descriptors();
    assert_eq!(file.package(), "tkrzw_rpc");
    assert_eq!(file.service.len(), 1);
    assert_eq!(file.service[0].name(), "DBMService");
    assert_eq!(dbm_service_server::SERVICE_NAME, "tkrzw_rpc.DBMService");
    for method in &file.service[0].method {
        let name = method.name();
        let streams = (method.client_streaming(), method.server_streaming());
        assert_eq!(left.remove(name), Some(streams), "{name}");
        assert_eq!(method.input_type(), format!(".tkrzw_rpc.{name}Request"));
        assert_eq!(method.output_type(), format!(".tkrzw_rpc.{name}Response"));
    }
    assert_eq!(left, BTreeMap::new(), "missing");
}

/// All fields of all messages: number, type and name, as the protocol has them.
#[test]
fn every_field_has_its_number() {
    let mut text = String::new();
    for message in descriptors().message_type {
        text += message.name();
        text += ":";
        for field in &message.field {
            let kind = match field.r#type() {
                Type::Message | Type::Enum => {
                    field.type_name().trim_start_matches(".tkrzw_rpc.").to_owned()
                }
                scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
            };
            let many = if field.label.is_some_and(|l| l == 3) { "*" } else { "" };
            text += &format!(" {} {kind}{many} {};", field.number(), field.name());
        }
        text += "\n";
        for it in &message.enum_type {
            let values: Vec<String> =
                it.value.iter().map(|v| format!(" {} {}", v.number(), v.name())).collect();
            text += &format!("{}.{}:{};\n", message.name(), it.name(), values.join(";"));
        }
    }
    assert_eq!(text, include_str!("fields.txt"));
}
