//! How replication is, and what is changed about it.

use std::time::Duration;

use hozo_client::{Client, ErrorKind};
use hozo_proto::hozo_v1 as proto;
use hozo_traits::{
    ConflictReport, FollowState, FollowerStatus, PagesFollower, PagesSource, PagesStatus,
    ReplicationStatus, Role, SourceStatus, Timestamp, Version,
};
use prost::Message;
use tokio::sync::mpsc;

use crate::follow::{position, server};
use crate::run;
use crate::scripted::{Act, Scripted};

/// A client whose calls are all answered with this message.
async fn answered(message: &impl Message) -> (Scripted, Client) {
    let answer = message.encode_to_vec();
    let server = Scripted::start(move |_, _| Act::Echo(1, answer.clone().into())).await;
    let client = Client::builder(server.url()).lazy().expect("an address");
    (server, client)
}

fn at(server: u32, seq: u64) -> proto::Position {
    let digest = u32::try_from(seq).expect("small");
    proto::Position { reaches: vec![proto::Reach { server, seq, digest }] }
}

#[test]
fn a_status_is_read_whole() {
    run(async {
        let source = proto::Source {
            address: "db2:1978".to_owned(),
            server: 2,
            state: 1,
            error: "it went".to_owned(),
            behind: 3,
            lag_us: 4,
            loaded: 5,
            loaded_of: 6,
        };
        let follower = proto::Follower {
            server: 3,
            name: "db3".to_owned(),
            connected: true,
            has: Some(at(1, 5)),
            behind: 7,
        };
        let said = proto::StatusResponse {
            kind: "ulog".to_owned(),
            server: 1,
            role: 1,
            epoch: 8,
            fenced: "db2 is the master".to_owned(),
            head: Some(at(1, 10)),
            newest: 9,
            log_bytes: 11,
            source: Some(source.clone()),
            followers: vec![follower, proto::Follower::default()],
            ack: 12,
            conflicts: 13,
            pages: vec![proto::PagesStatus {
                store: "main".to_owned(),
                home: true,
                durable: vec![1; 10].into(),
                source: Some(proto::PagesSource {
                    state: 3,
                    error: "no".to_owned(),
                    newest: vec![2; 10].into(),
                    behind: 4,
                }),
                followers: vec![proto::PagesFollower {
                    server: 3,
                    name: "db3".to_owned(),
                    connected: true,
                    has: vec![5; 10].into(),
                    behind: 6,
                }],
            }],
        };
        let (_server, client) = answered(&said).await;
        let nobody = FollowerStatus {
            server: None,
            name: String::new(),
            connected: false,
            has: None,
            behind: 0,
        };
        let follower = FollowerStatus {
            server: Some(server(3)),
            name: "db3".to_owned(),
            connected: true,
            has: Some(position(&[(1, 5)])),
            behind: 7,
        };
        let read = ReplicationStatus {
            kind: "ulog",
            server: server(1),
            role: Role::DualMaster,
            epoch: 8,
            fenced: Some("db2 is the master".to_owned()),
            head: position(&[(1, 10)]),
            newest: Timestamp::from_micros(9),
            log_bytes: 11,
            source: Some(SourceStatus {
                address: "db2:1978".to_owned(),
                server: Some(server(2)),
                state: FollowState::Loading,
                error: Some("it went".to_owned()),
                behind: 3,
                lag: Duration::from_micros(4),
                loaded: Some((5, 6)),
            }),
            followers: vec![follower, nobody],
            ack: 12,
            conflicts: 13,
            pages: vec![PagesStatus {
                store: "main".to_owned(),
                home: true,
                durable: Version::from_bytes([1; 10]),
                source: Some(PagesSource {
                    state: FollowState::Stopped,
                    error: Some("no".to_owned()),
                    newest: Version::from_bytes([2; 10]),
                    behind: 4,
                }),
                followers: vec![PagesFollower {
                    server: Some(server(3)),
                    name: "db3".to_owned(),
                    connected: true,
                    has: Some(Version::from_bytes([5; 10])),
                    behind: 6,
                }],
            }],
        };
        assert_eq!(client.replication_status().await.expect("it is read"), read);

        // Of what is not there nothing is made up.
        let source = proto::Source { state: 2, ..proto::Source::default() };
        let said = proto::StatusResponse {
            kind: "to come".to_owned(),
            server: 1,
            source: Some(source),
            ..proto::StatusResponse::default()
        };
        let (_server, client) = answered(&said).await;
        let status = client.replication_status().await.expect("it is read");
        assert_eq!((status.kind, status.role, status.fenced), ("other", Role::Master, None));
        let source = status.source.expect("it is there");
        assert_eq!((source.server, source.error, source.loaded), (None, None, None));
        assert_eq!(source.state, FollowState::Following);
    });
}

#[test]
fn a_status_that_cannot_be_is_an_error() {
    let of = |change: fn(&mut proto::StatusResponse)| {
        let mut said = proto::StatusResponse { server: 1, ..proto::StatusResponse::default() };
        change(&mut said);
        said
    };
    let source = |state, server| proto::Source { state, server, ..proto::Source::default() };
    let mut lost = of(|_| {});
    lost.source = Some(source(4, 1));
    let mut strange = of(|_| {});
    strange.source = Some(source(0, u32::MAX));
    let wrong = [
        of(|said| said.server = 0),
        of(|said| said.server = 1 << 31),
        of(|said| said.role = 3),
        of(|said| said.head = Some(at(0, 1))),
        of(|said| {
            let strange = proto::Follower { server: u32::MAX, ..proto::Follower::default() };
            said.followers = vec![strange];
        }),
        lost,
        strange,
    ];
    run(async {
        for said in wrong {
            let (_server, client) = answered(&said).await;
            let error = client.replication_status().await.expect_err("it cannot be");
            assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
            assert!(error.to_string().contains("http://127.0.0.1:"), "{error}");
        }
    });
}

#[test]
fn conflicts_are_read() {
    run(async {
        let conflict = proto::Conflict {
            found: 1,
            dbm: 2,
            key: Some("k".into()),
            kept_server: 3,
            kept_time: 4,
            lost_server: 5,
            lost_time: 6,
        };
        let cleared = proto::Conflict { key: None, ..conflict.clone() };
        let conflicts = vec![conflict.clone(), cleared];
        let (_server, client) = answered(&proto::ConflictsResponse { conflicts }).await;
        let time = Timestamp::from_micros;
        let report = ConflictReport {
            found: time(1),
            dbm: 2,
            key: Some("k".into()),
            kept: (server(3), time(4)),
            lost: (server(5), time(6)),
        };
        let cleared = ConflictReport { key: None, ..report.clone() };
        assert_eq!(client.conflicts(10).await.expect("read"), [report, cleared]);

        let conflicts = vec![proto::Conflict { lost_server: 0, ..conflict }];
        let (_server, client) = answered(&proto::ConflictsResponse { conflicts }).await;
        let error = client.conflicts(10).await.expect_err("whose was it");
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    });
}

#[test]
fn what_is_asked_is_what_was_meant() {
    use crate::follow::fake::{Call, client};
    run(async {
        let (heard, mut asked) = mpsc::unbounded_channel();
        let client = client(move |mut call: Call| {
            let heard = heard.clone();
            async move {
                let rpc = call.path.strip_prefix("/hozo.v1.Replication/").expect("ours");
                let (rpc, request) = match rpc.to_owned().as_str() {
                    "ChangeSource" => {
                        let request: proto::ChangeSourceRequest = call.next().await.expect("one");
                        call.give(&proto::ChangeSourceResponse {});
                        ("ChangeSource", format!("{} {}", request.address, request.skew_ms))
                    }
                    "Promote" => {
                        call.give(&proto::PromoteResponse { epoch: 4 });
                        ("Promote", String::new())
                    }
                    "Conflicts" => {
                        let request: proto::ConflictsRequest = call.next().await.expect("one");
                        call.give(&proto::ConflictsResponse::default());
                        ("Conflicts", request.limit.to_string())
                    }
                    "Prune" => {
                        let request: proto::PruneRequest = call.next().await.expect("one");
                        call.give(&proto::PruneResponse { freed_bytes: 5 });
                        ("Prune", request.before.to_string())
                    }
                    other => panic!("{other}"),
                };
                call.end(0, "", None);
                heard.send(format!("{rpc} {request}")).expect("the test waits");
            }
        });
        client.follow("db2:1978", -5).await.expect("it follows");
        client.unfollow().await.expect("it follows nobody");
        assert_eq!(client.promote().await.expect("it is promoted"), 4);
        assert_eq!(client.conflicts(usize::MAX).await.expect("there are none"), []);
        assert_eq!(client.prune(Timestamp::from_micros(6)).await.expect("pruned"), 5);
        // Nobody is asked to follow nobody by mistake.
        let error = client.follow("", 0).await.expect_err("whom");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        drop(client);
        let mut all = Vec::new();
        while let Ok(one) = asked.try_recv() {
            all.push(one);
        }
        let expected =
            ["ChangeSource db2:1978 -5", "ChangeSource  0", "Promote ", "Conflicts 4294967295"];
        assert_eq!(all[..4], expected);
        assert_eq!(all[4..], ["Prune 6"]);
    });
}

#[test]
fn errors_keep_their_kinds() {
    run(async {
        let kinds =
            [(9, ErrorKind::ReadOnly), (10, ErrorKind::Conflict), (12, ErrorKind::Unsupported)];
        for (code, kind) in kinds {
            let server = Scripted::start(move |_, _| Act::Fail(code, "why")).await;
            let client = Client::builder(server.url()).lazy().expect("an address");
            for error in [
                client.replication_status().await.map(drop),
                client.follow("db2:1978", 0).await,
                client.unfollow().await,
                client.promote().await.map(drop),
                client.conflicts(1).await.map(drop),
                client.prune(Timestamp::default()).await.map(drop),
            ] {
                let error = error.expect_err("it is refused");
                assert_eq!((error.kind(), error.message()), (kind, "why"));
            }
        }
    });
}
