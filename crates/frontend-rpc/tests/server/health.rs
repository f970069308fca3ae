use std::collections::BTreeMap;

use hozo_traits::Health;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::kit::replicator::Log;
use crate::kit::{Client, PATIENCE, Server, echo, path, run, serve, serve_with, set_request};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const LIST: &str = "/grpc.health.v1.Health/List";
const DEADLINE_EXCEEDED: i32 = 4;
const NOT_FOUND: i32 = 5;
const RESOURCE_EXHAUSTED: i32 = 8;

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.into() }
}

async fn check(client: &Client, service: &str) -> ServingStatus {
    client.get::<HealthCheckResponse>(CHECK, &of(service)).await.status()
}

#[derive(Clone, PartialEq, prost::Message)]
struct List {
    #[prost(btree_map = "string, message", tag = "1")]
    statuses: BTreeMap<String, HealthCheckResponse>,
}

/// Makes the updates of a DBM fail, or succeed again.
async fn break_store(server: &Server, client: &Client, dbm_index: i32, broken: bool) {
    server.gate.breaks(broken);
    let mut set = set_request("tenon", "oak");
    set.dbm_index = dbm_index;
    let reply = client.ask(&path("Set"), &set, &[]).await;
    assert_eq!(reply.code, 0, "{reply:?}");
}

#[test]
fn what_is_there_is_well() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        for service in ["", "tkrzw_rpc.DBMService", "dbm/casket", "dbm/log"] {
            assert_eq!(check(&client, service).await, ServingStatus::Serving, "{service}");
        }
        for service in ["dbm/", "dbm/Casket", "casket", "grpc.health.v1.Health"] {
            assert_eq!(client.ask(CHECK, &of(service), &[]).await.code, NOT_FOUND, "{service}");
        }
        let list: List = client.get(LIST, &()).await;
        let names: Vec<_> = list.statuses.keys().map(String::as_str).collect();
        assert_eq!(names, ["", "dbm/casket", "dbm/log", "tkrzw_rpc.DBMService"]);
        assert!(list.statuses.values().all(|one| one.status() == ServingStatus::Serving));
    });
    assert_eq!(server.running.health(), Health::Serving);
}

#[test]
fn replication_is_well_where_there_is_any() {
    let server = serve_with(tempfile::tempdir().unwrap(), "", Some(&Log::new())).unwrap();
    let without = serve("");
    run(async {
        let client = server.client().await;
        assert_eq!(check(&client, "hozo.v1.Replication").await, ServingStatus::Serving);
        let list: List = client.get(LIST, &()).await;
        assert!(list.statuses.contains_key("hozo.v1.Replication"));
        let client = without.client().await;
        let reply = client.ask(CHECK, &of("hozo.v1.Replication"), &[]).await;
        assert_eq!(reply.code, NOT_FOUND);
    });
}

#[test]
fn a_dbm_whose_store_fails_is_not() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let mut watch = client.begin(WATCH, &[]).await.unwrap();
        watch.say(&of("dbm/log"), true);
        assert_eq!(watch.next::<HealthCheckResponse>().await.status(), ServingStatus::Serving);

        break_store(&server, &client, 1, true).await;
        assert_eq!(watch.next::<HealthCheckResponse>().await.status(), ServingStatus::NotServing);
        assert_eq!(check(&client, "dbm/log").await, ServingStatus::NotServing);
        assert_eq!(check(&client, "dbm/casket").await, ServingStatus::Serving);
        assert_eq!(check(&client, "").await, ServingStatus::Serving);
        let Health::Degraded(why) = server.running.health() else { panic!("it is degraded") };
        assert!(why.ends_with(": log"), "{why}");

        break_store(&server, &client, 0, true).await;
        assert_eq!(check(&client, "").await, ServingStatus::NotServing);
        assert!(matches!(server.running.health(), Health::Failed(_)));

        break_store(&server, &client, 1, false).await;
        assert_eq!(watch.next::<HealthCheckResponse>().await.status(), ServingStatus::Serving);
        assert_eq!(check(&client, "").await, ServingStatus::Serving);
    });
}

#[test]
fn what_is_watched_and_not_there_is_said_to_be_unknown() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let mut watch = client.begin(WATCH, &[]).await.unwrap();
        watch.say(&of("dbm/none"), true);
        let status = watch.next::<HealthCheckResponse>().await.status();
        assert_eq!(status, ServingStatus::ServiceUnknown);
        // The watch goes on, and so does the connection.
        echo(&client).await;
    });
}

#[test]
fn watches_end_when_the_server_stops() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let mut watch = client.begin(WATCH, &[]).await.unwrap();
        watch.say(&of(""), true);
        assert_eq!(watch.next::<HealthCheckResponse>().await.status(), ServingStatus::Serving);
        let running = server.running;
        let stopped = tokio::task::spawn_blocking(move || running.stop(PATIENCE));
        assert_eq!(watch.next::<HealthCheckResponse>().await.status(), ServingStatus::NotServing);
        assert_eq!(watch.rest().await.code, 0);
        stopped.await.unwrap().unwrap();
    });
}

#[test]
fn who_watches_takes_no_place_of_who_asks() {
    let server = serve("");
    run(async {
        let mut watches = Vec::new();
        let mut client = server.client().await;
        for n in 0..512 {
            if n % 16 == 0 {
                client = server.client().await;
            }
            let mut watch = client.begin(WATCH, &[]).await.unwrap();
            watch.say(&of(""), true);
            assert_eq!(watch.next::<HealthCheckResponse>().await.status(), ServingStatus::Serving);
            watches.push(watch);
        }
        let mut watch = client.begin(WATCH, &[]).await.unwrap();
        watch.say(&of(""), true);
        let refused = watch.rest().await;
        assert_eq!(refused.code, RESOURCE_EXHAUSTED, "{refused:?}");
        assert_eq!(check(&client, "").await, ServingStatus::Serving);
    });
}

#[test]
fn one_connection_does_not_take_the_places_of_others() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let mut unfinished = Vec::new();
        for _ in 0..600 {
            unfinished.push(client.begin(CHECK, &[]).await.unwrap());
        }
        echo(&client).await;
        let other = server.client().await;
        assert_eq!(check(&other, "").await, ServingStatus::Serving);
        let refused = client.ask(CHECK, &of(""), &[]).await;
        assert_eq!(refused.code, RESOURCE_EXHAUSTED, "{refused:?}");
        // And they do not stay for long.
        let codes =
            [unfinished.remove(0).rest().await.code, unfinished.pop().unwrap().rest().await.code];
        assert_eq!(codes, [DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED]);
        assert_eq!(check(&client, "").await, ServingStatus::Serving);
    });
}

#[test]
fn a_watch_that_never_says_of_what_holds_up_no_stop() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let watch = client.begin(WATCH, &[]).await.unwrap();
        echo(&client).await;
        let running = server.running;
        tokio::task::spawn_blocking(move || running.stop(PATIENCE / 3)).await.unwrap().unwrap();
        drop(watch);
    });
}
