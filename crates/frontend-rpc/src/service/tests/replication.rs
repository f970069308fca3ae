//! `hozo.v1.Replication`, but for following.

use std::time::Duration;

use hozo_proto::hozo_v1 as wire;
use hozo_traits::{ConflictReport, ErrorKind, FollowState, SourceStatus};
use tonic::{Code, Response};

use super::double::{Double, served};
use super::follow::{Replication, replication_with};
use super::replicator::{position, server, time};
use super::*;
use crate::service::{Grant, KIND, Right};

fn replicating(log: &Log) -> (Service, Replication) {
    let service = Fixture::replicating(Options::default(), Some(log)).service;
    let client = replication_with(&service, Some(Access::Full));
    (service, client)
}

fn version(seq: u64) -> Bytes {
    Bytes::copy_from_slice(hozo_traits::Version::from_seq(seq).as_bytes())
}

/// How following `db0` goes.
pub(super) fn source() -> SourceStatus {
    SourceStatus {
        address: "db0:1978".into(),
        server: Some(server(9)),
        state: FollowState::Loading,
        error: Some("it went away".into()),
        behind: 12,
        lag: Duration::from_micros(1500),
        loaded: Some((3, 10)),
    }
}

#[tokio::test]
async fn the_status_has_all_that_is_known() {
    let log = Log::new();
    log.add(7, super::replicator::records([]));
    let (_, mut client) = replicating(&log);
    let status = client.status(wire::StatusRequest {}).await.expect("a call").into_inner();
    let has = |seq| {
        let reach = position(&[(1, seq)]).of(server(1));
        Some(wire::Position {
            reaches: vec![wire::Reach { server: 1, seq: reach.seq, digest: reach.digest }],
        })
    };
    let follower = wire::Follower {
        server: 2,
        name: "db2:1978".into(),
        connected: true,
        has: has(1),
        behind: 4,
    };
    let expected = wire::StatusResponse {
        kind: "ulog".into(),
        server: 1,
        role: wire::status_response::Role::Master.into(),
        epoch: 3,
        fenced: String::new(),
        head: has(1),
        newest: 7000,
        log_bytes: 77,
        source: None,
        followers: vec![follower],
        ack: 1,
        conflicts: 5,
        pages: vec![wire::PagesStatus {
            store: "main".into(),
            home: false,
            durable: version(6),
            source: Some(wire::PagesSource {
                state: wire::source::State::Following.into(),
                error: "once".into(),
                newest: version(7),
                behind: 1,
            }),
            followers: vec![wire::PagesFollower {
                server: 2,
                name: "db2:1978".into(),
                connected: true,
                has: version(5),
                behind: 1,
            }],
        }],
    };
    assert_eq!(status, expected);
    log.change(|state| state.follows = Some(source()));
    let status = client.status(wire::StatusRequest {}).await.expect("a call").into_inner();
    assert_eq!(status.role(), wire::status_response::Role::Follower);
    let expected = wire::Source {
        address: "db0:1978".into(),
        server: 9,
        state: wire::source::State::Loading.into(),
        error: "it went away".into(),
        behind: 12,
        lag_us: 1500,
        loaded: 3,
        loaded_of: 10,
    };
    assert_eq!(status.source, Some(expected));
}

#[tokio::test]
async fn what_is_asked_is_done() {
    let log = Log::new();
    let (_, mut client) = replicating(&log);
    let source = |address: &str| wire::ChangeSourceRequest { address: address.into(), skew_ms: -9 };
    client.change_source(source("db2:1978")).await.expect("done");
    client.change_source(source("")).await.expect("done");
    let promoted = client.promote(wire::PromoteRequest {}).await.expect("done").into_inner();
    assert_eq!(promoted.epoch, 4);
    let pruned = client.prune(wire::PruneRequest { before: 123 }).await.expect("done");
    assert_eq!(pruned.into_inner().freed_bytes, 99);
    let done = log.state().asked_for;
    let done: Vec<_> = done.iter().filter(|what| !what.ends_with('?')).collect();
    assert_eq!(done, ["follow db2:1978 -9", "unfollow", "promote", "prune 123"]);
}

#[tokio::test]
async fn conflicts_are_told_as_many_as_are_wanted_and_fit() {
    let log = Log::new();
    let report = |key: Option<Bytes>| ConflictReport {
        found: time(1),
        dbm: 1,
        key,
        kept: (server(2), time(3)),
        lost: (server(4), time(5)),
    };
    log.change(|state| {
        state.conflicts = vec![report(Some("k".into())), report(None), report(None)];
    });
    let (_, mut client) = replicating(&log);
    let request = wire::ConflictsRequest { limit: 2 };
    let told = client.conflicts(request).await.expect("a call").into_inner().conflicts;
    let expected = wire::Conflict {
        found: 1000,
        dbm: 1,
        key: Some("k".into()),
        kept_server: 2,
        kept_time: 3000,
        lost_server: 4,
        lost_time: 5000,
    };
    assert_eq!(told, [expected.clone(), wire::Conflict { key: None, ..expected }]);
    let request = wire::ConflictsRequest { limit: u32::MAX };
    assert_eq!(client.conflicts(request).await.expect("a call").into_inner().conflicts.len(), 3);
    assert_eq!(log.state().asked_for.last().expect("a call"), "conflicts 10000");
    log.change(|state| state.conflicts = vec![report(Some(vec![7; 600_000].into())); 20]);
    let told = client.conflicts(request).await.expect("a call").into_inner().conflicts;
    assert_eq!(told.len(), 6, "4 MiB are a message");
}

#[tokio::test]
async fn failures_say_their_kind() {
    let log = Log::new();
    let (_, mut client) = replicating(&log);
    fn failed<T>(result: Result<Response<T>, Status>) -> Status {
        result.err().expect("it fails")
    }
    for kind in ErrorKind::ALL {
        log.change(|state| state.fails = Some(kind));
        for status in [
            failed(client.change_source(wire::ChangeSourceRequest::default()).await),
            failed(client.promote(wire::PromoteRequest {}).await),
            failed(client.conflicts(wire::ConflictsRequest::default()).await),
            failed(client.prune(wire::PruneRequest::default()).await),
        ] {
            assert_eq!(status.message(), "told to fail (server 2)");
            assert_eq!(status.metadata().get(KIND).expect("a kind"), kind.as_str());
        }
    }
}

#[tokio::test]
async fn what_was_begun_is_done_although_who_asked_goes() {
    let log = Log::new();
    let (service, client) = replicating(&log);
    log.change(|state| state.held = true);
    let mut asks = client.clone();
    let asking = tokio::spawn(async move { asks.promote(wire::PromoteRequest {}).await });
    log.until(|state| state.asked_for == ["promote?"]).await;
    asking.abort();
    asking.await.expect_err("it went");
    assert_eq!(service.active_calls(), 0);
    log.change(|state| state.held = false);
    log.until(|state| state.asked_for == ["promote?", "promote"]).await;
}

/// There is one thread, which has to answer while they wait for something.
#[tokio::test]
async fn what_takes_long_keeps_nobody_from_being_answered() {
    let log = Log::new();
    let (service, client) = replicating(&log);
    let source = || wire::ChangeSourceRequest { address: "db2:1978".into(), skew_ms: 0 };
    log.change(|state| state.blocked = true);
    let (mut first, mut second) = (client.clone(), client.clone());
    let follow = tokio::spawn(async move { first.change_source(source()).await });
    let prune = tokio::spawn(async move { second.prune(wire::PruneRequest::default()).await });
    let mut tkrzw = client_with(&service, Some(Access::Full));
    let request = ChangeMasterRequest { master: "db3:1978".into(), timestamp_skew: 0 };
    let master = tokio::spawn(async move { tkrzw.change_master(request).await });
    let snapshot = tokio::spawn(super::follow::snapshot_begins(client.clone()));
    log.until(|state| state.asked_for.len() == 3 && state.snapshots.len() == 1).await;
    client.clone().status(wire::StatusRequest {}).await.expect("a call");
    log.change(|state| state.blocked = false);
    follow.await.expect("no panic").expect("done");
    prune.await.expect("no panic").expect("done");
    master.await.expect("no panic").expect("done");
    snapshot.await.expect("no panic");
}

/// What each rpc needs, and whether a client with this access may call it.
async fn may(client: &mut Replication) -> Vec<(&'static str, Right, bool)> {
    fn ok<T>(result: Result<Response<T>, Status>) -> bool {
        match result {
            Ok(_) => true,
            Err(status) => {
                assert_eq!(status.code(), Code::PermissionDenied, "{status}");
                false
            }
        }
    }
    use Right::{Admin, Read};
    vec![
        ("Follow", Admin, ok(client.follow(tokio_stream::iter([])).await)),
        ("Status", Read, ok(client.status(wire::StatusRequest {}).await)),
        (
            "ChangeSource",
            Admin,
            ok(client.change_source(wire::ChangeSourceRequest::default()).await),
        ),
        ("Promote", Admin, ok(client.promote(wire::PromoteRequest {}).await)),
        ("Conflicts", Admin, ok(client.conflicts(wire::ConflictsRequest::default()).await)),
        ("Prune", Admin, ok(client.prune(wire::PruneRequest::default()).await)),
    ]
}

#[tokio::test]
async fn each_needs_its_right_to_all_dbms() {
    let log = Log::new();
    let (service, _) = replicating(&log);
    let rights = [None, Some(Right::Read), Some(Right::Write), Some(Right::Admin)];
    for has in rights {
        let grant = Grant::new("web", [Some(Right::Admin), has]);
        let access = Access::Rights(Arc::new(grant));
        let mut client = replication_with(&service, Some(access.clone()));
        for (name, needs, may) in may(&mut client).await {
            assert_eq!(may, has >= Some(needs), "{name} needs {needs:?}, there is {has:?}");
        }
        let mut client = client_with(&service, Some(access));
        let may = has >= Some(Right::Admin);
        assert_eq!(client.replicate(ReplicateRequest::default()).await.is_ok(), may);
        assert_eq!(client.change_master(ChangeMasterRequest::default()).await.is_ok(), may);
    }
    for (name, _, may) in may(&mut replication_with(&service, None)).await {
        assert!(!may, "{name} is for nobody");
    }
}

#[tokio::test]
async fn without_replication_it_is_not_implemented() {
    let f = Fixture::new();
    let mut client = replication_with(&f.service, Some(Access::Full));
    fn refused<T>(result: Result<Response<T>, Status>) {
        let status = result.err().expect("there is none");
        let expected = (Code::Unimplemented, "this server has no replication");
        assert_eq!((status.code(), status.message()), expected);
        assert!(status.metadata().get(KIND).is_none());
    }
    refused(client.follow(tokio_stream::iter([])).await);
    refused(client.status(wire::StatusRequest {}).await);
    refused(client.change_source(wire::ChangeSourceRequest::default()).await);
    refused(client.promote(wire::PromoteRequest {}).await);
    refused(client.conflicts(wire::ConflictsRequest::default()).await);
    refused(client.prune(wire::PruneRequest::default()).await);
}

/// Every update of a follower's DBM is refused by its store.
#[tokio::test]
async fn a_follower_takes_no_updates_and_says_why() {
    let double = Double::new();
    let (service, mut client) = served(&double, Durability::Sequenced);
    double.fail(Some(ErrorKind::ReadOnly));
    let response = client.set(SetRequest::default()).await.expect("a call").into_inner();
    let status = response.status.expect("a status");
    assert_eq!(status.status_code(), StatusCode::PermissionError);
    assert_eq!(status.message, "told to fail (path /secret)");
    // Which is no failure of the store.
    assert_eq!(*service.health().borrow(), [true]);
}
