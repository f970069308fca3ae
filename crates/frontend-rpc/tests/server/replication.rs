//! Following over real sockets.

use std::fs;

use bytes::Bytes;
use hozo_frontend_rpc::token_hash;
use hozo_proto::hozo_v1 as wire;
use hozo_proto::hozo_v1::follow_request::Request as Said;
use hozo_proto::hozo_v1::follow_response::Response as Told;
use hozo_proto::hozo_v1::hello::Start as Where;
use hozo_proto::tkrzw_rpc::{
    ReplicateRequest, ReplicateResponse, SetRequest, SetResponse, StreamRequest,
};
use hozo_traits::ErrorKind;

use crate::kit::replicator::{Log, position, records, set};
use crate::kit::{Client, Conversation, PATIENCE, Server, echo, path, run, serve, serve_with};

const FOLLOW: &str = "/hozo.v1.Replication/Follow";
const PROMOTE: &str = "/hozo.v1.Replication/Promote";

const RESOURCE_EXHAUSTED: i32 = 8;
const OUT_OF_RANGE: i32 = 11;
const UNIMPLEMENTED: i32 = 12;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

fn replicating(log: &Log) -> Server {
    serve_with(tempfile::tempdir().unwrap(), "", Some(log)).unwrap()
}

fn hello(start: Where) -> wire::FollowRequest {
    let hello =
        wire::Hello { server: 2, acknowledges: true, start: Some(start), ..Default::default() };
    wire::FollowRequest { request: Some(Said::Hello(hello)) }
}

fn after_nothing() -> Where {
    Where::After(wire::Position::default())
}

/// The follower has so many updates of server 1.
fn has(seq: u64) -> wire::FollowRequest {
    let reach = wire::Reach { server: 1, seq, digest: 0 };
    let position = Some(wire::Position { reaches: vec![reach] });
    let said = Said::Acknowledge(wire::Acknowledge { position, epoch: 3 });
    wire::FollowRequest { request: Some(said) }
}

/// A follower of updates, up to its welcome.
async fn follow(client: &Client, headers: &[(&str, &str)]) -> Conversation {
    let mut follower = client.begin(FOLLOW, headers).await.unwrap();
    follower.say(&hello(after_nothing()), false);
    let welcome: wire::FollowResponse = follower.next().await;
    assert!(matches!(welcome.response, Some(Told::Welcome(welcome)) if welcome.server == 1));
    follower
}

async fn part(follower: &mut Conversation) -> wire::Part {
    let told: wire::FollowResponse = follower.next().await;
    let Some(Told::Part(part)) = told.response else { panic!("{told:?}") };
    part
}

fn large(log: &Log, count: u64) {
    for ms in 0..count {
        log.add(ms, records([set("k", vec![7; 100_000])]));
    }
}

#[test]
fn a_follower_is_told_of_updates_as_they_are_made_and_says_what_it_has() {
    let log = Log::new();
    let server = replicating(&log);
    run(async {
        let client = server.client().await;
        let mut follower = follow(&client, &[]).await;
        for seq in 1..=100 {
            log.add(seq, records([set("k", "v")]));
            assert_eq!(part(&mut follower).await.updates[0].reach.unwrap().seq, seq);
            follower.say(&has(seq), false);
            log.until(|state| state.acknowledged.len() as u64 == seq).await;
        }
        // Who has said all that it wants to say is told on.
        follower.send.send_data(Bytes::new(), true).unwrap();
        log.add(101, records([set("k", "v")]));
        assert_eq!(part(&mut follower).await.updates.len(), 1);
    });
}

#[test]
fn a_follower_that_does_not_read_is_heard_and_costs_a_part() {
    let log = Log::new();
    large(&log, 1000);
    let server = replicating(&log);
    run(async {
        // One that takes nothing ahead; and does not even look.
        let client = Client::narrow(server.address(), 1000).await;
        let mut follower = client.begin(FOLLOW, &[]).await.unwrap();
        follower.say(&hello(after_nothing()), false);
        log.until(|state| state.reads == 1).await;
        for seq in 1..=500 {
            follower.say(&has(seq), false);
            let is_heard =
                |(has, _): &(hozo_traits::Position, u64)| has.behind(&position(&[(1, seq)])) == 0;
            log.until(|state| state.acknowledged.last().is_some_and(is_heard)).await;
        }
        // One part is sent, of which HTTP/2 takes a piece; not even the next is read.
        assert_eq!(log.state().reads, 1);
        let others = server.client().await;
        echo(&others).await;
        let welcome: wire::FollowResponse = follower.next().await;
        assert!(matches!(welcome.response, Some(Told::Welcome(_))));
        for seq in 1..=1000 {
            let part = part(&mut follower).await;
            assert_eq!(part.updates[0].reach.as_ref().unwrap().seq, seq);
        }
    });
}

#[test]
fn who_goes_away_is_gone() {
    let log = Log::new();
    large(&log, 100);
    let server = replicating(&log);
    run(async {
        // One that reads nothing, one that waits, and one without a connection.
        let client = Client::narrow(server.address(), 1000).await;
        let mut stuck = client.begin(FOLLOW, &[]).await.unwrap();
        stuck.say(&hello(after_nothing()), false);
        log.until(|state| state.readers == 1).await;
        let mut waits = follow(&client, &[]).await;
        for _ in 0..100 {
            part(&mut waits).await;
        }
        log.until(|state| state.readers == 2 && state.waiting == 1).await;
        drop(stuck);
        log.until(|state| state.readers == 1).await;
        drop(waits);
        log.until(|state| state.readers == 0 && state.waiting == 0).await;
        let broken = server.client().await;
        let _follower = follow(&broken, &[]).await;
        log.until(|state| state.readers == 1).await;
        broken.abort();
        log.until(|state| state.readers == 0).await;
        echo(&client).await;
    });
}

#[test]
fn who_follows_is_told_that_the_server_stops_and_does_not_keep_it() {
    let log = Log::new();
    let server = replicating(&log);
    run(async {
        let client = server.client().await;
        let follower = follow(&client, &[]).await;
        let mut replica = client.begin(&path("Replicate"), &[]).await.unwrap();
        replica.say(&ReplicateRequest { wait_time: -1.0, ..Default::default() }, true);
        let _: ReplicateResponse = replica.next().await;
        let mut silent = client.begin(FOLLOW, &[]).await.unwrap();
        silent.say(&wire::FollowRequest::default(), false);
        assert_eq!(silent.rest().await.code, 3);
        let silent = client.begin(FOLLOW, &[]).await.unwrap();
        client.ready().await.unwrap();
        let running = server.running;
        let stopped = tokio::task::spawn_blocking(move || running.stop(PATIENCE));
        for told in [follower.rest().await, replica.rest().await, silent.rest().await] {
            assert_eq!((told.code, &told.message[..]), (UNAVAILABLE, "the server is stopping"));
        }
        stopped.await.unwrap().unwrap();
    });
}

#[test]
fn a_token_that_is_taken_back_ends_it() {
    let tokens = |names: &[&str]| {
        let entry = |name: &&str| {
            let hash: String = token_hash(name).iter().map(|byte| format!("{byte:02x}")).collect();
            format!(
                "[[token]]\nname = \"{name}\"\nsha256 = \"{hash}\"\nrights = {{ \"*\" = \"admin\" }}\n"
            )
        };
        names.iter().map(entry).collect::<String>()
    };
    let log = Log::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.toml");
    fs::write(&file, tokens(&["old", "both"])).unwrap();
    let server = serve_with(directory, "tokens = \"tokens.toml\"", Some(&log)).unwrap();
    run(async {
        let client = server.client().await;
        let old = follow(&client, &[("authorization", "Bearer old")]).await;
        let mut kept = follow(&client, &[("authorization", "Bearer both")]).await;
        let mut replica =
            client.begin(&path("Replicate"), &[("authorization", "Bearer old")]).await.unwrap();
        replica.say(&ReplicateRequest { wait_time: -1.0, ..Default::default() }, true);
        let _: ReplicateResponse = replica.next().await;
        fs::write(&file, tokens(&["both"])).unwrap();
        server.running.reload().unwrap();
        // Nothing happens, and nobody says anything.
        assert_eq!(old.rest().await.code, UNAUTHENTICATED);
        assert_eq!(replica.rest().await.code, UNAUTHENTICATED);
        log.add(1, records([set("k", "v")]));
        while part(&mut kept).await.updates.is_empty() {}
    });
}

#[test]
fn codes_and_kinds_arrive_as_they_were_meant() {
    let log = Log::new();
    let server = replicating(&log);
    run(async {
        let client = server.client().await;
        log.change(|state| state.fails_to_open = Some(ErrorKind::VersionGone));
        let told = client.ask(FOLLOW, &hello(after_nothing()), &[]).await;
        assert_eq!((told.code, &told.kind[..]), (OUT_OF_RANGE, "version gone"), "{told:?}");
        let told = client.ask(&path("Replicate"), &ReplicateRequest::default(), &[]).await;
        assert_eq!((told.code, &told.kind[..]), (OUT_OF_RANGE, "version gone"), "{told:?}");
        log.change(|state| state.fails = Some(ErrorKind::TimedOut));
        let told = client.ask(PROMOTE, &wire::PromoteRequest {}, &[]).await;
        assert_eq!((told.code, &told.kind[..]), (4, "timed out"), "{told:?}");
        // A message that is too large is one here, too.
        let reach = wire::Reach { server: 1, seq: 1, digest: 1 };
        let position = wire::Position { reaches: vec![reach; 500_000] };
        let told = client.ask(FOLLOW, &hello(Where::After(position)), &[]).await;
        assert_eq!((told.code, &told.kind[..]), (RESOURCE_EXHAUSTED, ""), "{told:?}");
    });
}

#[test]
fn a_server_without_replication_says_so() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        for told in [
            client.ask(FOLLOW, &hello(after_nothing()), &[]).await,
            client.ask(PROMOTE, &wire::PromoteRequest {}, &[]).await,
            client.ask(&path("Replicate"), &ReplicateRequest::default(), &[]).await,
        ] {
            assert_eq!(told.code, UNIMPLEMENTED, "{told:?}");
            assert_eq!(told.message, "this server has no replication");
        }
    });
}

#[test]
fn what_is_followed_may_be_asked_for_longer_than_a_request_may_take() {
    let log = Log::new();
    let directory = tempfile::tempdir().unwrap();
    let server = serve_with(directory, "request_timeout_s = 1", Some(&log)).unwrap();
    run(async {
        let client = server.client().await;
        log.change(|state| state.held = true);
        let mut promote = client.begin(PROMOTE, &[]).await.unwrap();
        promote.say(&wire::PromoteRequest {}, true);
        log.until(|state| state.asked_for == ["promote?"]).await;
        let mut follower = follow(&client, &[]).await;
        // Longer than that.
        assert!(part(&mut follower).await.updates.is_empty());
        log.change(|state| state.held = false);
        assert_eq!(promote.rest().await.code, 0);
        assert!(part(&mut follower).await.updates.is_empty());
    });
}

const SET: &str = "/tkrzw_rpc.DBMService/Set";
const STREAM: &str = "/tkrzw_rpc.DBMService/Stream";
const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;

fn set_request() -> SetRequest {
    SetRequest { key: "k".into(), value: "v".into(), overwrite: true, ..Default::default() }
}

#[test]
fn a_request_is_answered_when_followers_have_its_update() {
    let log = Log::new();
    let server = replicating(&log);
    run(async {
        let client = server.client().await;
        log.change(|state| state.held = true);
        let headers = [("hozo-ack", "2"), ("grpc-timeout", "10S")];
        let mut asking = client.begin(SET, &headers).await.unwrap();
        asking.say(&set_request(), true);
        // It was made, and then it was waited for.
        log.until(|state| state.asked_for == ["acknowledged 2 9s?"]).await;
        log.change(|state| state.held = false);
        let reply = asking.rest().await;
        assert_eq!((reply.code, reply.answers.len()), (0, 1), "{reply:?}");
        log.change(|state| state.fails = Some(ErrorKind::TimedOut));
        let reply = client.ask(SET, &set_request(), &[("hozo-ack", "1")]).await;
        assert_eq!((reply.code, reply.answers.len()), (DEADLINE_EXCEEDED, 0), "{reply:?}");
        // Who does not ask for it does not wait.
        let _: SetResponse = client.get(SET, &set_request()).await;
        let reply = client.ask(SET, &set_request(), &[("hozo-ack", "0")]).await;
        assert_eq!(reply.code, 0);
        for wrong in ["-1", "many", "101", ""] {
            let reply = client.ask(SET, &set_request(), &[("hozo-ack", wrong)]).await;
            assert_eq!(reply.code, INVALID_ARGUMENT, "{wrong:?}: {reply:?}");
        }
        let reply = client.ask(STREAM, &StreamRequest::default(), &[("hozo-ack", "1")]).await;
        assert_eq!(reply.code, INVALID_ARGUMENT, "{reply:?}");
    });
}

#[test]
fn without_replication_nobody_acknowledges() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let reply = client.ask(SET, &set_request(), &[("hozo-ack", "1")]).await;
        assert_eq!(reply.code, UNIMPLEMENTED, "{reply:?}");
    });
}
