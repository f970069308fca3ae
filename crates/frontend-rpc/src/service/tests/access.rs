//! Rights.

use super::*;
use crate::service::{Grant, Right};

const ALL: [Option<Right>; 4] = [None, Some(Right::Read), Some(Right::Write), Some(Right::Admin)];

/// The rights to the first and to the second DBM.
fn rights(rights: [Option<Right>; 2]) -> Option<Access> {
    Some(Access::Rights(Arc::new(Grant::new("web", rights))))
}

/// What each rpc needs, and whether a client with this access may call it.
async fn may(c: &mut Client) -> Vec<(&'static str, Right, bool)> {
    fn ok<T>(result: Result<tonic::Response<T>, Status>) -> bool {
        match result {
            Ok(_) => true,
            Err(status) => {
                assert_eq!(status.code(), tonic::Code::PermissionDenied, "{status}");
                assert!(status.message().contains("to the DBM"), "{status}");
                false
            }
        }
    }
    let backup = SynchronizeRequest {
        params: vec![StringPair { first: "make_backup".into(), second: String::new() }],
        ..Default::default()
    };
    use Right::{Admin, Read, Write};
    vec![
        ("Get", Read, ok(c.get(GetRequest::default()).await)),
        ("GetMulti", Read, ok(c.get_multi(GetMultiRequest::default()).await)),
        ("Count", Read, ok(c.count(CountRequest::default()).await)),
        ("GetFileSize", Read, ok(c.get_file_size(GetFileSizeRequest::default()).await)),
        ("ShouldBeRebuilt", Read, ok(c.should_be_rebuilt(ShouldBeRebuiltRequest::default()).await)),
        ("Inspect", Read, ok(c.inspect(InspectRequest::default()).await)),
        ("Search", Read, ok(c.search(SearchRequest::default()).await)),
        ("Set", Write, ok(c.set(SetRequest::default()).await)),
        ("SetMulti", Write, ok(c.set_multi(SetMultiRequest::default()).await)),
        ("Remove", Write, ok(c.remove(RemoveRequest::default()).await)),
        ("RemoveMulti", Write, ok(c.remove_multi(RemoveMultiRequest::default()).await)),
        ("Append", Write, ok(c.append(AppendRequest::default()).await)),
        ("AppendMulti", Write, ok(c.append_multi(AppendMultiRequest::default()).await)),
        ("CompareExchange", Write, {
            let request = CompareExchangeRequest { desire_no_update: true, ..Default::default() };
            ok(c.compare_exchange(request).await)
        }),
        ("CompareExchangeMulti", Write, {
            ok(c.compare_exchange_multi(CompareExchangeMultiRequest::default()).await)
        }),
        ("Increment", Write, {
            let request = IncrementRequest { increment: i64::MIN, ..Default::default() };
            ok(c.increment(request).await)
        }),
        ("Rekey", Write, ok(c.rekey(RekeyRequest::default()).await)),
        ("PopFirst", Write, ok(c.pop_first(PopFirstRequest::default()).await)),
        ("PushLast", Write, ok(c.push_last(PushLastRequest::default()).await)),
        ("Clear", Write, ok(c.clear(ClearRequest::default()).await)),
        ("Synchronize", Write, ok(c.synchronize(SynchronizeRequest::default()).await)),
        ("Synchronize with a copy", Admin, ok(c.synchronize(backup).await)),
        ("Rebuild", Admin, ok(c.rebuild(RebuildRequest::default()).await)),
    ]
}

#[tokio::test]
async fn each_rpc_needs_its_right() {
    let f = Fixture::new();
    for has in ALL {
        let mut client = client_with(&f.service, rights([has, Some(Right::Admin)]));
        for (name, needs, may) in may(&mut client).await {
            assert_eq!(may, has >= Some(needs), "{name} needs {needs:?}, there is {has:?}");
        }
    }
}

#[tokio::test]
async fn what_is_denied_is_named() {
    let f = Fixture::new();
    let mut client = client_with(&f.service, rights([Some(Right::Read), None]));
    let status = client.set(SetRequest::default()).await.expect_err("no right");
    assert_eq!(status.message(), "this needs the right write to the DBM ordered");
    let request = GetRequest { dbm_index: 1, ..Default::default() };
    let status = client.get(request).await.expect_err("no right");
    assert_eq!(status.message(), "this needs the right read to the DBM unordered");
}

#[tokio::test]
async fn replication_needs_admin_of_all() {
    let f = Fixture::new();
    for (second, allowed) in [(Right::Write, false), (Right::Admin, true)] {
        let mut client = client_with(&f.service, rights([Some(Right::Admin), Some(second)]));
        let changed = client.change_master(ChangeMasterRequest::default()).await;
        assert_eq!(changed.is_ok(), allowed);
        assert_eq!(client.replicate(ReplicateRequest::default()).await.is_ok(), allowed);
    }
}

#[tokio::test]
async fn the_server_tells_only_of_dbms_that_may_be_read() {
    let f = Fixture::new();
    let mut client = client_with(&f.service, rights([None, Some(Right::Read)]));
    let response = client.inspect(InspectRequest { dbm_index: -1 }).await.expect("allowed");
    let rows = response.into_inner().records;
    assert!(rows.iter().all(|row| !row.first.starts_with("dbm_0_")));
    assert!(rows.iter().any(|row| row.first == "dbm_1_count"));
    client.echo(EchoRequest::default()).await.expect("allowed");
}

#[tokio::test]
async fn streams_need_the_right_of_each_operation() {
    let f = Fixture::new();
    let mut client = client_with(&f.service, rights([Some(Right::Read), None]));
    let set = stream_request::RequestOneof::SetRequest(SetRequest::default());
    let get = stream_request::RequestOneof::GetRequest(GetRequest::default());
    let requests = [get, set]
        .map(|request| StreamRequest { request_oneof: Some(request), omit_response: false });
    let answers = client.stream(tokio_stream::iter(requests)).await.expect("a call");
    let mut answers = answers.into_inner();
    assert!(answers.message().await.expect("allowed").is_some());
    let status = answers.message().await.expect_err("no right");
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    for (operation, allowed) in (1..=11).map(|n| (n, n != 9 && n != 10)) {
        let request = IterateRequest { operation, ..Default::default() };
        let answers = client.iterate(tokio_stream::iter([request])).await.expect("a call");
        assert_eq!(answers.into_inner().message().await.is_ok(), allowed, "{operation}");
    }
}

#[tokio::test]
async fn nothing_is_allowed_to_nobody() {
    let f = Fixture::new();
    let mut client = client_with(&f.service, None);
    let denied = |status: Status| assert_eq!(status.code(), tonic::Code::PermissionDenied);
    denied(client.echo(EchoRequest::default()).await.expect_err("nobody"));
    denied(client.get(GetRequest::default()).await.expect_err("nobody"));
    denied(client.inspect(InspectRequest { dbm_index: -1 }).await.expect_err("nobody"));
    denied(client.stream(tokio_stream::iter([])).await.expect_err("nobody"));
    denied(client.iterate(tokio_stream::iter([])).await.expect_err("nobody"));
    denied(client.replicate(ReplicateRequest::default()).await.expect_err("nobody"));
}
