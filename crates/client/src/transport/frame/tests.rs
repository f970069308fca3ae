use hozo_proto::tkrzw_rpc::GetRequest;

use super::*;

#[test]
fn messages_are_framed() {
    let request = GetRequest { dbm_index: 1, key: "k".into(), omit_value: false };
    assert_eq!(framed(&request)[..], [0, 0, 0, 0, 5, 8, 1, 18, 1, b'k']);
    assert_eq!(framed(&GetRequest::default())[..], [0; 5]);
    let mut buffer = BytesMut::new();
    put(&request, &mut buffer);
    put(&GetRequest::default(), &mut buffer);
    assert_eq!(buffer[..], [&framed(&request)[..], &[0; 5]].concat());
}

#[test]
fn messages_of_statuses_are_read_whatever_is_in_them() {
    assert_eq!(unescaped(b"plain"), "plain");
    assert_eq!(unescaped(b"50%25 of %E3%81%BB%E3%81%9E"), "50% of ほぞ");
    assert_eq!(unescaped(b"%, %2, %zz and %2"), "%, %2, %zz and %2");
    assert_eq!(unescaped(b"%ff\xff"), "\u{fffd}\u{fffd}");
    assert_eq!(unescaped(b""), "");
}

fn headers(code: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-status", code.parse().expect("a value"));
    headers.insert("grpc-message", "%77hy".parse().expect("a value"));
    headers
}

#[test]
fn statuses_are_read() {
    assert!(status(&HeaderMap::new()).is_none());
    status(&headers("0")).expect("it is there").expect("it is well");
    let failed = |code| status(&headers(code)).expect("it is there").expect_err("it is not well");
    assert_eq!(failed("5").0.to_string(), "not found: why (grpc NOT_FOUND)");
    for odd in ["17", "-1", "x", "", "99999999999"] {
        assert_eq!(failed(odd).0.to_string(), "internal error: why (grpc UNKNOWN)");
    }
}

#[test]
fn what_is_not_grpc_is_an_error_that_says_so() {
    let kinds = [
        (200, ErrorKind::Internal),
        (401, ErrorKind::Unauthenticated),
        (403, ErrorKind::Denied),
        (404, ErrorKind::Unsupported),
        (418, ErrorKind::Internal),
        (429, ErrorKind::Unavailable),
        (503, ErrorKind::Unavailable),
    ];
    for (code, kind) in kinds {
        let response = Response::builder().status(code).header("content-type", "text/html");
        let (error, _) = begins(&response.body(()).expect("one")).expect_err("it is not gRPC");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(&code.to_string()), "{error}");
    }
    let grpc = Response::builder().header("content-type", "application/grpc+proto");
    assert!(begins(&grpc.body(()).expect("one")).expect("it is gRPC"));
}
